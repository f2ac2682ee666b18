"""Tests of conversation_analytics, laid out like the package."""
