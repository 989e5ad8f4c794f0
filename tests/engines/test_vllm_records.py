"""Traces of requests to vLLM, by label, in both of its runners."""

import logging

import numpy as np
import pytest

from dyntemp import Trace, TraceError, temperatures
from dyntemp.testing import Asked
from dyntemp.testing.checks import some_rows
from dyntemp.traces.file import TraceWriter

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from tests.engines.traced import check_trace  # noqa: E402

from dyntemp.engines import EngineError  # noqa: E402
from dyntemp.engines.vllm import DynamicTemperature, StatelessDynamicTemperature  # noqa: E402
from dyntemp.engines.vllm.report import Worker  # noqa: E402
from dyntemp.testing.hosts.vllm import FirstRunner, SecondRunner  # noqa: E402

RUNNERS = {"V1": FirstRunner, "V2": SecondRunner}
ENTROPY, PLACE, MEMORY = "0.1 + 0.2*entropy", "0.3 + 0.1*position", "0.2 + ema(entropy, 0.5)/5"


@pytest.fixture(params=RUNNERS)
def runner(request):
    return RUNNERS[request.param]


@pytest.fixture
def host(runner, tmp_path):
    return runner(DynamicTemperature, {"records": str(tmp_path)})


def steps(host, count, seed=0):
    """Run some steps; the row and the token of each request and step."""
    told = {number: [] for number in host.requests}
    for step in range(count):
        rows = dict(
            zip(host.requests, some_rows(len(host.requests), host.vocabulary, seed=100 * seed + step), strict=True)
        )
        host.step({number: row.copy() for number, row in rows.items()})
        tokens = {number: (number * 31 + step * 7) % host.vocabulary for number in rows}
        host.draw(tokens)
        for number, row in rows.items():
            told[number].append((row, tokens[number]))
    return told


def known(runner, tokens):
    """The tokens that a trace has of those drawn: the second runner never tells the last one."""
    return tokens if runner is FirstRunner else tokens[:-1]


def leave(host, *numbers):
    """End requests, and let the host tell it."""
    for number in numbers:
        host.finish(number)
    if isinstance(host, FirstRunner):
        host.update()


def test_each_request_has_a_trace_of_its_own(runner, host, tmp_path):
    first, second, _ = host.begin([
        Asked(ENTROPY, requested=0.7, record="one"), Asked(PLACE, requested=1.9, prompt=5, record="two"), Asked(MEMORY),
    ])  # fmt: skip
    told = steps(host, 6)
    leave(host, first, second)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.jsonl", "two.jsonl"]
    for number, name, policy in ((first, "one", ENTROPY), (second, "two", PLACE)):
        tokens = check_trace(tmp_path / f"{name}.jsonl")
        rows, drawn = zip(*told[number], strict=True)
        expected = [float(temperatures(row, policy, position=at, backend="reference")) for at, row in enumerate(rows)]
        assert [token.token for token in tokens] == known(runner, list(drawn))
        assert [token.temperature for token in tokens] == pytest.approx(known(runner, expected), rel=1e-5)
        assert [token.position for token in tokens] == [*range(len(tokens))]
        for token, row in zip(tokens, rows, strict=False):
            p = np.exp(row - np.logaddexp.reduce(row.astype(float)))
            assert token.probability == pytest.approx(p[token.token], rel=1e-4)
    header = Trace.open(tmp_path / "two.jsonl").header
    assert (header.drawn, header.policy, header.settings["requested"]) == ("drawn by vLLM", PLACE, 1.9)
    assert header.prompts == [host_prompt(5)]


def host_prompt(count):
    return [0] * count


def test_a_request_that_was_put_back_goes_on_in_its_trace(runner, host, tmp_path):
    first, second = host.begin([Asked(ENTROPY, record="mine"), Asked(PLACE, record="other")])
    before = steps(host, 3)
    host.preempt(first)
    steps(host, 1, seed=1)
    host.preempt(second)
    after = steps(host, 2, seed=2)
    leave(host, first, second)
    tokens = check_trace(tmp_path / "mine.jsonl")

    assert len(list(tmp_path.iterdir())) == 2
    assert [token.position for token in tokens] == known(runner, [*range(6)])
    assert [token.token for token in tokens][:3] == [token for _, token in before[first]]
    assert [token.token for token in tokens][4:] == known(runner, [token for _, token in after[first]])
    assert len(check_trace(tmp_path / "other.jsonl")) == len(tokens)


def test_a_label_that_is_there_gets_a_number(host, tmp_path):
    (tmp_path / "same.jsonl").write_text("somebody's", encoding="utf-8")
    numbers = host.begin([Asked(ENTROPY, record="same"), Asked(PLACE, record="same")])
    steps(host, 3)
    leave(host, *numbers)

    assert (tmp_path / "same.jsonl").read_text(encoding="utf-8") == "somebody's"
    policies = {Trace.open(tmp_path / f"same-{number}.jsonl").header.policy for number in (2, 3)}
    assert policies == {ENTROPY, PLACE}


def test_the_truncation_behind_the_policy_is_that_of_the_draw(runner, host, tmp_path):
    (number,) = host.begin([Asked(ENTROPY, record="cut")])
    for name, value in {"top_k": 40, "top_p": 0.5, "min_p": 0.01}.items():
        setattr(host.requests[number].params, name, value)
    if runner is SecondRunner:
        host.processor.add_request(host.slot[number], host.requests[number].params)
    steps(host, 3)
    leave(host, number)
    settings = Trace.open(tmp_path / "cut.jsonl").header.run()

    behind = "min_p(0.01), " * (runner is SecondRunner) + "top_k(40), top_p(0.5)"
    assert str(settings.filters) == f"temperature, {behind}"
    assert all(token.candidates <= 40 for token in check_trace(tmp_path / "cut.jsonl"))


