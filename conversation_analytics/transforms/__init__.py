"""From source rows to tables, a day at a time. No Dagster."""
