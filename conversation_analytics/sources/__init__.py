"""Where conversations come from, and what a source row means. No storage, no Dagster."""
