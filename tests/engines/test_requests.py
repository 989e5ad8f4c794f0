"""The contract of adapters, by the suite that they pass, and what it does with rows of a device."""

from dataclasses import replace

import numpy as np
import pytest

from dyntemp import InvalidLogitsError, PolicyError, temperatures
from dyntemp.engines import Batch, Capabilities, Counts, EngineError, Requests
from dyntemp.testing import EngineSuite, FakeHost
from dyntemp.testing.checks import check_row
from dyntemp.testing.spelling import OWN_ZONE, spelled

ALL = Capabilities(
    engine="direct", form="none", run_with="-", after="-", before="-", neutral="-", batch=True, per_request="yes",
    speculation="ok", remembers=True, surprisal=True, given=True, zones=True, requested=True, greedy="left alone",
    preemption="-", draws="host", counts="-",
)  # fmt: skip


class Direct(FakeHost):
    """A host that needs no adapter: it calls `Requests` itself."""

    adapter = "direct"
    capabilities = ALL

    def __init__(self, divided, library=np.asarray):
        self.divided = divided
        self.requests = Requests(ALL, divided=divided, tokenizer=spelled, zones=OWN_ZONE)
        self.library = library
        self.running, self.asked, self.texts = [], {}, {}

    def begin(self, asked):
        numbers = []
        for one in asked:
            number = next(n for n in range(100) if n not in self.running)
            prompt = one.prompt_of(-1)
            if one.policy is not None:
                self.requests.begin(number, one.policy, requested=one.requested, prompt=len(prompt))
            self.running.append(number)
            self.asked[number], self.texts[number] = one, prompt
            numbers.append(number)
        return numbers

    def step(self, rows):
        t = np.array([self.asked[number].requested or 1.0 for number in self.running], np.float32)[:, None]
        given = np.stack([rows[number] for number in self.running])
        logits = self.library(given / t if self.divided == "before" else given.copy())
        texts = [self.texts[number] for number in self.running]
        batch = Batch(logits, list(self.running), list(map(len, texts)), drawn=[text[-1] for text in texts],
                      text=texts.__getitem__)  # fmt: skip
        found = np.asarray(self.requests.scale(batch, out=logits))
        found = found / t if self.divided == "after" else found
        return dict(zip(self.running, found, strict=True))

    def draw(self, tokens):
        for number, token in tokens.items():
            self.texts[number].append(token)

    def take_back(self, count):
        for text in self.texts.values():
            del text[-count:]
        return True

    def finish(self, request):
        self.requests.end(request)
        self.running.remove(request)

    def rearrange(self):
        self.running.reverse()

    @property
    def counts(self):
        return self.requests.counts


class TestNever(EngineSuite):
    def make_host(self):
        host = Direct("never")
        host.tells_requested = False
        return host


class TestBefore(EngineSuite):
    def make_host(self):
        return Direct("before")


class TestAfter(EngineSuite):
    def make_host(self):
        return Direct("after")


class TestTensors(EngineSuite):
    def make_host(self):
        return Direct("after", pytest.importorskip("torch").from_numpy)


def rows_of(count, n=300, seed=0):
    return np.random.default_rng(seed).normal(0, 3, (count, n)).astype(np.float32)


def expected(row, policy, **context):
    return float(temperatures(row, policy, backend="reference", **context))


