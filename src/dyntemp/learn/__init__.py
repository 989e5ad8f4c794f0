"""Policies learned on tasks or from texts, with a frozen model: one line of text, as every other policy."""
