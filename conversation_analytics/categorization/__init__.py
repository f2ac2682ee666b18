"""Categories of messages and conversations: language, sentiment, intent and topic."""