@pytest.mark.parametrize("label", [
    "../x", "..", "/etc/x", "a/b", "a\\b", "a\0b", "c:", "c:x", "", ".hidden", "-x", "x" * 101, "nul", "NUL.txt",
    "Com1", "a b", "ä", "a\n", 5, ["a"],
])  # fmt: skip
def test_a_label_that_is_no_name_is_refused_when_the_request_arrives(host, tmp_path, label):
    with pytest.raises(EngineError, match="a label is allowed that names a file in the server's folder"):
        host.begin([Asked(ENTROPY, record=label)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("asked", [Asked(ENTROPY, requested=0.0, record="a"), Asked("off", record="a")])
def test_a_request_without_temperatures_of_a_policy_is_refused(runner, asked):
    from dyntemp.testing.hosts.vllm import Running

    params = Running(asked).params
    with pytest.raises(EngineError, match="so that no policy decides"):
        DynamicTemperature.validate_params(params)


@pytest.mark.parametrize("label", ["a", "A.b_c-9", "0" * 100, "_", "nulls"])
def test_other_labels_are_taken(host, tmp_path, label):
    (number,) = host.begin([Asked(ENTROPY, record=label)])
    steps(host, 2)
    leave(host, number)

    assert [path.name for path in tmp_path.iterdir()] == [f"{label}.jsonl"]


def test_a_server_without_a_folder_answers_and_says_so_in_its_log(runner, caplog):
    host = runner(DynamicTemperature)
    with caplog.at_level(logging.ERROR, logger="vllm.dyntemp"):
        host.begin([Asked(ENTROPY, record="mine")])
        steps(host, 2)
    assert "no trace of `mine`: start the server with a tokenizer, and with a folder" in caplog.text
    assert host.counts.as_dict()["changed"] == 2


def test_a_disk_that_gets_full_ends_a_trace_and_nothing_else(host, tmp_path, monkeypatch, caplog):
    write = TraceWriter.write

    def full(writer, token):
        if writer._path.name == "one.jsonl" and token.position == 2:
            raise TraceError("one.jsonl cannot be written further")
        write(writer, token)

    monkeypatch.setattr(TraceWriter, "write", full)
    numbers = host.begin([Asked(PLACE, record="one"), Asked(PLACE, record="two")])
    steps(host, 6)
    leave(host, *numbers)

    assert caplog.text.count("cannot be written further") == 1
    assert [token.position for token in check_trace(tmp_path / "one.jsonl")] == [0, 1]
    assert len(check_trace(tmp_path / "two.jsonl")) >= 5


def test_tokens_that_are_told_late_are_recorded_late(tmp_path):
    """With asynchronous scheduling, the last token is a placeholder until the next step."""
    host = FirstRunner(DynamicTemperature, {"records": str(tmp_path)})
    (number,) = host.begin([Asked(ENTROPY, record="late")])
    output = host.requests[number].output
    for step in range(4):
        host.step({number: some_rows(1, host.vocabulary, seed=step)[0]})
        output[-1:] = [step - 1] if step else []
        output.append(-1)
    host.finish(number)
    host.update()

    assert [token.token for token in check_trace(tmp_path / "late.jsonl")] == [0, 1, 2]


def test_a_broken_row_ends_the_trace(host, tmp_path):
    (number,) = host.begin([Asked(ENTROPY, record="broken")])
    steps(host, 2)
    host.step({number: np.full(host.vocabulary, np.nan, np.float32)})
    host.draw({number: 5})
    steps(host, 2, seed=1)
    leave(host, number)

    assert [token.position for token in check_trace(tmp_path / "broken.jsonl")] == [0, 1]


def test_a_text_ends_at_a_token_that_ends_it(tmp_path):
    host = FirstRunner(DynamicTemperature, {"records": str(tmp_path)})
    (number,) = host.begin([Asked(ENTROPY, record="ended")])
    host.requests[number].params.all_stop_token_ids = {14}
    steps(host, 5)
    tokens = check_trace(tmp_path / "ended.jsonl")

    assert [token.finish for token in tokens] == [None, None, "end"]
    assert (tokens[-1].token, tokens[-1].bytes) == (14, b"")


def test_of_ranks_that_draw_the_same_the_first_one_writes():
    for world, tensor, writers in ((1, 1, [0]), (2, 2, [0]), (4, 2, [2]), (2, 1, [1])):
        parallel = {"world_size": world, "tensor_parallel_size": tensor, "data_parallel_index": 0}
        config = type("Config", (), {})
        found = []
        for rank in range(world):
            config.parallel_config = type("Parallel", (), parallel | {"rank": rank})
            found += [rank] if Worker("V1", config).first else []
        assert found == writers


def test_drafts_are_not_recorded(tmp_path):
    with pytest.raises(EngineError, match='"records" was given, and this server drafts tokens'):
        SecondRunner(StatelessDynamicTemperature, {"records": str(tmp_path)}, drafts=2)


def test_without_labels_nothing_is_kept(host, tmp_path):
    host.begin([Asked(ENTROPY), Asked(MEMORY)])
    steps(host, 2)

    assert not host.processor._records
    assert not host.processor.requests._records
    assert not list(tmp_path.iterdir())
