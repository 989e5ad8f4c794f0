"""Tasks: what texts are written to, and how they are scored; `table` has their names."""
