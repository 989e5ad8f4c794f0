"""The counters of a server, for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector

from dyntemp.language.policy import Policy
from dyntemp.methods import METHODS
from dyntemp.serve.request_group import TokenOutput
from dyntemp.serve.worker import Worker

MOST_POLICIES = 20
LONGEST_POLICY = 100
OTHER = "other"

TEMPERATURES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.7, 2.0, 3.0, 5.0)
HOTTEST = 1000.0
"""Temperatures above this, infinity among them, count as this, so that their sum stays a number."""

ENTROPIES = (0.01, 0.03, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0)
SECONDS_TO_FIRST = (0.01, 0.03, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)
SECONDS_PER_TOKEN = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class _Prompts(Collector):
    """The tokens of prompts that the model's thread has read."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The counters as they are now."""
        yield CounterMetricFamily(
            "dyntemp_prompt_tokens_read", "Tokens of prompts that the model read.", value=self._worker.read
        )
        yield CounterMetricFamily(
            "dyntemp_prompt_tokens_abandoned", "Tokens read for requests that ended before their first token.",
            value=self._worker.abandoned,
        )  # fmt: skip


class Metrics:
    """The counters of one server, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._policies: set[str] = set()
        self._requests = Counter(
            "dyntemp_requests", "Requests answered, by endpoint and status; 499 where the client left first.",
            ("endpoint", "status"), registry=registry,
        )  # fmt: skip
        self._read = Counter(
            "dyntemp_prompt_tokens", "Tokens of the prompts of requests that have a first token.", registry=registry
        )
        self._written = Counter("dyntemp_generated_tokens", "Tokens written.", registry=registry)
        self._first = Histogram(
            "dyntemp_time_to_first_token_seconds", "From a request's arrival to its first token, waiting included.",
            buckets=SECONDS_TO_FIRST, registry=registry,
        )  # fmt: skip
        self._between = Histogram(
            "dyntemp_time_per_token_seconds", "Between two steps of a request.", buckets=SECONDS_PER_TOKEN,
            registry=registry,
        )  # fmt: skip
        self._temperature = Histogram(
            "dyntemp_temperature", "Temperatures at which tokens were drawn.", ("policy",), buckets=TEMPERATURES,
            registry=registry,
        )  # fmt: skip
        self._entropy = Histogram(
            "dyntemp_entropy_nats", "Entropy of the model's distribution at temperature 1.", ("policy",),
            buckets=ENTROPIES, registry=registry,
        )  # fmt: skip

    def observe(self, worker: Worker) -> None:
        """Tell of a worker's queue too."""
        gauges: dict[str, tuple[str, Callable[[], int]]] = {
            "dyntemp_requests_open": ("Requests that are not answered yet.", lambda: worker.open),
            "dyntemp_requests_waiting": ("Requests that have no place yet.", lambda: worker.waiting),
            "dyntemp_texts_reading": ("Texts whose prompts are being read.", lambda: worker.reading),
            "dyntemp_texts_running": ("Texts that are being written.", lambda: worker.live),
        }
        for name, (meaning, value) in gauges.items():
            Gauge(name, meaning, registry=self._registry).set_function(value)
        self._registry.register(_Prompts(worker))

    def answered(self, endpoint: str, status: int) -> None:
        """Count a response."""
        self._requests.labels(endpoint, str(status)).inc()

    def watch(self, policies: Sequence[Policy], prompt_tokens: int) -> Callable[[Sequence[TokenOutput]], None]:
        """Count a request that begins now.

        Args:
            policies: One for all of its texts, or one each.
            prompt_tokens: How many tokens its prompts have.

        Returns:
            A function to call with the new tokens of each step.
        """
        labels = [self._label(policy) for policy in policies]
        before, is_first = time.perf_counter(), True

        def see(outputs: Sequence[TokenOutput]) -> None:
            nonlocal before, is_first
            now = time.perf_counter()
            if is_first:
                self._read.inc(prompt_tokens)
            (self._first if is_first else self._between).observe(now - before)
            before, is_first = now, False
            self._written.inc(len(outputs))
            for output in outputs:
                label = labels[output.text if len(labels) > 1 else 0]
                self._temperature.labels(label).observe(min(output.token.temperature, HOTTEST))
                self._entropy.labels(label).observe(output.token.signals["entropy"])

        return see

    def text(self) -> bytes:
        """The counters as Prometheus reads them."""
        return generate_latest(self._registry)

    def _label(self, policy: Policy) -> str:
        """The label of a policy: the name of a published one, else its text, and `other` from the 21st policy on."""
        text = policy.name if policy.name in METHODS else str(policy)
        assert text is not None
        if text not in self._policies:
            if len(text) > LONGEST_POLICY or len(self._policies) >= MOST_POLICIES:
                return OTHER
            self._policies.add(text)
        return text
