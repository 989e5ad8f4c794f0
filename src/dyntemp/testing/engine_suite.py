"""A suite of tests that every adapter to a host passes.

    class TestMyAdapter(EngineSuite):
        def make_host(self):
            return MyHost()          # a `FakeHost` that calls the adapter as the host does

The suite needs pytest.
"""

from __future__ import annotations

from abc import abstractmethod
from math import inf

import numpy as np

from dyntemp.sampling import as_policy, temperatures
from dyntemp.testing.checks import check, check_row, refuses, some_rows
from dyntemp.testing.fake_host import Asked, FakeHost
from dyntemp.testing.zone_suite import ZoneSuite


class EngineSuite(ZoneSuite):
    """Tests that every adapter passes; see the module's description."""

    @abstractmethod
    def make_host(self) -> FakeHost:
        """A host without running requests."""

    def test_the_same_row_has_the_same_temperature_as_in_the_reference(self) -> None:
        """For a thousand rows."""
        for policy in (
            "0.1 + 0.8*entropy",
            "0.5 - 0.4*max_prob",
            "clip(0.2 + 2*margin + quantile(0.9), 0.05, 2)",
            "0.7",
        ):
            host = self.make_host()
            rows = some_rows(250, host.vocabulary)
            running = host.begin([Asked(policy)] * min(host.batch, 5))
            for start in range(0, len(rows), len(running)):
                given = dict(zip(running, rows[start : start + len(running)], strict=True))
                check(given, host.step(given), dict.fromkeys(running, policy))
                host.draw(dict.fromkeys(running, 1))

    def test_masked_entries_stay_masked_and_count_nowhere(self) -> None:
        """At -inf, and at the lowest number of the dtype."""
        host = self.make_host()
        (request,) = host.begin([Asked("0.1 + normalized_entropy")])
        for blocked in (-inf, float(np.finfo(np.float32).min)):
            row = some_rows(1, host.vocabulary)[0]
            row[::3] = blocked
            found = host.step({request: row})[request]
            check({request: row}, {request: found}, {request: "0.1 + normalized_entropy"})
            assert np.all(found[::3] <= np.finfo(np.float32).min / 2)
            host.draw({request: 1})

    def test_a_batch_is_as_its_rows_alone(self) -> None:
        """For any rows beside it."""
        policy = "0.3 + 0.7*normalized_entropy**0.5"
        host = self.make_host()
        rows = some_rows(min(host.batch, 6), host.vocabulary, seed=1)
        running = host.begin([Asked(policy)] * len(rows))
        together = host.step(dict(zip(running, rows, strict=True)))
        for request, row in zip(running, rows, strict=True):
            alone = self.make_host()
            (only,) = alone.begin([Asked(policy)])
            np.testing.assert_allclose(together[request], alone.step({only: row})[only], rtol=1e-6)

    def test_what_is_remembered_follows_its_request(self) -> None:
        """After reordering, and when positions are run again."""
        policy = "0.2 + ema(entropy, 0.5)/5 + integral(0.1*max_prob, 0, 1)"
        host = self.make_host()
        if not host.capabilities.remembers:
            refuses(host, policy)
            return
        running = host.begin([Asked(policy, prompt=2 + number) for number in range(min(host.batch, 4))]
                             if host.mixes else [Asked(policy)] * min(host.batch, 4))  # fmt: skip
        memory = as_policy(policy).state(slots=len(running))
        for position in range(6):
            rows = some_rows(len(running), host.vocabulary, seed=position)
            given = dict(zip(running, rows, strict=True))
            expected = temperatures(rows, policy, state=memory, position=position, backend="reference")
            for _ in range(1 + position % 2):
                found = host.step(given)
                for request, t in zip(running, expected, strict=True):
                    check_row(given[request], found[request], float(t))
                host.rearrange()
            host.draw(dict.fromkeys(running, 1))
        assert host.counts.as_dict()["restarts"] == 0

    def test_surprisal_is_that_of_the_token_drawn_before(self) -> None:
        """If the adapter knows it in time."""
        policy = "0.5 + surprisal/20"
        host = self.make_host()
        if not host.capabilities.surprisal:
            refuses(host, policy)
            return
        running = host.begin([Asked(policy)] * min(host.batch, 3))
        before = None
        for position in range(4):
            rows = some_rows(len(running), host.vocabulary, seed=position)
            given = dict(zip(running, rows, strict=True))
            found = host.step(given)
            for number, request in enumerate(running):
                row = rows[number] if before is None else before[number]
                ln_p = row - np.logaddexp.reduce(row.astype(np.float64))
                surprisal = -float(ln_p[number + 5]) if before is not None else -float(np.exp(ln_p) @ ln_p)
                check_row(given[request], found[request], 0.5 + min(surprisal, 50.0) / 20)
            host.draw({request: number + 5 for number, request in enumerate(running)})
            before = rows

    def test_temperature_zero_leaves_the_likeliest(self) -> None:
        """The lowest index among equals."""
        host = self.make_host()
        (request,) = host.begin([Asked("where(max_prob < 0.9, 0, 0.7)")])
        row = np.zeros(host.vocabulary, np.float32)
        row[[40, 7]] = 3
        found = host.step({request: row})[request]

        assert np.flatnonzero(found > np.finfo(np.float32).min / 2).tolist() == [7]

    def test_an_infinite_temperature_makes_all_alike(self) -> None:
        """For all unmasked tokens."""
        host = self.make_host()
        (request,) = host.begin([Asked("1/(1 - max_prob*0) + where(max_prob > 0, 1/(0*entropy), 0)")])
        row = some_rows(1, host.vocabulary)[0]
        row[5] = -inf
        found = host.step({request: row})[request]

        assert found[5] == -inf
        assert len(np.unique(np.delete(found, 5))) == 1

    def test_a_greedy_request_is_left_alone(self) -> None:
        """To the bit, and counted."""
        host = self.make_host()
        if not host.tells_requested:
            return
        (request,) = host.begin([Asked("0.1 + entropy", requested=0.0)])
        row = some_rows(1, host.vocabulary)[0]
        found = host.step({request: row})[request]

        assert found.tobytes() == row.tobytes()
        assert host.counts.as_dict()["changed"] == 0

    def test_a_request_without_a_policy_is_left_alone(self) -> None:
        """Beside a request with a policy."""
        host = self.make_host()
        if not host.mixes:
            return
        mine, other = host.begin([Asked("0.1 + entropy"), Asked(None)])
        rows = some_rows(2, host.vocabulary)
        found = host.step({mine: rows[0], other: rows[1]})

        check({mine: rows[0]}, {mine: found[mine]}, {mine: "0.1 + entropy"})
        assert found[other].tobytes() == rows[1].tobytes()

    def test_the_policy_decides_whatever_temperature_was_requested(self) -> None:
        """And `requested` reads it."""
        host = self.make_host()
        if not host.tells_requested:
            return
        for requested in (0.5, 1.0, 1.7):
            for policy, t in (("0.1 + 0.8*max_prob", None), ("0.5*requested", 0.5 * requested)):
                (request,) = host.begin([Asked(policy, requested=requested)])
                given = {request: some_rows(1, host.vocabulary)[0]}
                found = host.step(given)
                expected = t or float(temperatures(given[request], policy, backend="reference"))
                check_row(given[request], found[request], expected)
                host.finish(request)

    def test_requests_keep_apart(self) -> None:
        """Policies, and memory in a slot that another request had before."""
        host = self.make_host()
        if not (host.mixes and host.joins):
            return
        policies = ["0.3 + prev(entropy)/9", "0.5 - 0.4*max_prob", "0.2 + ema(entropy, 0.5)/9", "0.9"]
        if not host.capabilities.remembers:
            policies = ["0.3 + entropy/9", "0.5 - 0.4*max_prob", "0.9"]
        policies = policies[: host.batch]
        running = dict(zip(host.begin([Asked(policy) for policy in policies]), policies, strict=True))
        memories = {request: as_policy(policy).state() for request, policy in running.items()}
        positions = dict.fromkeys(running, 0)
        for turn in range(6):
            rows = dict(zip(running, some_rows(len(running), host.vocabulary, seed=turn), strict=True))
            found = host.step(rows)
            for request, policy in running.items():
                expected = temperatures(rows[request], policy, state=memories[request], position=positions[request],
                                        backend="reference")  # fmt: skip
                check_row(rows[request], found[request], float(expected))
                positions[request] += 1
            host.draw(dict.fromkeys(running, 1))
            first = next(iter(running))
            policy = running.pop(first)
            host.finish(first)
            (new,) = host.begin([Asked(policy)])  # the slot of the other one
            running[new], memories[new], positions[new] = policy, as_policy(policy).state(), 0

    def test_broken_rows_are_left_alone_and_counted(self) -> None:
        """NaN, +inf and nothing unmasked, beside intact rows."""
        host = self.make_host()
        rows = some_rows(4, host.vocabulary)
        rows[0, 3], rows[1, 5], rows[2] = np.nan, inf, -inf
        if host.batch < 4:
            for row in rows[:3]:
                alone = self.make_host()
                (request,) = alone.begin([Asked("0.1 + entropy")])
                np.testing.assert_array_equal(alone.step({request: row})[request], row)
                assert alone.counts.as_dict()["broken"] == 1
            return
        running = host.begin([Asked("0.1 + entropy")] * len(rows))
        given = dict(zip(running, rows, strict=True))
        found = host.step(given)

        for request in running[:3]:
            np.testing.assert_array_equal(found[request], given[request])
        check({running[3]: rows[3]}, {running[3]: found[running[3]]}, {running[3]: "0.1 + entropy"})
        assert host.counts.as_dict()["broken"] == 3

    def test_no_row_becomes_nan(self) -> None:
        """For extreme rows whose largest logit is finite."""
        n = self.make_host().vocabulary
        for row in (
            np.zeros(n),
            np.r_[0.0, np.full(n - 1, -inf)],
            np.r_[3e38, np.zeros(n - 1)],
            np.linspace(-1e30, 1e30, n),
        ):
            host = self.make_host()
            (request,) = host.begin([Asked("0.01 + 2*normalized_entropy")])
            assert not np.isnan(host.step({request: row.astype(np.float32)})[request]).any()

    def test_calls_are_counted(self) -> None:
        """In the counts that the user reads."""
        host = self.make_host()
        running = host.begin([Asked("0.1 + entropy")] * min(host.batch, 2))
        for turn in range(3):
            host.step(dict(zip(running, some_rows(len(running), host.vocabulary, seed=turn), strict=True)))
            host.draw(dict.fromkeys(running, 1))
        counts = host.counts.as_dict()

        assert counts["seen"] == counts["changed"] == 3 * len(running)

    def test_what_cannot_be_done_is_refused_with_the_reason(self) -> None:
        """Before anything runs."""
        refuses(self.make_host(), "a + b*entropy", "bind")
        refuses(self.make_host(), "0.3 - 0.4*max_prob", "max_prob")
        refuses(self.make_host(), "0.1 + entropi", "did you mean")
        if not self.make_host().capabilities.given:
            refuses(self.make_host(), "given('kl', 0, 2)", "given")
