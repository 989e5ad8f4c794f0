"""Formulas over one row of logits, in NumPy alone."""
