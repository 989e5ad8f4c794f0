"""A second prompt: the divergence of its row, in batches, open sessions, coupled runs, traces and replays."""

import json
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from mpmath import mp, mpf
from scipy.special import rel_entr, softmax
from tests.requested import make_request

from dyntemp import InvalidLogitsError, ModelError, PolicyError, Trace, generate, temperatures
from dyntemp.cli import main
from dyntemp.distribution.divergence import divergence
from dyntemp.generation.loop import Loop
from dyntemp.generation.request import coupled
from dyntemp.language.policy import Policy
from dyntemp.models import load_model
from dyntemp.models.torch_module import TorchModel
from dyntemp.testing import FakeModel
from dyntemp.testing.models import has_bundled
from dyntemp.traces.replay_trace import replays

PIECES = [bytes([letter]) for letter in b"abcdefgh"]
READS = Policy("0.2 + 0.9*2**(-divergence/4)")
SAME_T = Policy("0.9 + 0*divergence")


def logits(tokens):
    """A row that depends on all the tokens so far."""
    return np.random.default_rng([len(tokens), *tokens]).normal(0, 2, len(PIECES))


def model(**options):
    return FakeModel(PIECES, options.pop("logits", logits), **options)


def by_hand(prompt, contrast, drawn):
    """KL of the two rows by SciPy."""
    p, q = (softmax(np.asarray(logits([*tokens, *drawn]), np.float32).astype(float)) for tokens in (prompt, contrast))
    return rel_entr(p, q).sum()


def of_request(tokens, number):
    return [token for token in tokens if token.request == number]


def check_divergences(tokens, prompt, contrast):
    drawn = [token.token for token in tokens]
    for token in tokens:
        expected = by_hand(prompt, contrast, drawn[: token.position])
        assert token.signals["divergence"] == pytest.approx(expected, rel=1e-12)
        assert token.temperature == pytest.approx(0.2 + 0.9 * 2 ** (-expected / 4), rel=1e-12)


def asked(prompt=(0, 1, 2), contrast=(2,), policy=READS, seed=1, **more):
    one = make_request(prompt, policy, seed=seed, contrast=contrast, **{"max_tokens": 8, **more})
    assert one.contrast == contrast
    return one


def run_to_end(loop, found):
    """The tokens of all texts of a loop, by number, added to `found`."""
    while loop.live:
        for number, token in loop.step():
            found.setdefault(number, []).append(token)
    return found


def written(*requests):
    loop = Loop(model())
    loop.add(requests)
    return run_to_end(loop, {})


def test_the_divergence_is_that_of_the_two_rows_with_the_same_tokens_after_them():
    fake = model()
    tokens = list(generate(fake, ["abc", "d"], READS, contrast=["c", "defga"], max_tokens=6, seed=1))

    check_divergences(of_request(tokens, 0), [0, 1, 2], [2])
    check_divergences(of_request(tokens, 1), [3], [3, 4, 5, 6, 0])
    assert len({token.signals["divergence"] for token in tokens}) == 12
    assert fake.open_sessions == 0


def test_both_rows_are_computed_in_one_step_of_the_model():
    fake = model()
    steps = []
    fake.advanced = steps.append
    list(generate(fake, ["abc", "d"], READS, contrast=["c", "de"], max_tokens=4, seed=1))

    assert steps == [4, 4, 4]


def test_a_second_prompt_changes_no_token_where_the_temperature_is_the_same():
    plain = list(generate(model(), ["abc", "d"], 0.9, max_tokens=9, seed=5))
    beside = list(generate(model(), ["abc", "d"], SAME_T, contrast=["c", "dd"], max_tokens=9, seed=5))

    assert [(one.request, one.token, one.temperature) for one in plain] == [
        (one.request, one.token, one.temperature) for one in beside
    ]


def test_the_same_prompt_twice_diverges_by_nothing():
    tokens = list(generate(model(), "abc", READS, contrast="abc", max_tokens=3, seed=1))

    assert [token.signals["divergence"] for token in tokens] == [0.0] * 3


@pytest.mark.parametrize("kind", ["text", "tokens", "messages"])
def test_a_second_prompt_has_the_forms_of_a_prompt(kind):
    forms = {"text": "ce", "tokens": [2, 4], "messages": [{"role": "user", "content": "ce"}]}
    run = generate(model(chat=kind == "messages"), "abc", READS, contrast=forms[kind], max_tokens=3, seed=1)

    check_divergences(list(run), [0, 1, 2], [2, 4])
    assert run.header.settings["contrast"] == [forms[kind]]


