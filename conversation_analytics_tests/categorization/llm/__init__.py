"""Tests of `conversation_analytics.categorization.llm`."""
