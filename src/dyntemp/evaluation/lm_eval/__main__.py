"""`python -m dyntemp.evaluation.lm_eval`: the command `lm_eval` with our models."""

from importlib import import_module

from dyntemp.evaluation.lm_eval import register

if __name__ == "__main__":
    register()
    import_module("lm_eval.__main__").cli_evaluate()
