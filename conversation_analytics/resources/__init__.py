"""Dagster resources: connections built from the settings."""
