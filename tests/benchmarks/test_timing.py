"""Rounds, the memory they read, and runs that go on where they stopped."""

import json
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import provenance
import pytest
import runner
from pool import Pool, cold_bytes, synthetic
from runner import Case
from timing import FAST_ROUNDS, SLOW, Contestant, admitted, interleave, spent, wall
from yardstick import EXPONENTIALS, READ, loops


def test_a_slow_contestant_sits_out_most_rounds_and_a_fast_one_none():
    durations = {"slow": 2 * SLOW, "fast": 1e-3}
    calls = []

    def elapsed(call, arguments):
        calls.append((call(None), len(arguments)))
        return durations[call(None)] * len(arguments)

    found = interleave(
        [Contestant(name, lambda _, name=name: name, (2, 5)) for name in durations],
        lambda shape: np.zeros(shape),
        9,
        warm=False,
        elapsed=elapsed,
    )

    assert 9 * FAST_ROUNDS == len(found["slow"]) == len(found["fast"])
    assert 9 == sum(value is not None for value in found["slow"])
    assert [1e-3 / 10] * 9 * FAST_ROUNDS == pytest.approx(found["fast"])
    assert {1, 10} == {count for name, count in calls if name == "fast"}
    assert {1} == {count for name, count in calls if name == "slow"}


def test_a_warm_round_begins_with_a_call_that_is_not_timed():
    seen, timed = [], []

    def elapsed(call, arguments):
        timed.append(len(arguments))
        for argument in arguments:
            call(argument)
        return 1.0

    interleave([Contestant("a", seen.append, (1, 1))], lambda shape: 0, 9, warm=True, elapsed=elapsed)

    assert 1 + 9 == len(timed)
    assert 1 + 9 * 2 == len(seen)


def test_who_cannot_run_is_told():
    def fails(_):
        raise RuntimeError("no compiler\nand more")

    able, missing = admitted([Contestant("a", len, (1, 1)), Contestant("b", fails, (1, 1))], lambda shape: [0])

    assert ["a"] == [c.name for c in able]
    assert {"b": "does not run here: RuntimeError: no compiler and more"} == missing


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_cold_buffers_come_again_only_after_all_the_others(dtype, monkeypatch):
    monkeypatch.setattr("pool.cold_bytes", lambda buffer: 10 * buffer)
    pool = Pool(dtype, 3, 1_000)
    starts = [pool.cold((3, 1_000)).__array_interface__["data"][0] for _ in range(20)]

    assert 10 == len(set(starts[:10]))
    assert starts[:10] == starts[10:]
    assert pool.hot((3, 1_000)).ctypes.data == pool.hot((3, 1_000)).ctypes.data


def test_cold_memory_exceeds_the_last_cache(monkeypatch):
    monkeypatch.setattr("pool.last_cache_bytes", lambda: 200_000_000)

    assert 400_000_000 == cold_bytes(1_000)


def test_synthetic_rows_have_about_eight_likely_tokens():
    rows = synthetic(100 * 32_000, 32_000).reshape(100, 32_000)

    assert 2.5 == pytest.approx(rows.std(), abs=0.05)
    assert 3 < np.mean((rows > 10.5).sum(1)) < 9


WORKER = """
import json, sys
task = json.loads(sys.argv[2])
if task[0]["batch"] == 3:
    sys.exit(7)
print(json.dumps({"case": task[0], "samples": {}, "missing": {}, "facts": {}}))
"""


def test_a_run_goes_on_where_it_stopped(tmp_path):
    script, path = tmp_path / "script.py", tmp_path / "partial" / "run.jsonl"
    script.write_text(WORKER, encoding="utf-8")
    cases = [Case("draw", batch=batch) for batch in (1, 2, 3)]
    first = next(runner.measured(str(script), cases, {}, path))
    with path.open("a") as file:
        file.write('{"case": {"subject": "dr')
    kept = runner.stored(path)
    path.write_text(json.dumps(first) + "\n", encoding="utf-8")
    again = list(runner.measured(str(script), cases, {}, path))

    assert [Case("draw", batch=1)] == list(kept)
    assert 3 == len(again)
    assert "ended with 7" in again[2]["error"]
    assert [Case("draw", batch=1), Case("draw", batch=2)] == list(runner.stored(path))


def test_other_sources_or_settings_are_another_run():
    names = {
        runner.store("kernels.py", revision, {"rounds": rounds}, {"torch": version}).name
        for revision in ("a", "b")
        for rounds in (9, 15)
        for version in ("1", "2")
    }

    assert 8 == len(names)


def test_a_revision_tells_changed_sources(tmp_path, monkeypatch):
    def git(*arguments):
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("1", encoding="utf-8")
    git("init")
    git("add", ".")
    git("commit", "-m", "a")
    clean = provenance.revision()
    (tmp_path / "notes").write_text("no source", encoding="utf-8")
    elsewhere = provenance.revision()
    (tmp_path / "src" / "a.py").write_text("2", encoding="utf-8")
    changed = provenance.revision()
    (tmp_path / "src" / "a.py").write_text("3", encoding="utf-8")
    again = provenance.revision()
    (tmp_path / "src" / "b.py").write_text("new", encoding="utf-8")
    added = provenance.revision()

    assert clean == elsewhere
    assert provenance.is_clean(clean)
    assert not provenance.is_clean(changed)
    assert 4 == len({clean, changed, again, added})


def test_red_accuracy_tests_stop_the_report(monkeypatch):
    monkeypatch.setattr(provenance, "ACCURACY", ("-c", "print('1 failed'); raise SystemExit(1)"))

    with pytest.raises(provenance.RedError, match="no speed is reported"):
        provenance.check_accuracy()


def test_the_sources_of_this_checkout_are_measured():
    code = "import dyntemp, sys; print(dyntemp.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", code], env=provenance.environment(), capture_output=True, text=True, check=True
    )

    assert found.stdout.startswith(str(provenance.ROOT))


def test_the_two_yardsticks_compute_what_they_say():
    import ml_dtypes

    numbers = np.random.default_rng(0).normal(0, 2.5, 1_000).astype(np.float32)
    halves = numbers.astype(ml_dtypes.bfloat16)
    for dtype, flat, true in (("float32", numbers, numbers), ("bfloat16", halves.view(np.uint16), halves)):
        d = true.astype(np.float64) - 25
        total, weighted = loops(dtype)[EXPONENTIALS](flat)

        assert d.sum() + 25_000 == pytest.approx(loops(dtype)[READ](flat), abs=0.01)
        assert np.exp(d).sum() == pytest.approx(total, rel=1e-4)
        assert (d * np.exp(d)).sum() == pytest.approx(weighted, rel=1e-4)


def test_processor_time_leaves_out_what_a_call_waits():
    assert spent(time.sleep, [0.2]) < 0.1 < wall(time.sleep, [0.2])


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names processors of x86-64")
@pytest.mark.parametrize(
    ("processor", "vectors"),
    [
        ("skylake-avx512", "avx512"),
        ("haswell", "avx2"),
        ("sandybridge", platform.machine()),
        ("x86-64", platform.machine()),
    ],
)
def test_the_class_of_a_processor_is_what_numba_compiles_for(processor, vectors):
    """Nothing that is compiled here runs, so that any processor can be named."""
    target = {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": ""}
    folder = str(Path(provenance.__file__).parent)
    found = subprocess.run(
        [sys.executable, "-c", "import provenance; print(provenance.vectors())"],
        cwd=folder, env=provenance.environment() | target, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert found.stdout.split() == [vectors]
