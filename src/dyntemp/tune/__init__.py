"""The choice of a temperature for a model and a task, from the model's own texts."""
