"""The metrics, read with Prometheus' own parser."""

import asyncio
import json

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.serve.models import wandering_model

from dyntemp import generate
from dyntemp.serve.app import make_app
from dyntemp.serve.metrics import LONGEST_POLICY, MOST_POLICIES

TEXT = "/v1/completions"


def counted(asked, *bodies):
    """The metrics after these requests, by name and labels."""

    async def run():
        async with asked(make_app(wandering_model())) as client:
            for path, body in bodies:
                await (client.get(path) if body is None else client.post(path, json=body))
            response = await client.get("/metrics")
            assert response.headers["Content-Type"].startswith("text/plain; version=")
            return response.text

    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(asyncio.run(run())) for sample in family.samples}  # fmt: skip


def test_requests_and_tokens_are_counted(asked):
    found = counted(
        asked, (TEXT, {"prompt": ["abc", "d"], "max_tokens": 5, "n": 2}), (TEXT, {"prompt": "x", "n": 0}),
        (TEXT, {"prompt": "x", "max_tokens": 3, "stream": True}), ("/nowhere/1", None), ("/nowhere/2", None),
        ("/v1/models/fake", None),
    )  # fmt: skip

    def requests(endpoint, status):
        return found["dyntemp_requests_total", (("endpoint", endpoint), ("status", status))]

    assert (2, 1, 2, 1) == (
        requests(TEXT, "200"), requests(TEXT, "400"), requests("other", "404"), requests("/v1/models/{id}", "200"),
    )  # fmt: skip
    assert (5, 23) == (found["dyntemp_prompt_tokens_total", ()], found["dyntemp_generated_tokens_total", ()])
    assert 2 == found["dyntemp_time_to_first_token_seconds_count", ()]
    assert 4 + 2 == found["dyntemp_time_per_token_seconds_count", ()]
    assert (4 + 1, 0) == (found["dyntemp_prompt_tokens_read_total", ()],
                          found["dyntemp_prompt_tokens_abandoned_total", ()])  # fmt: skip
    for name in ("requests_open", "requests_waiting", "texts_reading", "texts_running"):
        assert 0 == found[f"dyntemp_{name}", ()]


def test_temperatures_and_entropies_are_counted_per_policy(asked):
    body = {"prompt": "abc", "max_tokens": 20, "seed": 3}
    tokens = list(generate(wandering_model(), "abc", "0.1 + 0.3*entropy", chat=False, max_tokens=20, seed=3))
    found = counted(asked, (TEXT, {**body, "policy": "0.1+0.3*entropy"}), (TEXT, {**body, "policy": "edt"}))
    own = (("policy", "0.1 + 0.3*entropy"),)

    assert 20 == found["dyntemp_temperature_count", own] == found["dyntemp_temperature_count", (("policy", "edt"),)]
    assert sum(token.temperature for token in tokens) == pytest.approx(found["dyntemp_temperature_sum", own])
    assert sum(token.signals["entropy"] for token in tokens) == pytest.approx(found["dyntemp_entropy_nats_sum", own])
    below = sum(token.temperature <= 1.0 for token in tokens)
    assert 0 < below < 20
    assert below == found["dyntemp_temperature_bucket", (("le", "1.0"), *own)]


def test_the_number_of_policies_is_bounded(asked):
    bodies = [(TEXT, {"prompt": "a", "max_tokens": 1, "policy": f"0.{number}"}) for number in range(1, 40)]
    found = counted(
        asked, (TEXT, {"prompt": "a", "max_tokens": 1, "policy": "1" + " + 0.01" * LONGEST_POLICY}), *bodies
    )
    names = {dict(labels)["policy"] for name, labels in found if name == "dyntemp_temperature_count"}

    assert MOST_POLICIES + 1 == len(names)
    assert "other" in names
    assert all(len(name) <= LONGEST_POLICY for name in names)


def test_an_infinite_temperature_leaves_the_sum_a_number(asked):
    body = {"prompt": "a", "max_tokens": 2, "policy": "temperature_for_entropy(99)"}
    found = counted(asked, (TEXT, body))

    assert 2000.0 == found["dyntemp_temperature_sum", (("policy", "temperature_for_entropy(99)"),)]


def test_health_tells_the_queue(asked):
    async def run():
        async with asked(make_app(wandering_model())) as client:
            return (await client.get("/health")).json(), (await client.get("/ready")).status_code

    health, ready = asyncio.run(run())
    assert 200 == ready
    assert ("ok", "fake", 0, 0, 0) == tuple(health[name] for name in ("status", "model", "open", "waiting", "running"))
    assert json.dumps(health)