def test_texts_of_a_batch_end_each_at_their_own_time():
    fake = FakeModel(PIECES, logits, end=[7])
    tokens = list(generate(fake, ["abc", "d", "ee"], READS, contrast=["c", "de", "a"], max_tokens=30, seed=3))
    prompts = [[0, 1, 2], [3], [4, 4]], [[2], [3, 4], [0]]

    assert len({len(of_request(tokens, number)) for number in range(3)}) > 1
    for number, (prompt, contrast) in enumerate(zip(*prompts, strict=True)):
        check_divergences(of_request(tokens, number), prompt, contrast)


@pytest.mark.parametrize("places", [0, 2, 7])
def test_texts_with_and_without_a_second_prompt_share_a_loop(places):
    """Their prompts are read in parts, texts come and go, and rows of the session are used again."""
    loop = Loop(model(), places=places, part=1)
    requests = [
        asked(max_tokens=3), asked((3,), None, Policy("0.9")), asked((4, 5), (6, 7, 1), seed=2, max_tokens=5),
        asked((5,), None, Policy("0.5"), max_tokens=2), asked((1,), (0, 0), seed=3), asked((2,), (1,), seed=4),
    ]  # fmt: skip
    found = {}
    for one in requests:
        loop.add([one])
        for number, token in loop.step():
            found.setdefault(number, []).append(token)
    run_to_end(loop, found)

    for number, one in enumerate(requests):
        if one.contrast is None:
            assert not any("divergence" in token.signals for token in found[number])
            assert {token.temperature for token in found[number]} == {float(str(one.policy))}
        else:
            check_divergences(found[number], one.prompt, one.contrast)


def test_both_rows_of_a_cancelled_text_leave_the_session():
    fake = model()
    loop = Loop(fake, places=6)
    first, second = loop.add([asked()]) + loop.add([asked((4,), (5,), seed=2)])
    loop.step()
    steps = []
    fake.advanced = steps.append
    loop.cancel(first)
    run_to_end(loop, {})
    third = loop.add([asked((4,), (5,), seed=2)])
    loop.cancel(*third)

    assert set(steps) == {2}
    assert (fake.open_sessions, fake.open_readings, second) == (0, 0, 1)


def test_a_text_cancelled_while_its_prompts_are_read_leaves_the_others_whole():
    fake = model()
    loop = Loop(fake, places=6, part=1)
    numbers = loop.add([asked(), asked((4,), (5, 5), seed=2), asked((3,), (2,), seed=3)])
    loop.read()
    loop.cancel(numbers[1])
    found = run_to_end(loop, {})

    assert sorted(found) == [numbers[0], numbers[2]]
    check_divergences(found[numbers[0]], [0, 1, 2], (2,))
    check_divergences(found[numbers[2]], [3], (2,))
    assert (fake.open_sessions, fake.open_readings) == (0, 0)


@pytest.mark.parametrize("policy", [READS, Policy("0.3 + 0.5*ema(divergence, 0.5)/50 + 0.2*prev(max_prob)")])
def test_a_text_goes_on_from_its_middle(policy):
    whole = written(asked(policy=policy))[0]
    begin = [token.token for token in whole[:3]]
    rest = written(asked(policy=policy, begin=begin, max_tokens=5))[0]

    assert [(token.token, token.temperature) for token in rest] == [
        (token.token, token.temperature) for token in whole[3:]
    ]


def test_the_longer_prompt_of_the_two_limits_the_text():
    tokens = list(generate(model(context=8), "a", READS, contrast="abcdef", seed=1))

    assert len(tokens) == 3
    assert tokens[-1].finish == "length"


def test_coupled_texts_have_second_prompts_of_their_own():
    leader, follower = written(*coupled([asked(policy=Policy("0.9"), contrast=None), asked()])).values()

    assert follower[0].origin in ("kept", "parted")
    assert not any("divergence" in token.signals for token in leader)
    check_divergences(follower, [0, 1, 2], (2,))


def test_a_run_follows_a_trace_and_its_own_trace_replays(tmp_path):
    list(generate(model(), "abc", 0.9, max_tokens=6, seed=4, trace=tmp_path / "plain.jsonl"))
    followed = Trace.open(tmp_path / "plain.jsonl")
    path = tmp_path / "guided.jsonl"
    tokens = list(generate(model(), "abc", READS, contrast="c", max_tokens=6, follow=followed, trace=path))
    trace = Trace.open(path)

    assert trace.header.run().contrast == ["c"]
    assert [token.signals["divergence"] for token in trace] == [token.signals["divergence"] for token in tokens]
    assert [one.temperature for one in replays(trace.header, tokens)] == [token.temperature for token in tokens]
    hotter = replays(trace.header, tokens, Policy("1 + divergence"))
    assert [one.temperature for one in hotter] == [1 + token.signals["divergence"] for token in tokens]
    with pytest.raises(PolicyError, match=r"these records do not hold: .* contrast="):
        replays(followed.header, list(followed), READS)


