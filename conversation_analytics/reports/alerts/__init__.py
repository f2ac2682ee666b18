"""Alerts: rules that a file of the user has, held against reports, and told once an event."""
