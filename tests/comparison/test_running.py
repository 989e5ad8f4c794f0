"""Texts follow the leader's, each is a trace, and a comparison that was stopped goes on as if it had not been."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats
from tests.waiting import wait_until

from dyntemp import PolicyError, Trace, TraceError, generate, load_model
from dyntemp.comparison import Comparison, compare, seeds_of
from dyntemp.comparison.folder import Manifest
from dyntemp.testing import FakeModel
from dyntemp.testing.models import has_bundled

PIECES = [bytes([code]) for code in range(97, 123)] + [b" ", b""]
POLICIES = ["0.3 + 0.5*normalized_entropy", "0.3 + 0.6*normalized_entropy", "1.5"]


def letters(**more):
    """A model of letters that ends a text now and then."""

    def logits(tokens):
        return np.random.default_rng(31 * sum(tokens) + len(tokens)).normal(0, 2, len(PIECES))

    return FakeModel(PIECES, logits, **{"end": [27], "chat": True, "context": 500, **more})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison") / "made"
    return compare(letters(), ["hello", "world"], POLICIES, folder=folder, seeds=3, max_tokens=30)


def content(folder):
    """The contents of the traces in a folder, without their dates and the versions of what was loaded."""
    found = {}
    for path in sorted((folder / "traces").iterdir()):
        first, *rest = path.read_text(encoding="utf-8").splitlines()
        found[path.name] = [{**json.loads(first), "started": "", "versions": {}}, *map(json.loads, rest)]
    return found


def test_every_text_is_a_trace_that_says_how_it_came_about(made):
    traces = {path.name: Trace.open(path) for path in sorted((made.folder / "traces").iterdir())}

    assert [f"prompt{p}-seed{s}-policy{n}.jsonl" for p in (0, 1) for s in (0, 1, 2) for n in (0, 1, 2)] == list(traces)
    header = traces["prompt1-seed2-policy1.jsonl"].header
    assert (["world"], POLICIES[1], 30) == (header.prompts, header.policy, header.settings["max_tokens"])
    assert {"policy": POLICIES[0], "seed": header.seed} == header.settings["follow"]
    assert traces["prompt1-seed2-policy0.jsonl"].header.settings["follow"] is None
    assert all(list(trace)[-1].finish in ("end", "length") for trace in traces.values())


def test_the_leader_writes_what_it_writes_alone(made):
    for cell in made.manifest.cells:
        trace = made.trace(cell, 0)
        alone = generate(letters(), trace.header.prompts[0], POLICIES[0], seed=trace.header.seed, max_tokens=30)
        assert [token.token for token in alone] == [token.token for token in trace]


def test_a_follower_writes_what_generate_writes_that_follows(made):
    for cell in made.manifest.cells:
        leader, trace = made.trace(cell, 0), made.trace(cell, 1)
        again = generate(
            letters(), trace.header.prompts[0], POLICIES[1], seed=trace.header.seed, max_tokens=30, follow=leader
        )
        assert [token.to_json() for token in again] == [token.to_json() for token in trace]


def test_prompts_and_seeds_have_noise_of_their_own(made):
    manifest = made.manifest

    assert 6 == len({manifest.seed_of(cell) for cell in manifest.cells})
    for cell in manifest.cells:
        assert {manifest.seed_of(cell)} == {made.trace(cell, policy).header.seed for policy in range(3)}
    assert manifest.seed_of(manifest.cells[0]) == 15793235383387715774, "written into every trace: it must not change"


def test_equal_policies_never_part(tmp_path):
    same = compare(letters(), ["hello", "world"], [POLICIES[0]] * 3, folder=tmp_path / "same", seeds=2, max_tokens=40)

    for one in same.figures.policies[1:]:
        assert (1.0, None) == (one.parting.never, one.parting.position)
        assert all(estimate.difference == 0 for estimate in one.measures.values() if estimate.difference is not None)
    assert [[1.0] * 3] * 3 == same.figures.overlap


def test_a_follower_draws_by_its_own_policy_and_agrees_as_often_as_that_allows(tmp_path):
    z = np.array([2.0, 1.2, 0.5, -0.3, -1.0])
    model = FakeModel([b"a", b"b", b"c", b"d", b"e"], lambda tokens: z)
    count = 1_200
    made = compare(model, "a", ["0.6", "1.8"], folder=tmp_path / "coupled", seeds=count, max_tokens=1)
    drawn = np.array(
        [[next(iter(made.trace(cell, policy))).token for policy in (0, 1)] for cell in made.manifest.cells]
    )
    p, q = (np.exp(z / temperature) / np.exp(z / temperature).sum() for temperature in (0.6, 1.8))

    for tokens, probabilities in zip(drawn.T, (p, q), strict=True):
        assert stats.chisquare(np.bincount(tokens, minlength=5), probabilities * count).pvalue > 1e-4
    agree = int((drawn[:, 0] == drawn[:, 1]).sum())
    assert stats.binomtest(agree, count, float(np.minimum(p, q).sum())).pvalue > 1e-4
    assert 1 - made.figures.policies[1].parting.never == pytest.approx(1 - agree / count)


def test_a_folder_with_missing_texts_is_completed_to_the_same(made, tmp_path):
    again = compare(letters(), ["hello", "world"], POLICIES, folder=tmp_path / "c", seeds=3, max_tokens=30)
    before = content(again.folder)
    again.manifest.path(again.folder, again.manifest.cells[1], 0).unlink()
    again.manifest.path(again.folder, again.manifest.cells[4], 2).unlink()
    seen = []

    compare(
        letters(), ["hello", "world"], POLICIES, folder=tmp_path / "c", seeds=3, max_tokens=30, progress=seen.append
    )

    assert before == content(again.folder) == content(made.folder)
    assert (4, 6) == (seen[0].done, seen[-1].done)
    assert 6 == seen[0].cells


def test_a_complete_comparison_opens_without_a_model(made, tmp_path):
    assert made.figures == Comparison.open(made.folder).figures
    with pytest.raises(TraceError, match="cannot be read"):
        Comparison.open(tmp_path)


def test_an_incomplete_comparison_does_not_open(tmp_path):
    made = compare(letters(), "hello", POLICIES, folder=tmp_path / "c", seeds=2, max_tokens=3)
    made.manifest.path(made.folder, made.manifest.cells[1], 1).unlink()

    with pytest.raises(TraceError, match="1 of 2 cells are missing"):
        Comparison.open(made.folder)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"prompts": ["hello", "you"]}, r'prompts\[1\]: "world" there, "you" here'),
        ({"policies": [*POLICIES[:2], "1.6"]}, r"policies\[2\]: .*1.5.* there, .*1.6.* here"),
        ({"seeds": 4}, "3 seeds there, 4 here"),
        ({"max_tokens": 31}, "max_tokens: 30 there, 31 here"),
        ({"top_p": 0.9}, "top_p: 1.0 there, 0.9 here"),
        ({"model": letters(name="other")}, 'model: "fake" there, "other" here'),
    ],
)
def test_a_folder_of_something_else_is_refused_with_what_differs(made, change, told):
    asked = {"model": letters(), "prompts": ["hello", "world"], "policies": POLICIES, "seeds": 3, "max_tokens": 30}

    with pytest.raises(TraceError, match=told):
        compare(folder=made.folder, **{**asked, **change})


def test_a_version_that_decides_tokens_and_differs_is_refused(made, monkeypatch):
    monkeypatch.setattr("dyntemp.comparison.deciding_versions", lambda: {"dyntemp": "99.0", "torch": "9"})

    with pytest.raises(TraceError, match=r'dyntemp: "\d.*" there, "99.0" here'):
        compare(letters(), ["hello", "world"], POLICIES, folder=made.folder, seeds=3, max_tokens=30)


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious", encoding="utf-8")

    with pytest.raises(TraceError, match="is no comparison: name a folder that is new or empty"):
        compare(letters(), "hello", POLICIES, folder=tmp_path)
    assert ["thesis.txt"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("damage", ["{", "[]", '{"format": "x", "version": 1}', '{"format": "dyntemp.comparison"}'])
def test_a_damaged_manifest_is_said(tmp_path, damage):
    (tmp_path / "manifest.json").write_text(damage, encoding="utf-8")

    with pytest.raises(TraceError, match=r"manifest\.json"):
        Manifest.read(tmp_path / "manifest.json")


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"policies": ["1"]}, ValueError, "1 of the two or more policies"),
        ({"policies": ["1", "a + entropy"]}, PolicyError, "`a`"),
        ({"policies": ["1", 'given("kl", 0, 1)']}, PolicyError, "pass given="),
        ({"seeds": 0}, ValueError, "seeds = 0 was given"),
        ({"seeds": [3, 3]}, ValueError, "each once"),
        ({"seeds": [-1]}, ValueError, "0 to 2"),
        ({"max_tokens": 0}, ValueError, "max_tokens = 0"),
        ({"top_p": 2.0}, ValueError, "top_p = 2.0"),
        ({"prompts": []}, ValueError, "prompt"),
        ({"prompts": ["a" * 501]}, ValueError, "context"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_written(tmp_path, change, error, told):
    asked = {"model": letters(), "prompts": ["hello"], "policies": POLICIES, "folder": tmp_path / "c"}

    with pytest.raises(error, match=told):
        compare(**{**asked, **change})
    assert not (tmp_path / "c").exists()


def test_seeds_are_a_number_or_a_list():
    assert ([0, 1, 2], [7, 2**64 - 1]) == (seeds_of(3), seeds_of([7, 2**64 - 1]))


def test_sessions_are_closed_when_a_run_is_interrupted_and_only_whole_cells_count(made, tmp_path):
    model = letters()

    def stop(at):
        if at.tokens > 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(model, ["hello", "world"], POLICIES, folder=tmp_path / "c", seeds=3, max_tokens=30, progress=stop)
    written = [path.name for path in (tmp_path / "c" / "traces").iterdir() if path.suffix == ".jsonl"]

    assert 0 == model.open_sessions
    assert 0 == len(written) % 3
    assert len(written) < 18
    compare(model, ["hello", "world"], POLICIES, folder=tmp_path / "c", seeds=3, max_tokens=30)
    assert content(made.folder) == content(tmp_path / "c")


SLOW = """
import sys, time
sys.path.insert(0, {here!r})
from test_running import POLICIES, letters
from dyntemp.comparison import compare
model = letters()
fast = model.next_logits
def slow(tokens):
    time.sleep(0.01)
    return fast(tokens)