def test_a_policy_and_its_second_prompt_need_each_other():
    with pytest.raises(PolicyError, match=r"needs a second prompt: pass contrast= .* --contrast"):
        generate(model(), "a", READS)
    with pytest.raises(ValueError, match=r"has no effect: `0\.7` does not read `divergence`"):
        generate(model(), "a", 0.7, contrast="b")
    with pytest.raises(ValueError, match="contrast has 1 prompts for a batch of 2"):
        generate(model(), ["a", "b"], READS, contrast=["b"])
    with pytest.raises(ModelError, match="8 tokens and the context holds 4"):
        generate(model(context=4), "a", READS, contrast="abcdefgh")


def test_a_broken_row_of_the_second_prompt_is_an_error():
    def broken(tokens):
        return [np.nan] * 8 if tokens[0] == 2 and len(tokens) == 3 else logits(tokens)

    fake = model(logits=broken)
    run = generate(fake, "ab", READS, contrast="c", seed=1)
    next(run)
    next(run)

    with pytest.raises(InvalidLogitsError, match="position 2 hold NaN"):
        next(run)
    assert fake.open_sessions == 0


ROWS = [np.random.default_rng(seed).normal(0, 3, 40) for seed in range(4)]


@pytest.mark.parametrize(("z", "other"), [*pairwise(ROWS), (ROWS[0] * 20, ROWS[1] * 20)])
def test_the_divergence_is_exact_to_forty_digits(z, other):
    with mp.workdps(40):
        p, q = ([mp.exp(mpf(float(one))) for one in row] for row in (z, other))
        p, q = ([one / mp.fsum(row) for one in row] for row in (p, q))
        expected = mp.fsum(a * mp.log(a / b) for a, b in zip(p, q, strict=True))

    assert divergence(z, other) == pytest.approx(float(expected), rel=1e-12)
    assert divergence(z + 100, other - 7) == pytest.approx(float(expected), rel=1e-10)


def test_entries_masked_in_one_row_are_left_out_of_both():
    z, other = np.array([1.0, 2, 3, -np.inf]), np.array([2.0, 1, -np.inf, 5])

    assert divergence(z, other) == pytest.approx(divergence(z[:2], other[:2]), rel=1e-15)
    assert divergence(np.array([0.0, -np.inf]), np.array([-np.inf, 0.0])) == np.inf


@pytest.mark.parametrize(("own", "second"), [([0.0, -np.inf], [-np.inf, 0.0]), ([0.0, -900.0], [-900.0, 0.0])])
def test_rows_with_nothing_in_common_have_the_largest_divergence(own, second):
    fake = FakeModel([b"a", b"b"], lambda tokens: [own, second][tokens[0]])
    (token,) = generate(fake, "a", "divergence/50", contrast="b", max_tokens=1, seed=1)

    assert (token.signals["divergence"], token.temperature) == (50.0, 1.0)


@pytest.mark.parametrize(
    ("kl", "sigma", "t"),
    [(0.5, 0.25, 0.25), (0.5, 1, 0.70711), (0.5, 4, 0.91700), (1, 0.25, 0.0625), (1, 4, 0.84090), (2, 0.25, 0.0039063)],
)
def test_kl_guided_temperatures_have_the_published_values(kl, sigma, t):
    """Values of arXiv:2306.01286, T0 = 1, from rows of two entries with this divergence."""
    half = float(np.sqrt(1 - np.exp(-2 * kl)))  # KL((1/2, 1/2) || (q, 1 - q)) = -ln(4 q (1 - q))/2
    other = np.log([(1 - half) / 2, (1 + half) / 2])
    found = divergence(np.zeros(2), other)

    assert found == pytest.approx(kl, rel=1e-12)
    policy = f"2**(-divergence/{sigma})"
    assert temperatures(np.zeros(2), policy, given={"divergence": found}) == pytest.approx(t, rel=5e-5)


def clipped(z, other):
    """The paper's own code: probabilities below 1e-7 are raised to it."""
    p, q = (np.clip(softmax(row), 1e-7, 1) for row in (z, other))
    return max(float(np.sum(p * np.log(p / q))), 0.0)


def test_the_papers_clipped_divergence_agrees_where_nothing_falls_below_its_floor():
    for z, other in pairwise(row / 3 for row in ROWS):
        assert min(softmax(z).min(), softmax(other).min()) > 1e-7
        assert divergence(z, other) == pytest.approx(clipped(z, other), rel=1e-12)


