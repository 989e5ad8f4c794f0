"""Tokens for tests of what is shown: rows of probabilities, filtered and tempered by the formulas, no model."""

from math import exp, inf, log

import numpy as np

from dyntemp.distribution.histogram import binned
from dyntemp.traces.token import Alternative, Token


def tempered(p, temperature, kept):
    """The probabilities of a draw: those of `kept` to the power of 1/T, the likeliest alone at T = 0."""
    p = np.where(kept, p, 0.0)
    if temperature <= 1e-6:
        return (np.arange(len(p)) == int(np.argmax(p))).astype(float)
    w = np.zeros(len(p))
    w[p > 0] = np.exp((np.log(p[p > 0]) - np.log(p.max())) / temperature)
    return w / w.sum()


def make(
    weights, temperature=1.0, *, drawn=0, top_k=0, named=10, origin="drawn", position=0, texts=None, support=True,
    request=0, finish=None, **signals,
):  # fmt: skip
    """The token `drawn` of a row with these weights, of which the `top_k` likeliest are kept.

    Args:
        weights: One per token of the vocabulary; 0 is masked.
        temperature: Of the draw.
        drawn: Number of the token.
        top_k: How many the filters keep; 0 keeps all.
        named: How many alternatives the record names.
        origin: How the token came.
        position: Of the token.
        texts: Text of each token, ` a`, ` b`, ... by default.
        support: Whether the record holds that signal.
        request: Number of its prompt.
        finish: Of the token.
        signals: More signals.
    """
    p = np.asarray(weights, float) / np.sum(weights)
    order = np.argsort(-p, kind="stable")
    kept = np.zeros(len(p), bool)
    kept[order[: top_k or len(p)]] = True
    kept &= p > 0
    after = tempered(p, temperature, kept)
    texts = texts or [f" {chr(97 + number % 26)}{number // 26 or ''}" for number in range(len(p))]
    texts = [text if isinstance(text, bytes) else text.encode() for text in texts]
    alternatives = [number for number in order[:named] if p[number] > 0]
    rest = [number for number in range(len(p)) if kept[number] and number not in alternatives]
    positive = p[p > 0]
    measured = {"entropy": float(-(positive * np.log(positive)).sum()), "max_prob": float(p.max()), **signals}
    if support:
        measured["support"] = float(len(positive))
    drawable = after[after > 0]
    return Token(
        request=request, position=position, token=drawn, text=texts[drawn].decode(errors="replace"),
        bytes=texts[drawn], temperature=temperature, signals=measured, probability=float(p[drawn]),
        probability_after=float(after[drawn]), surprisal=-log(p[drawn]) if p[drawn] else inf,
        entropy_after=float(-(drawable * np.log(drawable)).sum()),
        surprisal_after=-log(after[drawn]) if after[drawn] else inf, candidates=int(kept.sum()),
        alternatives=tuple(
            Alternative(int(n), texts[n].decode(errors="backslashreplace"), float(p[n]), float(after[n]))
            for n in alternatives
        ),
        finish=finish, rest=binned(-np.log(p[rest])) if rest else (), origin=origin,
    )  # fmt: skip


def perplexity(token):
    """exp(entropy) of the draw."""
    return exp(token.entropy_after)
