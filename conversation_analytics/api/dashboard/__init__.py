"""The dashboard: pages for people over the same lake, keys and limits as the API.

    browser ──> door (session → key) ──> gate (key, limits) ──> routes ──> views ──> templates

Pages are made on the server and load one style sheet, no script. What is asked for is in the
address, so that every view can be linked, and every figure links to its conversations.
"""
