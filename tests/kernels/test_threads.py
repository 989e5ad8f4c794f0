"""Threads that share the rows of a call: equal results for any number of them, and nothing left behind."""

import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from dyntemp import InvalidLogitsError, Policy, generate, measure, sample, scale, temperatures
from dyntemp.distribution.filter_table import FILTERS
from dyntemp.kernels.cpu import backend, threads
from dyntemp.kernels.cpu.entry_points import wait_for_rows
from dyntemp.kernels.cpu.threads import LEAST, MOST, VARIABLE, threads_of, together
from dyntemp.testing import FakeModel

ROWS, ENTRIES = 9, 2_500
NUMBERS = (1, 2, 4)
POLICIES = (
    "0.8", "0.1 + 0.8*entropy", "0.5 + varentropy/100", "0.5 - 0.4*median_prob", "temperature_for_entropy(2.5)",
    "requested*top_mass(3) + position/10 + given('kl', 0, 20)", "0", "1/0",
    [f"{0.2 + row / 10} + 0.1*{'entropy' if row % 2 else 'margin'}" for row in range(ROWS)],
)  # fmt: skip
REMEMBERING = (
    "0.2*ema(entropy, 0.9) + 0.01*surprisal", "0.5 + 0.1*prev(max_prob)", "1 + integral(0.1*(2.5 - surprisal), -0.5, 1)"
)  # fmt: skip


def numbered(name):
    """A filter with numbers that remove some entries."""
    numbers = ", ".join("40" if argument.whole else "0.4" for argument in FILTERS[name].arguments)
    return f"{name}({numbers})" if numbers else name


CHAINS = (None, *map(numbered, FILTERS), "top_k(50), temperature, min_p(0.05)", "top_k(50), typical(0.9), temperature")


def rows_of(seed=0, dtype=np.float32):
    """Rows with masked entries."""
    rng = np.random.default_rng(seed)
    rows = 2.5 * rng.standard_normal((ROWS, ENTRIES))
    rows[rng.random(rows.shape) < 0.1] = -np.inf
    return rows.astype(dtype)


def parts(draw):
    """All numbers of a draw."""
    return [draw.token, draw.temperature, draw.candidates, *draw.signals.values()]


def equal(found, expected):
    return all(np.array_equal(one, other, equal_nan=True) for one, other in zip(found, expected, strict=True))


@pytest.fixture
def shared(monkeypatch):
    """The numbers of threads that calls were shared by."""
    seen = []

    def noted(work, number, watch):
        seen.append(number)
        return together(work, number, watch)

    monkeypatch.setattr(backend, "together", noted)
    return seen


