"""Reading conversations and messages from NocoDB's REST API."""

from conversation_analytics.sources.nocodb.source import NocoDBSource, message_columns

__all__ = ["NocoDBSource", "message_columns"]
