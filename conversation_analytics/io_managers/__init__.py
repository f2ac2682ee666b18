"""Dagster IO managers: thin adapters over the lake and the Mongo writer."""
