"""The numbers of plots: a text along its tokens, a policy over a signal's values, and several runs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dyntemp.errors import TraceError
from dyntemp.language.policy import Policy
from dyntemp.language.signals import SIGNALS
from dyntemp.show.words import visible
from dyntemp.traces.file import Trace
from dyntemp.traces.replay import Replayed
from dyntemp.traces.replay_trace import replays
from dyntemp.traces.token import Token

Values = NDArray[np.float64]

BINS = 48
"""Number of histogram bins."""

WINDOW = 20
"""Number of positions in a running mean."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Text(NamedTuple):
    """The tokens of one request of a trace.

    Attributes:
        label: The name of the trace's file, and the request where the trace has several.
        trace: The trace.
        request: Number of its prompt.
        tokens: Its tokens, in order.
    """

    label: str
    trace: Trace
    request: int
    tokens: tuple[Token, ...]


class Track(NamedTuple):
    """One text along its tokens; all arrays are [tokens].

    Attributes:
        label: The name of the text.
        policy: The text of the policy with these temperatures.
        pieces: The tokens, with visible white space.
        temperature: The temperature of each token.
        signal: The name of the signal in the second panel.
        values: The signal at each token.
        after: The entropy of each draw in nats.
    """

    label: str
    policy: str
    pieces: tuple[str, ...]
    temperature: Values
    signal: str
    values: Values
    after: Values


class Visited(NamedTuple):
    """The values of a signal in some texts, and a policy's temperatures there.

    Attributes:
        policy: The text of the policy.
        signal: The signal's name.
        edges: Edges of the histogram bins, rising, [bins + 1].
        counts: Tokens in each bin, [bins].
        values: The signal at each token.
        temperature: The policy's temperature at each token.
        curve: Points (values, temperatures) of the policy as a function of the signal; None if the policy reads more
            than this signal.
    """

    policy: str
    signal: str
    edges: Values
    counts: NDArray[np.int64]
    values: Values
    temperature: Values
    curve: tuple[Values, Values] | None


class Run(NamedTuple):
    """One trace among several. Quantiles are at `QUANTILES`; running means are over the last `WINDOW` positions.

    Attributes:
        label: The name of its file.
        policy: The text of its policy.
        texts: Number of requests.
        tokens: Number of tokens.
        temperature: Quantiles of the temperature.
        entropy: Quantiles of the model's entropy, in nats.
        mean_temperature: Mean of the finite temperatures; NaN if there is none.
        mean_entropy: Mean of the entropy.
        running_temperature: Running mean of the temperature at each position, over all texts.
        running_entropy: Running mean of the entropy at each position.
    """

    label: str
    policy: str
    texts: int
    tokens: int
    temperature: Values
    entropy: Values
    mean_temperature: float
    mean_entropy: float
    running_temperature: Values
    running_entropy: Values


def texts_of(traces: Sequence[Trace], request: int | None = None) -> list[Text]:
    """The texts of some traces: all requests of each in order, or only the number `request`.

    Raises:
        TraceError: If a trace is damaged or holds no tokens.
        ValueError: If a trace lacks the request.
    """
    found = []
    for trace in traces:
        tokens = sorted(trace, key=lambda token: token.request)  # a stable sort: positions stay in order
        texts = {number: tuple(group) for number, group in groupby(tokens, key=lambda token: token.request)}
        if not texts:
            raise TraceError(f"{trace.path} holds no tokens: there is nothing to draw")
        if request is not None and request not in texts:
            raise ValueError(f"--request {request} was given; {trace.path} holds {_listed(list(texts))}")
        for number in texts if request is None else [request]:
            label = f"{trace.path.name}, request {number}" if len(texts) > 1 else trace.path.name
            found.append(Text(label, trace, number, texts[number]))
    return found


def track_info(text: Text, signal: str = "entropy", policy: Policy | None = None) -> Track:
    """A text along its tokens, at its own temperatures or at those of another policy for the same tokens.

    Raises:
        ValueError: If the trace lacks the signal.
        PolicyError: If the trace lacks a signal of the policy.
    """
    draws = _draws(text, policy)
    return Track(
        text.label,
        text.trace.header.policy if policy is None else str(policy),
        tuple(_piece(token) for token in text.tokens),
        np.array([draw.temperature for draw in draws]),
        signal,
        _signal(text, signal),
        np.array([draw.entropy_after for draw in draws]),
    )


