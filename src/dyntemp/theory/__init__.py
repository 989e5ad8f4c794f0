"""Theory: what can be said for certain about a policy. Each claim is a function that returns a verdict."""
