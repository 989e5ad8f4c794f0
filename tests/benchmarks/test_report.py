"""The statistics and verdicts of the benchmarks."""

import numpy as np
import pytest
from command import gate_lines, measured_again
from floors import OURS, OURS_STATIC, targets
from report import (
    Target,
    figure,
    grid,
    line_through,
    needed,
    ratios,
    spread,
    summary_table,
    time_cell,
    verdict_table,
    verdicts,
)
from runner import Case
from yardstick import EXPONENTIALS, READ

from kernels import FULL, GATE

DRAW = Case("draw")
FASTER = Target("peer", "ours", True, 10, 20)
SLOWER = Target(
    "ours", "read", False, 2.0, 1.5, mode="cold", dtype="float32", vocabulary=(128_000, 2**20), batch=(8, 256)
)


def record(case=DRAW, missing=(), **modes):
    samples = {mode: {name: list(times) for name, times in found.items()} for mode, found in modes.items()}
    columns = {name: case.vocabulary for found in modes.values() for name in found}
    fields = {"subject": case.subject, "dtype": case.dtype, "vocabulary": case.vocabulary, "batch": case.batch}
    return {"case": fields, "samples": samples, "missing": dict(missing), "facts": {"columns": columns}}


def word(target, **modes):
    (found,) = verdicts([record(**modes)], [target])
    return found.word


def test_a_spread_is_the_median_and_the_quartiles_of_the_rounds_taken_part_in():
    assert (3.0, 2.0, 4.0, 5) == spread([5.0, None, 1.0, 2.0, None, 4.0, 3.0])


def test_a_spread_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no round"):
        spread([None, None])


def test_ratios_are_taken_within_rounds_and_only_where_both_took_part():
    assert [10.0, 2.0] == ratios([10.0, None, 8.0, 7.0], [1.0, 1.0, 4.0, None])


def test_the_median_of_ratios_is_not_the_ratio_of_medians():
    """A machine that is slow in one round is slow for both: the ratio stands."""
    slow = np.array([1.0, 50.0, 1.0, 30.0, 2.0])

    assert (3.0, 3.0, 3.0, 5) == spread(ratios(3 * slow, slow))


@pytest.mark.parametrize(("peer", "expected"), [(9.9, "FLOOR MISSED"), (10, "floor met"), (20, "headline met")])
def test_a_speed_up_is_held_to_its_floor_and_headline(peer, expected):
    assert expected == word(FASTER, hot={"peer": [peer] * 9, "ours": [1.0] * 9})


@pytest.mark.parametrize(("ours", "expected"), [(2.1, "FLOOR MISSED"), (2.0, "floor met"), (1.5, "headline met")])
def test_a_cost_is_held_to_its_floor_and_headline(ours, expected):
    case = Case("draw", batch=8)
    (found,) = verdicts([record(case, cold={"ours": [ours] * 9, "read": [1.0] * 9})], [SLOWER])

    assert expected == found.word


@pytest.mark.parametrize(
    ("case", "mode", "expected"),
    [
        (Case("draw", "float32", 128_256, 8), "cold", True),
        (Case("draw", "float32", 128_256, 8), "hot", False),
        (Case("draw", "bfloat16", 128_256, 8), "cold", False),
        (Case("draw", "float32", 32_000, 8), "cold", False),
        (Case("draw", "float32", 128_256, 1), "cold", False),
        (Case("median", "float32", 128_256, 8), "cold", False),
    ],
)
def test_a_target_binds_where_it_says(case, mode, expected):
    assert expected == SLOWER.binds(case, mode)


def test_a_peer_that_is_missing_is_told_and_does_not_pass():
    measured = record(missing={"peer": "torch not installed"}, hot={"ours": [1.0]})
    (found,) = verdicts([measured], [FASTER])

    assert not found.passes
    assert found.word == "not measured: peer: torch not installed"
    assert "torch not installed" in verdict_table([found])[-1]


def test_a_target_without_a_case_does_not_pass():
    (found,) = verdicts([], [FASTER])

    assert not found.passes
    assert "1 not measured" in summary_table([found])[-1]


def test_a_target_without_a_floor_only_has_a_headline():
    (found,) = verdicts([record(hot={"a": [1.0], "b": [2.0]})], [Target("a", "b", True, None, 0.8)])

    assert found.passes
    assert found.word == "below the headline"


def test_a_target_without_a_divisor_is_a_time():
    target = Target("first call", None, False, 1.0, 0.4, "start")
    (found,) = verdicts([record(Case("start"), process={"first call": [0.5, 0.7, 0.6]})], [target])

    assert found.ratio.median == 0.6
    assert found.word == "floor met"


def test_the_summary_names_the_worst_first():
    records = [record(hot={"peer": [time], "ours": [1.0]}) for time in (30.0, 12.0, 8.0)]
    row = summary_table(verdicts(records, [FASTER]))[-1]

    assert "8 to 30" in row
    assert "1 headline met, 1 floor met, 1 FLOOR MISSED" in row


def test_a_grid_shows_a_dash_for_who_was_not_timed():
    records = [
        record(Case("draw", batch=1), hot={"ours": [1e-9], "peer": [1.7e-8]}),
        record(Case("draw", batch=8), {"peer": "does not run here"}, hot={"ours": [2e-9]}),
    ]
    head, _, first, second = grid(records, "hot", time_cell)

    assert "| ours | peer |" in head
    assert "| 1 ±0 % | 17 ±0 % |" in first
    assert "| 2 ±0 % | – |" in second