class TestWhatIsLeftAlone:
    def test_rows_that_are_not_live_and_those_inside_a_prompt(self):
        requests, rows = Requests(ALL), rows_of(4)
        for slot in range(4):
            requests.begin(slot, "0.1 + prev(entropy)", prompt=5)
        found = requests.temperatures(Batch(rows, position=[5, 4, 5, 2], live=[True, True, False, True]))

        assert np.isnan(found).tolist() == [False, True, True, True]
        assert found[0] == pytest.approx(expected(rows[0], "0.1 + entropy"), rel=1e-5)
        assert requests.counts.as_dict() == {
            "calls": 1, "seen": 4, "changed": 1, "greedy": 0, "declined": 3, "broken": 0, "restarts": 0,
        }  # fmt: skip
        again = requests.temperatures(Batch(rows_of(4, seed=1), position=6))

        assert again[0] == pytest.approx(expected(rows[0], "0.1 + entropy"), rel=1e-5)  # of the position before
        assert requests.counts.as_dict()["restarts"] == 3  # the others had none there

    def test_a_slot_that_nobody_began(self):
        requests, rows = Requests(ALL), rows_of(2)
        requests.begin(7, "prev(entropy)")

        assert np.isnan(requests.temperatures(Batch(rows, slot=[3, 7]))).tolist() == [True, False]
        requests.end(7)
        assert np.isnan(requests.temperatures(Batch(rows, slot=[3, 7]))).all()

    def test_broken_rows_are_warned_of_once(self, caplog):
        requests, rows = Requests(ALL), rows_of(3)
        rows[1, 5] = np.nan
        for slot in range(3):
            requests.begin(slot, "0.1 + entropy")
        for _ in range(2):
            assert np.isnan(requests.temperatures(Batch(rows))).tolist() == [False, True, False]

        assert [record.message.count("broken") for record in caplog.records if "handed over" in record.message] == [1]
        assert requests.counts.as_dict()["broken"] == 2
        assert requests.counts.as_dict()["changed"] == 4

    def test_an_error_that_is_not_of_one_row_comes_through(self):
        requests = Requests(ALL)
        requests.begin(0, "0.1 + entropy")
        with pytest.raises(InvalidLogitsError, match="int64"):
            requests.temperatures(Batch(np.zeros((1, 4), np.int64)))


class TestSlotsThatAreUsedAgain:
    def test_a_new_request_brings_its_own_policy(self):
        requests, rows = Requests(ALL), rows_of(1)
        for policy in ("0.3", "0.4"):
            requests.begin(0, policy)

            assert requests.temperatures(Batch(rows)).tolist() == [float(policy)]

    def test_a_request_that_the_host_puts_back_begins_afresh(self):
        """It begins at the position that it had reached, where memory of another request, or its own, may still lie."""
        requests, rows = Requests(ALL), rows_of(3)
        requests.begin(0, "prev(entropy)", prompt=2)
        for position in (2, 3, 4):
            requests.temperatures(Batch(rows[position - 2 :][:1], position=position))
        requests.end(0)
        requests.begin(0, "prev(entropy)", prompt=2)
        found = requests.temperatures(Batch(rows[:1], position=5))

        assert found[0] == pytest.approx(expected(rows[0], "entropy"), rel=1e-5)
        assert requests.counts.as_dict()["restarts"] == 1

    def test_surprisal_needs_the_row_of_the_position_before(self):
        """A jump of two positions, as after a draft that was cut: the row that was kept is not the one before."""
        requests, rows = Requests(ALL), rows_of(2)
        requests.begin(0, "0.1 + surprisal")
        requests.temperatures(Batch(rows[:1], position=0))
        found = requests.temperatures(Batch(rows[1:], position=2, drawn=[7]))

        assert found[0] == pytest.approx(0.1 + expected(rows[1], "entropy"), rel=1e-5)
        assert requests.counts.as_dict()["restarts"] == 1


