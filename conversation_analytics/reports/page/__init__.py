"""A period's report as one HTML file, and what other pages are built from in the same way."""