def test_a_line_through_a_sweep_finds_the_fixed_cost_and_the_slope():
    sizes = (1_000, 32_000, 64_000, 128_000)
    per_logit = {f"{n:,} logits": [(3e-6 + 0.2e-9 * n) / n] * 9 for n in sizes}
    sweep = record(Case("vocabulary"), hot=per_logit)
    sweep["facts"]["columns"] = {f"{n:,} logits": n for n in sizes}

    assert "3.00 µs + 0.2000 ns per logit; no median is further than 0.0%" in line_through(sweep, "hot", 32_000)


def test_figures():
    assert ["0.105", "17.3", "166", "15,437"] == [figure(x) for x in (0.1052, 17.34, 165.9, 15436.7)]


@pytest.mark.parametrize("vectors", ["avx512", "avx2"])
@pytest.mark.parametrize("plan", [GATE, FULL])
def test_every_floor_is_held_in_the_gate_and_in_a_full_run(plan, vectors):
    modes = {"start": ["process"]}
    held = [
        target
        for target in targets(vectors)
        for case in plan
        for mode in modes.get(case.subject, ["hot", "cold"])
        if target.binds(case, mode) and target.floor_of(case, mode) is not None
    ]

    assert set(held) == {target for target in targets(vectors) if target.floor is not None}


def test_every_case_of_the_gate_holds_a_floor():
    for vectors in ("avx512", "avx2"):
        for case in GATE:
            modes = ["process"] if case.subject == "start" else ["hot", "cold"]

            assert any(needed(targets(vectors), case, mode) for mode in modes), (vectors, case)


def test_a_class_of_processors_has_its_own_floors_and_an_unknown_one_none():
    floors = {vectors: [target.floor for target in targets(vectors)] for vectors in ("avx512", "avx2", "aarch64")}

    assert floors["avx512"] != floors["avx2"]
    assert not any(floors["aarch64"])
    assert len({len(found) for found in floors.values()}) == 1


def test_the_gate_measures_those_whom_a_floor_is_about_and_all_where_there_is_none():
    case = Case("draw", batch=8)
    peers = {"torch static", "torch dynamic", "torch inverse CDF", "NumPy"}

    assert needed(targets("avx2"), case, "cold") == {OURS, OURS_STATIC, EXPONENTIALS}
    assert needed(targets("avx2"), case, "hot") == {OURS, OURS_STATIC, EXPONENTIALS} | peers
    assert needed(targets("avx512"), case, "cold") == {OURS, OURS_STATIC, READ, EXPONENTIALS}
    assert needed(targets("aarch64"), case, "cold") == {OURS, OURS_STATIC, EXPONENTIALS, READ} | peers
    assert needed(targets("avx2"), Case("median"), "cold") == set()


def test_a_kernel_is_held_to_what_takes_longer_on_a_machine_its_memory_or_its_exponentials():
    target = Target("ours", ("read", "exponentials"), False, 2.0, 1.5)
    slow_memory = {"ours": [6.0, 7.0, 6.0], "read": [4.0, 4.0, None], "exponentials": [1.0, 1.0, 1.0]}
    slow_arithmetic = {**slow_memory, "read": [1.0, 1.0, 1.0], "exponentials": [4.0, 5.0, 2.0]}
    (memory,), (arithmetic,), (lacking,) = (
        verdicts([record(cold=found)], [target]) for found in (slow_memory, slow_arithmetic, {"ours": [1.0]})
    )

    assert (memory.ratio.median, memory.ratio.rounds) == (1.625, 2)
    assert (arithmetic.ratio.median, arithmetic.ratio.rounds) == (1.5, 3)
    assert str(target) == "ours / the slower of read and exponentials"
    assert lacking.word == "not measured: read: no sample; exponentials: no sample"


def test_the_gate_names_the_class_and_counts_the_floors_missed():
    floor = Target("peer", "ours", True, 10, 20)
    shown = Target("peer", "ours", True, None, 20)
    missed = verdicts([record(hot={"peer": [9.0], "ours": [1.0]})], [floor, shown])
    lines = gate_lines(missed, "avx2", {"processor": "a fast one"}, ["not a commit"])

    assert "class avx2" in lines[0]
    assert "| processor | a fast one |" in lines
    assert len([line for line in lines if "peer / ours" in line]) == 1
    assert "not a commit" in lines
    assert lines[-1] == "class avx2: 1 of 1 floors missed or not measured"


def test_the_gate_of_an_unknown_class_shows_what_was_measured_and_says_that_nothing_was_gated():
    measured = record(hot={"peer": [9.0], "ours": [1.0]})
    found = verdicts([measured], [Target("peer", "ours", True, None, 20)])
    lines = gate_lines(found, "aarch64", {}, [])

    assert all(v.passes for v in found)
    assert any("below the headline" in line for line in lines)
    assert lines[-1].startswith("class aarch64: nothing was gated")


def test_a_case_that_misses_a_floor_is_measured_again_and_that_decides(monkeypatch):
    first = record(hot={"peer": [4.0], "ours": [1.0]})
    other = record(Case("draw", batch=8), hot={"peer": [40.0], "ours": [1.0]})
    asked = []

    def again(script, case, settings):
        asked.append((case, settings["rounds"]))
        return record(case, hot={"peer": [12.0], "ours": [1.0]})

    monkeypatch.setattr("runner.in_a_process", again)
    records = measured_again("", [first, other], verdicts([first, other], [FASTER]), {"rounds": 9})

    assert [(DRAW, 27)] == asked
    assert [v.passes for v in verdicts(records, [FASTER])] == [True, True]