class TestDraftsThatAreRejected:
    def test_surprisal_is_that_of_the_token_that_came_instead(self):
        """Positions 1 and 2 are run with drafts, then 1 again and 2 with another token."""
        requests, rows = Requests(ALL), rows_of(3)
        requests.begin(0, "0.1 + surprisal")
        for position, token in ((0, -1), (1, 4), (2, 5), (1, 4), (2, 9)):
            found = requests.temperatures(Batch(rows[position:][:1], position=position, drawn=[token]))
        ln_p = rows[1] - np.logaddexp.reduce(rows[1].astype(np.float64))

        assert found[0] == pytest.approx(0.1 - ln_p[9], rel=1e-5)
        assert requests.counts.as_dict()["restarts"] == 0

    def test_however_many_requests_share_the_rows_that_are_kept(self):
        requests, rows = Requests(ALL), rows_of(4)
        for slot in range(40):
            requests.begin(slot, "0.1 + surprisal")
        for position, token in ((0, -1), (1, 4), (2, 5), (3, 6), (1, 4), (2, 9)):
            found = requests.temperatures(Batch(rows[position:][:1], position=position, drawn=[token]))
        ln_p = rows[1] - np.logaddexp.reduce(rows[1].astype(np.float64))

        assert found[0] == pytest.approx(0.1 - ln_p[9], rel=1e-5)

    def test_it_is_unknown_after_a_broken_row(self):
        requests, rows = Requests(ALL), rows_of(2)
        rows[0, 5] = np.inf
        requests.begin(0, "0.1 + surprisal")
        requests.temperatures(Batch(rows[:1], position=0))
        found = requests.temperatures(Batch(rows[1:], position=1, drawn=[5]))

        assert found[0] == pytest.approx(0.1 + expected(rows[1], "entropy"), rel=1e-5)

    def test_it_is_unknown_where_no_row_was_kept(self):
        """It is not that of a rejected draft."""
        requests, rows = Requests(ALL), rows_of(3)
        requests.begin(0, "0.1 + surprisal")
        for position in range(80):
            requests.temperatures(Batch(rows[:1], position=position, drawn=[3]))
        found = requests.temperatures(Batch(rows[1:2], position=2, drawn=[9]))

        assert found[0] == pytest.approx(0.1 + expected(rows[1], "entropy"), rel=1e-5)

    def test_it_is_that_at_temperature_one(self):
        """The host has divided the rows before."""
        rows = rows_of(2)
        requests = Requests(ALL, divided="before")
        requests.begin(0, "0.1 + surprisal", requested=0.5)
        requests.temperatures(Batch(rows[:1] / 0.5, position=0))
        found = requests.temperatures(Batch(rows[1:] / 0.5, position=1, drawn=[4]))
        ln_p = rows[0] - np.logaddexp.reduce(rows[0].astype(np.float64))

        assert found[0] == pytest.approx(0.1 - ln_p[4], rel=1e-5)

    def test_counts_go_on_in_the_requests_that_come_next(self):
        counts = Counts()
        for _ in range(2):
            requests = Requests(ALL, counts=counts)
            requests.begin(0, "prev(entropy)")
            requests.temperatures(Batch(rows_of(1), position=4))
            requests.temperatures(Batch(rows_of(1), position=5))

        assert (counts.seen, counts.restarts) == (4, 2)