model.next_logits = slow
print("begun", flush=True)
compare(model, ["hello", "world", "again", "more"], POLICIES, folder={folder!r}, seeds=3, max_tokens=20)
"""


def test_a_run_that_is_killed_goes_on_to_the_same_result(tmp_path):
    folder = tmp_path / "killed"
    code = SLOW.format(here=str(__import__("pathlib").Path(__file__).parent), folder=str(folder))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    process.stdout.readline()
    for kill in (2, 5):
        wait_until(
            lambda cells=3 * kill: len(list((folder / "traces").glob("*.jsonl") if folder.exists() else ())) >= cells,
            process,
        )
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        if kill == 2:
            process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
            process.stdout.readline()
    seen = []
    asked = {"model": letters(), "prompts": ["hello", "world", "again", "more"], "policies": POLICIES, "seeds": 3}
    resumed = compare(**asked, max_tokens=20, folder=folder, progress=seen.append)
    undisturbed = compare(**asked, max_tokens=20, folder=tmp_path / "undisturbed")

    assert 4 <= seen[0].done < 12, "what was done is not done again"
    assert content(undisturbed.folder) == content(resumed.folder)
    assert undisturbed.figures == resumed.figures


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-5], lambda data: data[: data[:-1].rfind(b"\n") + 1], lambda _: b""]
)
def test_a_text_that_a_power_cut_left_short_is_written_again(made, tmp_path, damage):
    asked = {"prompts": ["hello", "world"], "policies": POLICIES, "seeds": 3, "max_tokens": 30}
    whole = compare(letters(), **asked, folder=tmp_path / "c")
    path = tmp_path / "c" / "traces" / "prompt1-seed2-policy1.jsonl"
    path.write_bytes(damage(path.read_bytes()))
    compare(letters(), **asked, folder=tmp_path / "c")

    assert content(made.folder) == content(whole.folder)


@pytest.mark.model
@pytest.mark.skipif(not has_bundled(), reason="the bundled model is not installed")
def test_the_bundled_model_is_compared(tmp_path):
    model = load_model("smollm2", context=512)
    made = compare(
        model, ["Name a river.", "Tell a joke."], ["0.7", "0.3 + 0.7*normalized_entropy**0.5", "0.7"],
        folder=tmp_path / "c", seeds=2, max_tokens=24,
    )  # fmt: skip
    lead, dynamic, same = made.figures.policies

    assert 1.0 == same.parting.never
    assert dynamic.parting.kept > 0
    assert 0.7 == pytest.approx(lead.measures["temperature"].mean)
    assert 0.3 < dynamic.measures["temperature"].mean < 1.0
    assert made.report().stat().st_size > 10_000
