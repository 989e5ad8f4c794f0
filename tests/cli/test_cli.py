"""The command: what it prints, where, and how it ends."""

import io
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from tests.waiting import wait_until

from dyntemp import Trace
from dyntemp.cli import COMMANDS, main
from dyntemp.methods import METHODS, default
from dyntemp.methods.constant import MIN_P
from dyntemp.testing import FakeModel

PIECES = [bytes([code]) for code in range(32, 127)] + [b"\n", b""]


@pytest.fixture
def model(monkeypatch):
    """A chatty model of printable letters in place of whatever `-m` names."""
    fake = FakeModel(
        PIECES, lambda tokens: np.random.default_rng(sum(tokens)).normal(0, 2, len(PIECES)), chat=True, name="fake",
        context=2_000,
    )  # fmt: skip
    monkeypatch.setattr("dyntemp.cli.common.load_model", lambda name, **options: fake)
    return fake


def run(capsys, *arguments, stdin=None, monkeypatch=None):
    if stdin is not None:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
    try:
        code = main(list(arguments))
    except SystemExit as error:
        code = error.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_generate_writes_the_text_to_stdout_and_the_figures_to_stderr(capsys, model):
    code, out, err = run(capsys, "generate", "--method", "below_one", "--seed", "3", "-n", "20", "hello", "there")

    assert (0, 21) == (code, len(out)), "twenty letters and the end of the line"
    assert err.startswith("20 tokens, ")
    assert err.endswith("; seed 3\n")
    assert "T mean" in err
    assert "\x1b" not in out + err


def test_colour_and_legend_on_request(capsys, model):
    policy = ("--method", "below_one")
    code, out, err = run(capsys, "generate", "--seed", "3", "-n", "5", "--color", "always", *policy, "x")

    assert 0 == code
    assert out.count("\x1b[38;2;") == 5
    assert "T 0.30" in err
    assert "lerp(0.3, 1, normalized_entropy**0.5)" in err


@pytest.mark.parametrize(
    ("given", "policy", "filters"),
    [
        ((), str(default()), f"min_p({MIN_P})"), (("--min-p", "0"), str(default()), ""),
        (("--min-p", "0.2"), str(default()), "min_p(0.2)"), (("--top-k", "3"), str(default()), "top_k(3)"),
        (("--filters", "p_less"), str(default()), "p_less"), (("--temp", "0.7"), "0.7", ""),
        (("--method", "edt"), str(METHODS["edt"].make()), ""), (("--policy", "1"), "1", ""),
    ],
)  # fmt: skip
def test_min_p_stands_before_the_default_temperature_alone(capsys, model, tmp_path, given, policy, filters):
    path = tmp_path / "run.jsonl"
    run(capsys, "generate", "-n", "2", *given, "--trace", str(path), "x")
    trace = Trace.open(path)

    assert (policy, filters) == (trace.header.policy, str(trace.header.run().filters))


def test_quiet_writes_the_text_only(capsys, model):
    assert "" == run(capsys, "generate", "-q", "--color", "always", "-n", "5", "x")[2]


def test_the_same_seed_writes_the_same_streamed_or_not(capsys, model):
    texts = {run(capsys, "generate", "--seed", "9", "-n", "30", *flags, "x")[1] for flags in ((), ("--no-stream",))}

    assert 1 == len(texts)


def test_json_is_one_object_with_the_text_and_its_tokens(capsys, model):
    code, out, err = run(capsys, "generate", "--json", "--seed", "4", "-n", "6", "--policy", "0.5 + 0.1*entropy", "x")
    answer = json.loads(out)

    assert (0, "") == (code, err)
    assert "".join(token["text"] for token in answer["tokens"]) == answer["text"]
    assert (4, "0.5 + 0.1*entropy", "length", 6) == (
        answer["seed"], answer["policy"], answer["finish"], len(answer["tokens"]),
    )  # fmt: skip
    temperatures = [token["temperature"] for token in answer["tokens"]]
    assert {"mean": pytest.approx(np.mean(temperatures)), "low": min(temperatures), "high": max(temperatures)} == (
        answer["temperature"]
    )


