"""Learning: policies learned on tasks, or from texts that are given."""
