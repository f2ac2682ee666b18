"""Dagster assets: thin functions that hand day streams to the IO managers. No data logic here."""
