"""Our own loop: prompts, requests, sequences, and the next token of each."""
