"""Dagster asset checks. What they find comes from `schemas.validation` and the transforms."""
