"""Tokens of rows of logits, with curves that are not rounded."""

import numpy as np

from dyntemp.distribution.draw_curve import DrawCurves, draw_curve
from dyntemp.learn.tokens import Tokens


def log_softmax(row, t):
    """ln of the probabilities of a row at a temperature."""
    z = row / t - (row / t).max()
    return z - np.log(np.exp(z).sum())


def entropy_of(row, t=1.0):
    """The entropy of a row at a temperature, nats."""
    log_p = log_softmax(row, t)
    return float(-(np.exp(log_p) * log_p).sum())


def tokens_of(rows, drawn, lengths):
    """The tokens of texts: their rows one text after another, [tokens, vocabulary], and the token drawn from each."""
    curves = [draw_curve(row, row[token]) for row, token in zip(rows, drawn, strict=True)]
    signals = {
        "entropy": [entropy_of(row) for row in rows],
        "max_prob": [float(np.exp(log_softmax(row, 1.0)).max()) for row in rows],
    }
    return Tokens(
        signals={name: np.array(values) for name, values in signals.items()},
        curves=DrawCurves(np.array([value for value, _ in curves]), np.array([totals for _, totals in curves])),
        text=np.repeat(np.arange(len(lengths)), lengths),
        position=np.concatenate([np.arange(length) for length in lengths]),
        surprisal=np.array([-log_softmax(row, 1.0)[token] for row, token in zip(rows, drawn, strict=True)]),
    )
