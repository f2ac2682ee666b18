"""The `conversation-analytics` command: one file a command, printing what the rooms return."""