def test_the_papers_divergence_is_smaller_where_the_second_prompt_rules_a_token_out():
    z, other = np.array([0.0, 0.0]), np.array([0.0, -40.0])

    assert clipped(z, other) == pytest.approx(0.5 * np.log(0.5) + 0.5 * np.log(0.5 / 1e-7), rel=1e-6)
    assert divergence(z, other) == pytest.approx(0.5 * np.log(0.5) + 0.5 * (np.log(0.5) + 40), rel=1e-12)
    assert all(clipped(3 * z, 3 * other) < divergence(3 * z, 3 * other) for z, other in pairwise(ROWS))


def test_entries_that_the_first_prompt_rules_out_lower_the_papers_divergence_by_little():
    """The most that they can: the second row is uniform over a vocabulary of 49,152."""
    z = np.full(49_152, -40.0)
    z[0] = 0.0
    flat = np.zeros(len(z))

    assert 0 < divergence(z, flat) - clipped(z, flat) < 0.03


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs `dyntemp generate` on a model without weights: its exit code, output and messages."""
    fake = FakeModel(
        [bytes([code]) for code in range(32, 127)], lambda tokens: [len(tokens) % 5, *[sum(tokens) % 7] * 94]
    )
    monkeypatch.setattr("dyntemp.cli.common.load_model", lambda name, **options: fake)

    def run(*arguments):
        try:
            code = main(["generate", "-n", "3", "--seed", "1", *arguments])
        except SystemExit as error:
            code = error.code
        return code, *capsys.readouterr()

    return run


def test_the_command_takes_a_second_prompt_from_its_line_or_a_file(command, tmp_path):
    (tmp_path / "second.txt").write_text("bc\n", encoding="utf-8")
    outputs = []
    for second in (["--contrast", "bc"], ["--contrast-file", str(tmp_path / "second.txt")]):
        code, out, _ = command("--policy", "0.2 + divergence", *second, "--jsonl", "a")
        assert code == 0
        outputs.append(out)
    first = json.loads(outputs[0].splitlines()[0])

    assert outputs[0] == outputs[1]
    assert first["temperature"] == pytest.approx(0.2 + first["signals"]["divergence"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--policy", "0.2 + divergence"], "--contrast to `dyntemp generate`"),
        (["--policy", "0.7", "--contrast", "b"], "a second prompt (contrast) has no effect: `0.7` does not read"),
        (["--policy", "divergence", "--contrast", "b", "--contrast-file", "c"], "not allowed with argument"),
    ],
)
def test_the_command_refuses_a_second_prompt_that_does_not_fit(command, arguments, words):
    code, out, err = command(*arguments, "a")

    assert (code, out) == (2, "")
    assert words in err.replace("\n", " ")


def bundled():
    if not has_bundled():
        pytest.skip("the bundled model is not installed")
    return load_model("smollm2", threads=1)


def of_torch(state):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    if state == "hidden":
        network = torch.nn.GRU(16, 16, batch_first=True)
    embed, out = torch.nn.Embedding(12, 16), torch.nn.Linear(16, 12)

    class Network(torch.nn.Module):
        def forward(self, tokens, hidden=None):
            states = embed(tokens)
            if state == "none":
                return out(states.cumsum(1))
            states, hidden = network(states, hidden)
            return out(states), hidden

    tokenizer = SimpleNamespace(encode=lambda text: [ord(one) % 12 for one in text], decode=lambda tokens: str(tokens))
    return TorchModel(Network(), tokenizer, state=state)


def of_transformers():
    pytest.importorskip("transformers")
    from tests.models.tiny import llama, model_of

    return model_of(llama())


MODELS = {
    "llama_cpp": bundled,
    "transformers": of_transformers,
    "torch_module": lambda: of_torch("none"),
    "torch_module, recurrent": lambda: of_torch("hidden"),
}


@pytest.mark.parametrize("kind", MODELS)
def test_every_model_reads_a_second_prompt(kind):
    """The divergences are those of rows that sessions of one prompt each compute."""
    real = MODELS[kind]()
    prompts, contrasts = [[3, 4, 5], [6, 7]], [[5], [1, 2, 3, 4]]
    tokens = list(generate(real, prompts, READS, contrast=contrasts, max_tokens=3, seed=1))

    def row(prompt):
        session = real.start([prompt])
        found = np.asarray(session.logits()[0]).astype(float)
        session.close()
        return found

    for number, (prompt, contrast) in enumerate(zip(prompts, contrasts, strict=True)):
        own = of_request(tokens, number)
        assert len(own) == 3
        for token in own:
            drawn = [one.token for one in own[: token.position]]
            p, q = (softmax(row([*before, *drawn])) for before in (prompt, contrast))
            assert token.signals["divergence"] == pytest.approx(rel_entr(p, q).sum(), rel=0.02, abs=2e-4)
