"""Evaluation: policies on tasks that can be scored, beside controls, with one verdict."""