def visited_info(texts: Sequence[Text], signal: str | None = None, policy: Policy | None = None) -> Visited:
    """The values of a signal in the texts, and the temperatures of a policy there.

    Args:
        texts: Texts of one policy; of any policies if `policy` is given.
        signal: The signal's name; None takes the policy's only signal, or the entropy if it reads several.
        policy: The policy to draw; None takes the texts' own.

    Raises:
        ValueError: If the texts have several policies and `policy` is missing, or a trace lacks the signal.
        PolicyError: If a trace lacks a signal of the policy.
    """
    own = list(dict.fromkeys(text.trace.header.policy for text in texts))
    if policy is None and len(own) > 1:
        raise ValueError(f"the traces are of {len(own)} policies, and one curve is drawn: choose one with --policy")
    shown = Policy(own[0]) if policy is None else policy
    only = str(shown.signals[0]) if len(shown.signals) == 1 else None
    signal = signal or (only if only in texts[0].tokens[0].signals else None) or "entropy"
    values = np.concatenate([_signal(text, signal) for text in texts])
    temperature = np.concatenate([_temperatures(text, policy) for text in texts])
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    counts, edges = np.histogram(finite, BINS, (low, high) if high > low else (low - 0.5, high + 0.5))
    curve = None
    if signal == only and not shown.remembers and not shown.parameters:
        inside = np.linspace(low, high, 4 * BINS + 1)
        curve = (inside, np.asarray(shown.step({signal: inside})))
    return Visited(str(shown), signal, edges, counts.astype(np.int64), values, temperature, curve)


def runs_info(texts: Sequence[Text]) -> list[Run]:
    """A `Run` for each trace of the texts, in their order."""
    groups: dict[str, list[Text]] = {}
    for text in texts:
        groups.setdefault(str(text.trace.path), []).append(text)
    names = [group[0].trace.path.name for group in groups.values()]
    return [
        _run(group, group[0].trace.path.name if names.count(group[0].trace.path.name) == 1 else path)
        for path, group in groups.items()
    ]


def running_mean(texts: Sequence[Values], window: int = WINDOW) -> Values:
    """The mean of all texts' finite values at each position and the `window - 1` positions before it.

    >>> running_mean([np.array([1.0, 3.0, 5.0]), np.array([2.0])], window=2).tolist()
    [1.5, 2.0, 4.0]
    """
    length = max(len(text) for text in texts)
    total, count = np.zeros(length + 1), np.zeros(length + 1)
    for text in texts:
        finite = np.isfinite(text)
        total[1 : len(text) + 1] += np.where(finite, text, 0.0)
        count[1 : len(text) + 1] += finite
    total, count = np.cumsum(total), np.cumsum(count)
    first = np.maximum(np.arange(1, length + 1) - window, 0)
    inside = count[1:] - count[first]
    return np.divide(total[1:] - total[first], inside, out=np.full(length, np.nan), where=inside > 0)


def quantiles(values: Values) -> Values:
    """The quantiles at `QUANTILES`. Each is one of the values, so that infinite ones stay exact."""
    return np.asarray(np.quantile(values, QUANTILES, method="inverted_cdf"))


def with_unit(signal: str) -> str:
    """A signal's name with its unit.

    >>> with_unit("entropy"), with_unit("quantile(0.9)")
    ('entropy (nats)', 'quantile(0.9) (probability)')
    """
    record = SIGNALS.get(signal.partition("(")[0])
    return signal if record is None or record.name == "given" else f"{signal} ({record.unit.replace('^2', '²')})"


def _run(texts: list[Text], label: str) -> Run:
    temperature = [_temperatures(text, None) for text in texts]
    entropy = [_signal(text, "entropy") for text in texts]
    every, unsure = np.concatenate(temperature), np.concatenate(entropy)
    finite = every[np.isfinite(every)]
    return Run(
        label,
        texts[0].trace.header.policy,
        len(texts),
        len(every),
        quantiles(every),
        quantiles(unsure),
        float(finite.mean()) if len(finite) else float("nan"),
        float(unsure.mean()),
        running_mean(temperature),
        running_mean(entropy),
    )


def _temperatures(text: Text, policy: Policy | None) -> Values:
    return np.array([draw.temperature for draw in _draws(text, policy)])


def _draws(text: Text, policy: Policy | None) -> Sequence[Token | Replayed]:
    """The draw of each token, under its own policy or another one."""
    return text.tokens if policy is None else replays(text.trace.header, text.tokens, policy)


def _signal(text: Text, name: str) -> Values:
    held = text.tokens[0].signals
    if name not in held:
        raise ValueError(f"{text.trace.path} does not hold the signal {name!r}; it holds {', '.join(sorted(held))}")
    return np.array([token.signals.get(name, np.nan) for token in text.tokens])


def _piece(token: Token) -> str:
    return visible(token.bytes.decode(errors="replace")) if token.bytes else ""


def _listed(numbers: list[int]) -> str:
    """A list of requests as text, such as `requests 0, 1, 2`; a long list is shortened."""
    if len(numbers) == 1:
        return f"request {numbers[0]}"
    shown = ", ".join(map(str, numbers)) if len(numbers) <= 8 else f"{numbers[0]} to {numbers[-1]}"
    return f"requests {shown}"