class TestWhatIsShown:
    def test_each_step_is_recorded(self):
        steps, rows = [], rows_of(2)
        requests = Requests(ALL, record=steps.append)
        requests.begin(0, "0.1 + entropy", prompt=3)
        requests.begin(1, "max_prob", prompt=2, requested=0)
        requests.scale(Batch(rows, position=[4, 4]))
        (step,) = steps

        assert step.slot.tolist() == [0, 1]
        assert step.position.tolist() == [1, 2]
        assert step.signals["entropy"][0] == pytest.approx(step.temperature[0] - 0.1)
        assert np.isnan(step.temperature[1])
        assert requests.counts.as_dict() == {
            "calls": 1, "seen": 2, "changed": 1, "greedy": 1, "declined": 0, "broken": 0, "restarts": 0,
        }  # fmt: skip

    def test_given_is_read_at_every_step(self):
        known = {"kl": 0.25}
        requests = Requests(ALL, given=known)
        requests.begin(0, "1 - given('kl', 0, 1)")

        assert requests.temperatures(Batch(rows_of(1))).tolist() == [0.75]
        known["kl"] = 0.5
        assert requests.temperatures(Batch(rows_of(1))).tolist() == [0.5]

    def test_lists_of_given_are_read_by_position(self):
        requests = Requests(ALL, given={"kl": [0.25, 0.5, 0.75]})
        requests.begin(0, "given('kl', 0, 1)", prompt=3)
        requests.begin(1, "given('kl', 0, 1) + 1", prompt=4)
        found = [requests.temperatures(Batch(rows_of(2), position=position)).tolist() for position in range(4, 8)]

        assert found == [[0.5, 1.25], [0.75, 1.5], [0.25, 1.75], [0.5, 1.25]]

    def test_requests_bring_numbers_of_their_own(self):
        requests = Requests(ALL, given={"kl": 0.25})
        requests.begin(0, "given('kl', 0, 1)")
        requests.begin(1, "given('kl', 0, 1)", given={"kl": [0.5, 0.75]})
        requests.begin(2, "1 + given('t', 3, 9)", given={"t": 4})
        requests.begin(3, "1 + given('kl', 0, 20)", given={"kl": [15]})
        requests.begin(4, "0.3")
        rows = rows_of(5)

        assert requests.temperatures(Batch(rows, position=1)).tolist() == [0.25, 0.75, 5, 16, 0.3]
        assert requests.temperatures(Batch(rows, position=2)).tolist() == [0.25, 0.5, 5, 16, 0.3]
        rows[1] = np.nan  # the intact rows are measured by themselves
        found = requests.temperatures(Batch(rows, position=3))
        np.testing.assert_array_equal(found, [0.25, np.nan, 5, 16, 0.3])
        requests.end(1)
        requests.begin(1, "given('kl', 0, 1)")
        assert requests.temperatures(Batch(rows_of(5), position=1)).tolist() == [0.25, 0.25, 5, 16, 0.3]

    def test_lists_outside_the_range_are_refused_before_a_row_comes(self):
        with pytest.raises(PolicyError, match="outside its range"):
            Requests(ALL, given={"kl": [0.5, 2]}).accept("given('kl', 0, 1)")
        with pytest.raises(PolicyError, match="outside its range"):
            Requests(ALL).begin(0, "given('kl', 0, 1)", given={"kl": [0.5, 2]})


class TestWhatIsRefused:
    def test_what_the_host_lacks(self):
        without = replace(ALL, remembers=False, surprisal=False, given=False, requested=False, limits="it forgets")
        for policy, reason in (
            ("prev(entropy)", "it forgets"), ("0.1 + surprisal", "surprisal"), ("given('x', 0, 1)", "it forgets"),
            ("0.5*requested", "the request's own temperature"),
        ):  # fmt: skip
            with pytest.raises(EngineError, match=reason):
                Requests(without).begin(0, policy)

    def test_more_memory_than_a_request_may_have(self):
        many = " + ".join(f"prev({number}*entropy)" for number in range(2, 70))
        with pytest.raises(EngineError, match="keeps 69 numbers per token; 64 are allowed"):
            Requests(ALL).begin(0, many)

    @pytest.mark.parametrize("slots", [[0], [0, 1, 2]])
    def test_slots_that_are_not_those_of_the_rows(self, slots):
        requests, rows = Requests(ALL), rows_of(2)
        requests.begin(7, "0.1 + entropy")
        with pytest.raises(EngineError, match="were given for 2 rows"):
            requests.scale(Batch(rows, slots))


class TestLogProbabilities:
    def test_they_come_back_normalised(self):
        requests = Requests(ALL)
        requests.begin(0, "0.1 + entropy")
        row = rows_of(1)
        ln_p = row - np.logaddexp.reduce(row, axis=-1, keepdims=True)
        found = requests.scale(Batch(ln_p, slot=[0], space="log-probabilities"), out=ln_p)

        assert found is ln_p
        assert np.logaddexp.reduce(found[0].astype(np.float64)) == pytest.approx(0, abs=1e-6)
        check_row(row[0], found[0], expected(row[0], "0.1 + entropy"))

    @pytest.mark.torch
    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
    def test_in_tensors_they_keep_their_dtype(self, dtype):
        torch = pytest.importorskip("torch")
        requests = Requests(ALL)
        requests.begin(0, "0.1 + entropy")
        given = torch.from_numpy(rows_of(2)).log_softmax(-1).to(getattr(torch, dtype))
        found = requests.scale(Batch(given, slot=[0, 1], space="log-probabilities"))

        assert found.dtype == given.dtype
        assert found[0].double().logsumexp(-1).item() == pytest.approx(0, abs=0.02 if dtype == "bfloat16" else 3e-3)
        assert torch.equal(found[1], given[1])

    def test_rows_left_alone_stay_as_they_are(self):
        row = rows_of(1)

        assert Requests(ALL).scale(Batch(row, space="log-probabilities")).tobytes() == row.tobytes()


