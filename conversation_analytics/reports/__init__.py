"""Reports: what the states of days come to, by day, week and month, and for each user."""