def test_jsonl_is_one_object_for_each_token(capsys, model):
    lines = run(capsys, "generate", "--jsonl", "-n", "6", "x")[1].splitlines()

    assert list(range(6)) == [json.loads(line)["position"] for line in lines]


@pytest.mark.parametrize("arguments", [("-",), (), ("-f", "-"), ("-f", "prompt.txt")])
def test_a_prompt_comes_from_stdin_or_a_file(capsys, model, monkeypatch, tmp_path, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prompt.txt").write_text("same", encoding="utf-8")
    expected = run(capsys, "generate", "--seed", "1", "-q", "-n", "9", "same")[1]

    assert (
        expected
        == run(capsys, "generate", "--seed", "1", "-q", "-n", "9", *arguments, stdin="same", monkeypatch=monkeypatch)[1]
    )


def test_a_trace_is_kept_and_explained(capsys, model, tmp_path):
    path = str(tmp_path / "run.jsonl")
    run(capsys, "generate", "--method", "below_one", "--seed", "1", "-n", "4", "--trace", path, "x")
    code, out, _ = run(capsys, "explain", path)
    tokens = list(Trace.open(path))

    assert (0, 4) == (code, len(tokens))
    assert out.startswith("fake, seed 1, policy lerp(0.3, 1, normalized_entropy**0.5)")
    assert 4 == out.count("entropy ") == out.count(" sharpened that to")
    assert "4 tokens; T mean" in out.replace(", T mean", "; T mean")
    assert 2 == run(capsys, "explain", path, "--from", "1", "--count", "2")[1].count(" sharpened that to")
    why = [json.loads(line)["why"] for line in run(capsys, "explain", "--jsonl", path)[1].splitlines()]
    assert all("T = " in sentence for sentence in why)


def test_explain_tells_what_it_can_and_then_what_is_damaged(capsys, model, tmp_path):
    path = tmp_path / "run.jsonl"
    run(capsys, "generate", "--method", "below_one", "-n", "4", "--trace", str(path), "x")
    path.write_bytes(path.read_bytes()[:-10])
    code, out, err = run(capsys, "explain", str(path))

    assert (1, 3) == (code, out.count(" sharpened that to"))
    assert "line 5: the line is cut off" in err


def test_an_existing_trace_is_kept(capsys, model, tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text("precious", encoding="utf-8")

    assert 1 == run(capsys, "generate", "--trace", str(path), "x")[0]
    assert "precious" == path.read_text(encoding="utf-8")
    assert 0 == run(capsys, "generate", "-n", "2", "--trace", str(path), "--overwrite", "x")[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["generate", "--policy", "0.1 + entropi", "x"], "did you mean `entropy`?"),
        (["generate", "--policy", "a + b*entropy", "x"], "its parameter `a` has no value"),
        (["generate", "--policy", "edt", "--temp", "0.7", "x"], "--temp 0.7 has no effect beside --policy"),
        (["generate", "--temp", "-1", "x"], "can reach a temperature of -1"),
        (["generate", "--temp", "hot", "x"], "invalid float value"),
        (["generate", "-n", "0", "x"], "-n 0 was given"),
        (["generate", "--top-p", "0", "x"], "top_p = 0.0 was given"),
        (["generate", "--filters", "top_q(1)", "x"], "the filter 'top_q' was given; there are top_k,"),
        (["generate", "--filters", "p_less", "--top-k", "3", "x"], "filters= was given beside top_k"),
        (["generate", "--seed", "-2", "x"], "--seed -2 was given"),
        (["generate", "--raw", "--system", "s", "x"], "--raw and --system"),
        (["generate", "--stop", "", "x"], "an empty --stop"),
        (["generate", "--json", "--jsonl", "x"], "not allowed with"),
        (["generate", "-f", "a", "x"], "give one of them"),
        (["generate", "--tmep", "1", "x"], "unrecognized arguments"),
        (["generate", "--policy", "dfd", "x"], "which only a program can give"),
        (["generate", "\udcff"], "bytes that are not text"),
        (["generate", "--system", "\udcff", "x"], "bytes that are not text"),
        (["check", "-1"], "can reach a temperature of -1: add"),
        (["generat"], "invalid choice"),
        (["check"], "required"),
        (["check", "a", "--bind", "a"], "--bind NAME=NUMBER"),
        (["check", "a", "--bind", "b=1"], "no parameter `b`"),
        (["check", "0.3 - 0.4*max_prob"], "floor=0.05"),
        (["check", "entropy", "--vocabulary", "1"], "2 to 1048576 are allowed"),
        (["explain", "--from", "-1", "x"], "counts from 0"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_would_be_right(capsys, model, arguments, message):
    code, out, err = run(capsys, *arguments)

    assert (2, "") == (code, out)
    assert message in err
    assert model.open_sessions == 0


@pytest.mark.parametrize(
    "arguments", [["explain", "none.jsonl"], ["generate", "-f", "none.txt"], ["check", "none.json"]]
)
def test_a_missing_file_is_a_failure(capsys, model, arguments):
    code, _, err = run(capsys, *arguments)

    assert 1 == code
    assert "none." in err


def test_an_infinite_temperature_is_valid_json(capsys, model):
    out = run(capsys, "generate", "--policy", "1/(0*max_prob)", "--json", "-n", "3", "hi")[1]
    answer = json.loads(out, parse_constant=lambda name: pytest.fail(name))

    assert {"mean": "inf", "low": "inf", "high": "inf"} == answer["temperature"]
    assert "T mean inf, from inf to inf" in run(capsys, "generate", "--policy", "1/(0*max_prob)", "-n", "3", "hi")[2]


def test_one_closing_newline_of_a_file_is_not_part_of_the_prompt(capsys, model, monkeypatch):
    texts = {
        run(capsys, "generate", "-q", "--seed", "1", "-n", "9", "-", stdin=stdin, monkeypatch=monkeypatch)[1]
        for stdin in ("same", "same\n")
    }
    assert 1 == len(texts)


def test_temp_alone_is_a_static_policy_and_beside_a_policy_what_it_asked_for(capsys, model):
    static = json.loads(run(capsys, "generate", "--json", "-n", "3", "--temp", "0.6", "x")[1])
    asked = json.loads(run(capsys, "generate", "--json", "-n", "3", "--temp", "0.6", "--policy", "2*requested", "x")[1])

    assert [0.6] * 3 == [token["temperature"] for token in static["tokens"]]
    assert [1.2] * 3 == [token["temperature"] for token in asked["tokens"]]


def test_a_policy_can_be_a_name_or_a_file(capsys, model, tmp_path):
    from dyntemp import Policy

    Policy("0.25").save(tmp_path / "cold.json")
    for given, text in (("edt", str(METHODS["edt"].make())), (str(tmp_path / "cold.json"), "0.25")):
        assert text == json.loads(run(capsys, "generate", "--json", "-n", "1", "--policy", given, "x")[1])["policy"]


def test_check_tells_bounds_directions_warnings_and_draws(capsys):
    code, out, _ = run(capsys, "check", "0.1 + 0.8*entropy")

    assert 0 == code
    assert "0.1 to 8.742 on a vocabulary of 49,152; 0.1 to 11.19 on any" in out
    assert "entropy  rises with it" in out
    assert "can reach T = 8.74 on a vocabulary of 49,152" in " ".join(out.split())
    assert out.count("●") >= 56


@pytest.mark.parametrize(
    ("policy", "warning"),
    [
        ("0.5 - 0.4*median_prob", "practically constant"),
        ("1/entropy", "infinity"),
        ("edt", "T = 0"),
        ("1e-7", "greedy"),
    ],
)
def test_check_warns(capsys, policy, warning):
    answer = json.loads(run(capsys, "check", policy, "--json")[1])

    assert any(warning in text for text in answer["warnings"])


@pytest.mark.parametrize("policy", ["3", "3 - 2*normalized_entropy", "0.001*position", "requested"])
def test_check_speaks_of_heat_that_feeds_itself_only_where_it_does(capsys, policy):
    assert "heats it further" not in " ".join(run(capsys, "check", policy)[1].split())


def test_check_says_what_it_holds_still(capsys):
    out = run(capsys, "check", 'requested + given("kl", 0, 10)')[1]

    assert "requested = 1" in out
    assert 'given("kl", 0, 10) = 5' in out


def test_check_binds_and_shows_templates(capsys):
    assert "a template: bind a, b" in run(capsys, "check", "a + b*entropy")[1]
    bound = json.loads(
        run(capsys, "check", "a + b*normalized_entropy", "--bind", "a=0.25", "--bind", "b=0.5", "--json")[1]
    )
    assert [0.25, 0.75] == bound["bounds"]
    ranged = json.loads(run(capsys, "check", 'param("theta", 0.5, 1)*max_prob', "--json")[1])
    assert {"theta": [0.5, 1.0]} == ranged["parameters"]


@pytest.mark.parametrize("name", METHODS)
def test_every_published_policy_can_be_checked(capsys, name):
    code, out, _ = run(capsys, "check", name, "--vocabulary", "1000")

    assert 0 == code
    assert "bounds" in out


def test_signals_and_policies_list_all_there_is(capsys):
    from dyntemp.language.functions import FUNCTIONS
    from dyntemp.language.signals import SIGNALS

    out = run(capsys, "signals")[1]
    assert all(name in out for name in (*SIGNALS, *FUNCTIONS))
    tables = json.loads(run(capsys, "signals", "--json")[1])
    assert (list(SIGNALS), list(FUNCTIONS)) == tuple(
        [row["name"] for row in tables[key]] for key in ("signals", "functions")
    )
    assert all(name in run(capsys, "policies")[1] for name in METHODS)
    assert list(METHODS) == [row["name"] for row in json.loads(run(capsys, "policies", "--json")[1])]


TALK = """hello
/policy dfd
/why
/policy 0.9
/policy entropi
/set temp 0.5
/set seed 4
/set
/system Be brief.
again
/trace {path}
/wy
/why zzzzz
/clear
/trace nothing
/bye
never said
"""


def test_chat_talks_explains_and_changes_its_policy(capsys, model, monkeypatch, tmp_path):
    path = tmp_path / "chat.jsonl"
    policy = ("--method", "below_one")
    code, out, _ = run(
        capsys, "chat", "-n", "4", "--seed", "1", *policy, stdin=TALK.format(path=path), monkeypatch=monkeypatch
    )

    assert 0 == code
    assert 2 == out.count("4 tokens, ")
    assert 4 == out.count(" sharpened that to")
    assert "0.9   T from 0.9 to 0.9" in out
    assert "did you mean `entropy`?" in out
    assert "which only a program can give" in out
    assert "--temp 0.5 has no effect beside --policy" in out
    assert "seed 4  max_tokens 4" in out
    assert "there is no /wy; did you mean `why`?" in out
    assert "no token of the last answer holds 'zzzzz'" in out
    assert "once there is an answer" in out
    tokens = list(Trace.open(path))
    assert [0.9] * 4 == [token.temperature for token in tokens]
    assert "Be brief." == Trace.open(path).header.prompts[0][0]["content"]


def test_chat_goes_on_after_an_answer_that_was_stopped_or_failed(capsys, model, monkeypatch):
    def logits(tokens, inner=model.next_logits):
        if tokens[-1] == PIECES.index(b"!"):
            raise KeyboardInterrupt
        return [np.nan] * len(PIECES) if tokens[-1] == PIECES.index(b"?") else inner(tokens)

    model.next_logits = logits
    code, out, _ = run(
        capsys, "chat", "-n", "4", "--seed", "1", stdin="stop!\nbreak?\ngo on\n", monkeypatch=monkeypatch
    )

    assert 0 == code
    assert "(stopped)" in out
    assert "hold NaN" in out
    assert 1 == out.count("4 tokens, ")


def test_chat_keeps_the_record_of_an_answer_until_there_is_another(capsys, model, monkeypatch, tmp_path):
    def logits(tokens, inner=model.next_logits):
        if tokens[-1] == PIECES.index(b"!"):
            raise KeyboardInterrupt
        return inner(tokens)

    model.next_logits = logits
    talk = f"first\n/set seed 9\nstop!\n/trace {tmp_path / 'kept'}\n"
    run(capsys, "chat", "-n", "4", "--seed", "1", stdin=talk, monkeypatch=monkeypatch)
    trace = Trace.open(tmp_path / "kept")

    assert (1, "first") == (trace.header.seed, trace.header.prompts[0][-1]["content"])
    assert 4 == len(list(trace))


def test_chat_leaves_at_the_end_of_its_input_and_when_the_context_is_full(capsys, model, monkeypatch):
    assert (0, "") == run(capsys, "chat", stdin="", monkeypatch=monkeypatch)[:2]


def test_help_is_there_for_each_command(capsys):
    overview = run(capsys, "--help")[1]
    for name in COMMANDS:
        code, out, _ = run(capsys, name, "--help")
        assert 0 == code
        assert f"usage: dyntemp {name}" in out
        assert name in overview


def test_nothing_at_all_is_a_call_for_help(capsys):
    assert run(capsys, "--help")[1] == run(capsys)[1]


def shell(*arguments, **options):
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.run(
        [sys.executable, "-m", "dyntemp", *arguments], capture_output=True, text=True, env=environment, check=False,
        **options,
    )  # fmt: skip


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("arguments", [["check", "edt"], ["signals"], ["signals", "--json"], ["policies"]])
def test_no_character_is_too_much_for_the_terminal(encoding, arguments):
    done = subprocess.run(
        [sys.executable, "-m", "dyntemp", *arguments], capture_output=True, check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )  # fmt: skip

    assert (0, b"") == (done.returncode, done.stderr)
    if "--json" in arguments:
        json.loads(done.stdout)


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
@pytest.mark.parametrize(("redirection", "code"), [("<&-", 2), ("</dev/null", 2), (">&-", 2), ("<<< $'\\xff'", 2)])
def test_closed_and_broken_streams_are_no_traceback(redirection, code):
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m dyntemp generate -m none.gguf {redirection}"], capture_output=True,
        text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip

    assert code == done.returncode
    assert "Traceback" not in done.stderr


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from dyntemp.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numba', 'torch', 'llama_cpp', 'transformers', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_closed_pipe_is_no_error():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "dyntemp", "signals"], stdout=write, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(write)

    assert (0, "") == (done.returncode, done.stderr)


SLOW = """
import sys, time
from dyntemp.cli import common, main
from dyntemp.testing import FakeModel
def logits(tokens):
    time.sleep(0.02)
    return [0.0, 0.5]
common.load_model = lambda name: FakeModel([b"a", b"b"], logits)
sys.exit(main(["generate", "-n", "100000", "--trace", sys.argv[1], "a"]))
"""


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_ctrl_c_ends_with_130_and_leaves_a_readable_trace(tmp_path):
    path = tmp_path / "run.jsonl"
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until(lambda: path.exists() and path.read_bytes().count(b"\n") > 5, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    tokens = list(Trace.open(path))

    assert 130 == process.returncode
    assert "".join(token.text for token in tokens) == out.rstrip("\n")
    assert f"interrupted; {len(tokens)} tokens, " in err
    assert "Traceback" not in err


def test_an_unknown_model_is_a_failure_that_says_what_to_do(tmp_path):
    done = shell("generate", "-m", str(tmp_path / "none.gguf"), "hi")

    assert 1 == done.returncode
    assert "none.gguf" in done.stderr
    assert "Traceback" not in done.stderr