@pytest.mark.torch
class TestSlotsThatOnlyADeviceKnows:
    """A host may expand its rows for draft tokens on the device; here the device is the CPU."""

    def test_each_row_has_the_policy_of_its_slot(self):
        torch = pytest.importorskip("torch")
        requests, rows = Requests(ALL, divided="after", backend="torch"), rows_of(8)
        requests.begin(0, "0.1 + entropy", prompt=2)
        requests.begin(2, "0.5*requested + 0.01*position", requested=0.8, prompt=3)
        requests.begin(4, "0.7", requested=0.0)
        slots = torch.tensor([2, 0, 2, 4, 9, 1, 0, 0])
        live = torch.arange(8) != 7
        batch = Batch(torch.from_numpy(rows), slots, position=torch.tensor([3, 2, 4, 8, 8, 8, 1, 5]), live=live)
        found = requests.scale(batch).numpy()

        check_row(rows[0], found[0] / 0.8, 0.4)  # the host divides by what was requested
        check_row(rows[1], found[1], expected(rows[1], "0.1 + entropy"))
        check_row(rows[2], found[2] / 0.8, 0.41)
        assert found[3:].tobytes() == rows[3:].tobytes()
        assert requests.counts.as_dict() == {
            "calls": 1, "seen": 8, "changed": 3, "greedy": 1, "declined": 4, "broken": 0, "restarts": 0,
        }  # fmt: skip

    def test_a_row_of_no_slot_has_no_policy(self):
        torch = pytest.importorskip("torch")
        requests = Requests(ALL, backend="torch")
        for slot in range(3):
            requests.begin(slot, "0.5")
        found = requests.temperatures(Batch(torch.zeros(3, 5), torch.tensor([-1, -2, 3]), torch.tensor([0, 0, 0])))

        assert np.isnan(found).all()

    def test_without_a_backend_named_and_with_broken_rows(self):
        """Here the device is the CPU."""
        torch = pytest.importorskip("torch")
        requests, rows = Requests(ALL), rows_of(3)
        rows[1, 4] = np.nan
        requests.begin(0, "0.1 + entropy")
        requests.begin(1, "prev(entropy)", requested=0.0)  # greedy: its policy is not asked
        batch = Batch(torch.from_numpy(rows), torch.tensor([0, 0, 1]), position=torch.tensor([0, 1, 0]))
        found = requests.scale(batch).numpy()

        check_row(rows[0], found[0], expected(rows[0], "0.1 + entropy"))
        np.testing.assert_array_equal(found[1:], rows[1:])
        assert requests.counts.as_dict() == {
            "calls": 1, "seen": 3, "changed": 1, "greedy": 1, "declined": 0, "broken": 1, "restarts": 0,
        }  # fmt: skip

    @pytest.mark.parametrize("policy", ["prev(entropy)", "inside('think')"])
    def test_a_policy_that_reads_more_than_its_row_is_refused(self, policy):
        torch = pytest.importorskip("torch")
        requests = Requests(ALL, tokenizer=spelled)
        requests.begin(0, policy)
        with pytest.raises(EngineError, match="reads more than its row"):
            requests.temperatures(Batch(torch.zeros(1, 5), torch.tensor([0]), position=torch.tensor([1])))
