"""Conversation analytics: NocoDB conversations as Parquet, MongoDB documents and answers."""

__version__ = "0.1.0"
