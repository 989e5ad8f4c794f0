"""The loop of our own: prompts, requests, sequences, and the next token of each."""