class TestEqualResults:
    @pytest.mark.parametrize("policy", POLICIES, ids=str)
    @pytest.mark.parametrize("filters", CHAINS, ids=str)
    def test_of_every_filter_and_policy(self, policy, filters, shared):
        settings = {"seed": 5, "filters": filters, "position": 3, "requested": 0.9, "given": {"kl": 0.2}}
        alone, *others = (parts(sample(rows_of(), policy, **settings, threads=number)) for number in NUMBERS)

        assert max(shared) == 4
        assert all(equal(other, alone) for other in others)

    @pytest.mark.parametrize("text", REMEMBERING)
    def test_of_policies_that_remember(self, text, shared):
        def steps(number):
            state = Policy(text).state(ROWS)
            return [
                part
                for position in range(6)
                for part in parts(
                    sample(rows_of(position), text, seed=5, position=position, state=state, threads=number)
                )
            ]

        alone, *others = map(steps, NUMBERS)

        assert max(shared) == 4
        assert all(equal(other, alone) for other in others)

    def test_of_a_slot_at_several_positions_which_one_thread_does_in_order(self, shared):
        def decided(number):
            state = Policy("ema(entropy, 0.9)").state(2)
            places = {"slot": np.arange(ROWS) % 2, "position": np.arange(ROWS) // 2}
            return temperatures(rows_of(), "ema(entropy, 0.9)", state=state, **places, threads=number)

        assert np.array_equal(decided(4), decided(1))
        assert not shared, "one thread does all"

    def test_of_signals(self):
        names = ("entropy", "varentropy", "median_prob", "top_mass(3)", "margin")
        alone, *others = (list(measure(rows_of(), *names, threads=number).values()) for number in NUMBERS)

        assert all(equal(other, alone) for other in others)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_of_scaled_rows(self, dtype, shared):
        rows = rows_of(dtype=dtype)
        alone, *others = (scale(rows, "0.1 + 0.3*entropy", threads=number) for number in NUMBERS)

        assert max(shared) == 4
        assert all(np.array_equal(other, alone) for other in others)

    def test_of_rows_scaled_in_place(self):
        t = np.array([0.5, 0.0, np.inf, np.nan, 2.0, 1e-3, 1.0, 0.7, 3.0])
        found = []
        for number in NUMBERS:
            rows = rows_of()
            assert backend.scale(rows, t, out=rows, threads=number) is rows
            found.append(rows)

        assert np.array_equal(found[1], found[0])
        assert np.array_equal(found[2], found[0])

    def test_of_rows_too_far_apart_for_their_dtype(self):
        rows = rows_of()
        rows[::3, 7] = 3e38
        alone, *others = (parts(sample(rows, "0.5", seed=1, threads=number)) for number in NUMBERS)

        assert alone[0][::3].tolist() == [7, 7, 7]
        assert all(equal(other, alone) for other in others)

    def test_a_broken_row_raises(self):
        rows = rows_of()
        rows[8, 3] = np.nan

        with pytest.raises(InvalidLogitsError, match="row 8, position 0 hold NaN"):
            sample(rows, "0.5", seed=1, threads=4)

    def test_of_the_texts_of_a_batch(self, shared):
        def written(number):
            model = FakeModel(
                [*(bytes([code]) for code in range(97, 105)), b""], lambda tokens: np.arange(9.0) * len(tokens) % 3
            )
            with generate(model, ["a", "b", "ab"], "0.2 + ema(entropy, 0.5)", seed=5, max_tokens=6,
                          threads=number) as run:  # fmt: skip
                return [(one.request, one.token, one.temperature) for one in run]

        alone, *others = map(written, (None, *NUMBERS))

        assert all(one == alone for one in others)
        assert {2, 3} == set(shared), "at most a thread for each row of the batch"

    def test_of_twenty_threads_at_once(self):
        rows = [rows_of(number) for number in range(20)]
        expected = [parts(sample(one, POLICIES[1], seed=number)) for number, one in enumerate(rows)]
        begin = threading.Barrier(20)

        def draws(number):
            begin.wait()
            return [parts(sample(rows[number], POLICIES[1], seed=number, threads=2)) for _ in range(20)]

        with ThreadPoolExecutor(20) as pool:
            for number, found in enumerate(pool.map(draws, range(20))):
                assert all(equal(one, expected[number]) for one in found)


class TestRowsThatAreDone:
    @pytest.fixture
    def watches(self, monkeypatch):
        """Each call's look at its rows."""
        seen = []

        def noted(work, number, watch):
            found = together(work, number)
            seen.append(watch)
            return found

        monkeypatch.setattr(backend, "together", noted)
        return seen

    def test_are_counted_with_what_was_found_in_them(self, watches):
        rows = rows_of()
        rows[[2, 5]] = [[3e38, -3e38] * (ENTRIES // 2)]  # their differences overflow
        for filters in (None, "top_k(5)"):
            sample(rows, "0.5", seed=1, threads=3, filters=filters)
        scale(rows_of(), "0.1 + 0.3*entropy", threads=3)
        backend.scale(rows, np.full(ROWS, 0.5), out=rows, threads=3)

        assert [watch() for watch in watches] == [2, 2, 0, 0, 0]  # a scaled row is measured first

    def test_are_not_waited_for_without_end(self):
        whole = [np.array([ROWS + (found << 32)]) for found in (0, 3)]

        assert [wait_for_rows(done, ROWS) for done in (*whole, np.array([ROWS - 1]))] == [0, 3, -1]


class TestTheNumberOfThreads:
    def test_follows_the_processors_where_the_rows_are_worth_it(self, monkeypatch):
        monkeypatch.delenv(VARIABLE, raising=False)
        monkeypatch.setattr(threads, "processors", lambda: 6)

        assert [threads_of(None, rows, LEAST) for rows in (0, 1, 2, 5, 64)] == [1, 1, 2, 5, 6]
        assert threads_of(None, 64, LEAST // 64) == 1
        assert threads_of(None, 64, LEAST // 16) == 4

    def test_follows_the_environment(self, monkeypatch):
        monkeypatch.setenv(VARIABLE, "3")

        assert [threads_of(None, rows, LEAST) for rows in (1, 2, 64)] == [1, 2, 3]

    def test_is_the_callers_at_most_one_for_each_row(self, monkeypatch):
        monkeypatch.setenv(VARIABLE, "1")

        assert [threads_of(4, rows, 1) for rows in (0, 1, 3, 64)] == [1, 1, 3, 4]

    @pytest.mark.parametrize("number", [0, -1, MOST + 1, 1.5, True, "2"])
    def test_outside_its_range_is_an_error(self, number):
        refused = partial(pytest.raises, ValueError, match=r"threads = .* was given; whole numbers from 1 to 256 are")
        with refused():
            sample(rows_of(), "0.5", threads=number)
        model = FakeModel([b"a", b""], lambda _: pytest.fail("the model ran"))
        with refused():
            generate(model, "a", "0.5", threads=number)

    @pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
    def test_outside_its_range_in_the_environment_is_an_error(self, text, monkeypatch):
        monkeypatch.setenv(VARIABLE, text)

        with pytest.raises(ValueError, match=rf"{VARIABLE} = .* was given; whole numbers from 1 to 256 are allowed"):
            threads_of(None, 8, LEAST)


class TestHelpers:
    @pytest.fixture(autouse=True)
    def fresh(self, monkeypatch):
        monkeypatch.setattr(threads, "_helpers", threads.Helpers())

    def test_all_run_at_once(self):
        begin = threading.Barrier(3, timeout=60)

        assert together(lambda: 1 + begin.wait() * 0, 3) == 3

    def test_there_are_none_before_they_are_needed(self):
        before = threading.active_count()
        assert together(lambda: 7, 1) == 7
        assert threading.active_count() == before

    def test_they_serve_later_calls(self):
        both = threading.Barrier(2, timeout=60)
        for _ in range(5):
            together(both.wait, 2)

        assert threads._helpers._count == 1

    def test_a_call_does_not_wait_for_a_helper_that_has_not_begun(self):
        begun, done = threading.Event(), threading.Event()
        caller = threading.get_ident()

        def busy():
            if threading.get_ident() != caller:
                begun.set()
                assert done.wait(60)
            return int(begun.wait(60))

        def another():
            assert begun.wait(60)
            return together(lambda: 1, 2)  # the one helper is busy

        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(another)
            found.add_done_callback(lambda _: done.set())
            assert together(busy, 2) == 2
            assert found.result() == 1

    def test_their_errors_reach_the_caller(self):
        begin, caller = threading.Barrier(2, timeout=60), threading.get_ident()

        def work():
            begin.wait()
            if threading.get_ident() != caller:
                raise MemoryError("no room")
            return 0

        with pytest.raises(MemoryError, match="no room"):
            together(work, 2)

    def test_a_call_that_sees_all_rows_done_does_not_wait_for_their_ends(self):
        begun, end, caller = threading.Event(), threading.Event(), threading.get_ident()

        def work():
            if threading.get_ident() == caller:
                assert begun.wait(60)
                return 1
            begun.set()
            assert end.wait(60)
            return 2

        try:
            assert together(work, 2, watch=lambda: 5) == 5
        finally:
            end.set()
        begun.clear()

        assert together(work, 2, watch=lambda: -1) == 3, "some rows are not done: the helper is waited for"

    def test_a_call_goes_on_where_no_thread_may_be_started(self, monkeypatch):
        def refuse(_):
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threads.Thread, "start", refuse)

        assert together(lambda: 1, 4) == 1

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")
    def test_a_forked_process_starts_its_own(self):
        both = threading.Barrier(2, timeout=60)
        together(both.wait, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of forks beside threads
            child = os.fork()
        if child == 0:
            begin = threading.Barrier(2, timeout=30)
            try:
                os._exit(0 if together(lambda: 1 + begin.wait() * 0, 2) == 2 else 1)
            finally:
                os._exit(2)

        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
