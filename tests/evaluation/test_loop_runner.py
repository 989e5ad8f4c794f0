"""The runner of our own loop, on a model without weights."""

import numpy as np
import pytest
from tests.requested import make_request

from dyntemp.distribution.filters import Filters
from dyntemp.errors import InvalidLogitsError, ModelError, PolicyError
from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.loop_runner import LoopRunner
from dyntemp.evaluation.runner import Job
from dyntemp.evaluation.task import Item, listed_score
from dyntemp.generation.loop import Loop
from dyntemp.language.policy import Policy
from dyntemp.testing import FakeModel

PIECES = [bytes([letter]) for letter in b"abcdefghi"] + [b""]
END = len(PIECES) - 1


def logits(tokens):
    """A row that depends on all the tokens so far."""
    return np.random.default_rng([len(tokens), *tokens]).normal(0, 2, len(PIECES))


def model(**options):
    return FakeModel(PIECES, logits, end=[END], **options)


class Listed:
    """A task of listed answers."""

    name, group, metric, about = "listed", "text", "accuracy", "Texts of listed answers."

    def items(self, split, count, seed=0):
        raise NotImplementedError

    score = staticmethod(listed_score)


def item(name="one", prompt="ab", **more):
    return Item(id=name, cluster="all", prompt=prompt, **{"max_tokens": 12, **more})


def arm(policy="0.4 + 0.5*normalized_entropy", filters="", name=None, **more):
    chain = Filters.read(filters)
    return Arm(name=name or f"{policy} {filters}", family="family", policy=Policy(policy), filters=chain, **more)


def jobs_of(items, arms, samples):
    return [
        Job(Listed(), item, arm, number, seed=7, request=1000 * at + number)
        for at, item in enumerate(items)
        for arm in arms
        for number in range(samples)
    ]


ARMS = [
    arm(), arm("0.9", "min_p(0.1)"), arm("0"), arm("clip(0.5 + ema(entropy, 0.5)/4, 0.1, 2)"),
    arm("1.5", "xtc(0.1, 0.5)"),
]  # fmt: skip
ITEMS = [item("one", "ab"), item("two", "bca", stop=("d", "ef")), item("three", "c", max_tokens=3)]


def written(runner, jobs):
    """The samples in the order of the jobs."""
    found = {(job.item.id, job.arm.name, job.number): sample for job, sample in runner.run(iter(jobs))}
    return [found[job.item.id, job.arm.name, job.number] for job in jobs]


def alone(job, **more):
    """The records of a job's text, written alone."""
    loop = Loop(model())
    request = make_request(
        model().encode(job.item.prompt), job.arm.policy, number=job.request, seed=job.seed,
        max_tokens=job.item.max_tokens, stop=job.item.stop, filters=job.arm.filters, **more,
    )  # fmt: skip
    loop.add([request])
    tokens = []
    while loop.live:
        tokens += [token for _, token in loop.step()]
    return tokens


@pytest.mark.parametrize("batch", [1, 4, 64])
def test_a_text_is_what_it_is_alone_in_any_batch(batch):
    jobs = jobs_of(ITEMS, ARMS, 3)

    for job, sample in zip(jobs, written(LoopRunner(model(), batch=batch), jobs), strict=True):
        tokens = alone(job)
        assert sample.text == "".join(token.text for token in tokens)
        assert (sample.item, sample.number, sample.tokens) == (job.item.id, job.number, len(tokens))
        assert sample.finish == tokens[-1].finish
        assert sample.temperature == tuple(token.temperature for token in tokens)
        np.testing.assert_allclose(sample.entropy, [token.signals["entropy"] for token in tokens])
        np.testing.assert_allclose(sample.max_prob, [token.signals["max_prob"] for token in tokens])
        assert sample.surprisal == tuple(token.surprisal for token in tokens)
        np.testing.assert_allclose(sample.log_prob, [-token.surprisal_after for token in tokens], rtol=1e-6, atol=1e-6)


def test_a_stop_text_is_no_part_of_the_text_and_is_scored_without_it():
    jobs = jobs_of([item(max_tokens=40, stop=("d",), answers={"": "nothing"})], [arm("1")], 30)

    samples = written(LoopRunner(model()), jobs)

    assert any(sample.finish == "stop" for sample in samples)
    assert all("d" not in sample.text for sample in samples)
    assert [sample.score.correct for sample in samples] == [sample.text == "" for sample in samples]


def test_the_batch_stays_full_and_jobs_are_read_as_places_become_free():
    fake, taken, steps = model(), [], []
    fake.advanced = steps.append

    def jobs():
        for job in jobs_of(ITEMS, ARMS, 10):
            taken.append(job)
            yield job

    running = LoopRunner(fake, batch=5).run(jobs())
    ended = 0
    for _ in running:
        ended += 1
        assert len(taken) <= ended + 5
    assert ended == 150
    assert max(steps) == 5
    assert sum(steps) / len(steps) > 3.5  # texts that end at their first token leave a place for a step


def test_equal_prompts_that_join_together_are_read_once():
    fake, read = model(), []
    fake.read = read.append

    written(LoopRunner(fake, batch=8), jobs_of([item(prompt="abcabc")], [arm("1")], 8))

    assert read == [6]


def test_later_runs_read_no_prompt_again():
    fake, read = model(), []
    fake.read = read.append
    runner = LoopRunner(fake, batch=8)
    first = written(runner, jobs_of([item(prompt="abcabc")], [arm("1")], 8))

    assert first == written(runner, jobs_of([item(prompt="abcabc")], [arm("1")], 8))
    assert read == [6]


def test_closing_ends_what_runs():
    runner, jobs = LoopRunner(model(), batch=4), jobs_of([item(max_tokens=50)], [arm("0.1")], 20)
    running = runner.run(jobs)
    next(running)
    running.close()

    assert written(runner, jobs) == written(LoopRunner(model(), batch=4), jobs)


def test_an_error_frees_the_session():
    def broken(tokens):
        return logits(tokens) if len(tokens) < 4 else np.full(len(PIECES), np.nan)

    fake = FakeModel(PIECES, broken, end=[END])
    with pytest.raises(InvalidLogitsError):
        list(LoopRunner(fake, batch=4).run(jobs_of([item()], [arm("3")], 8)))

    assert fake.open_sessions == fake.open_readings == 0


def test_a_conversation_goes_into_the_template_and_text_does_not():
    fake = model(chat=True)
    fake.encode_chat = lambda messages: [8, *fake.encode(messages[0]["content"])]
    plain, chat = item("plain", "ab"), item("chat", [{"role": "user", "content": "ab"}])
    plain_text, chat_text = (
        written(LoopRunner(fake), jobs_of([one], [arm("0.9")], 1))[0].text for one in (plain, chat)
    )

    assert plain_text == written(LoopRunner(model()), jobs_of([item()], [arm("0.9")], 1))[0].text
    assert chat_text == written(LoopRunner(model()), jobs_of([item(prompt="iab")], [arm("0.9")], 1))[0].text


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (arm("1 + divergence"), "second prompt"),
        (arm('given("t", 0, 2)'), "given"),
        (arm('given("t", 0, 2)', given={"one": {"t": [1.0, 3.0]}}), "3"),
        (arm('given("t", 0, 2)', given={"one": {"t": []}}), "a list with a number"),
        (arm('given("t", 0, 2)', given={"one": {"t": [1.0]}, "two": {}}), "given"),
        (arm('1 + inside("nowhere")'), "nowhere"),
        (arm("t0 + entropy"), "t0"),
    ],
)
def test_an_arm_that_cannot_be_run_is_refused_before_any_run(refused, reason):
    with pytest.raises(PolicyError, match=reason):
        LoopRunner(model()).check(refused)


def test_numbers_of_an_arm_are_those_of_its_item_by_position():
    series = {"one": {"t": [1.0, 0.25, 2.0]}, "two": {"t": [0.5]}}
    jobs = jobs_of([item("one"), item("two")], [arm('given("t", 0, 2)', given=series)], 4)

    for job, sample in zip(jobs, written(LoopRunner(model()), jobs), strict=True):
        numbers = series[job.item.id]["t"]
        assert sample.temperature == tuple(numbers[at % len(numbers)] for at in range(sample.tokens))


def test_arms_that_can_be_run_are_not_refused():
    for one in [*ARMS, arm('given("t", 0, 2)', given={"one": {"t": [1.0, 0.0]}, "two": {"t": [2.0]}})]:
        LoopRunner(model()).check(one)


def test_a_prompt_that_does_not_fit_is_refused():
    with pytest.raises(ModelError, match="context"):
        list(LoopRunner(model(context=4)).run(jobs_of([item(prompt="abcabc")], [arm()], 1)))


def test_a_batch_of_no_places_is_refused():
    with pytest.raises(ValueError, match="batch"):
        LoopRunner(model(), batch=0)


READ = arm('clip(0.5 + ema(entropy, 0.5)/4 + position/50 + 0.1*requested + given("t", 0, 1)/9, 0.1, 2)',
           "min_p(0.05)", given={"one": {"t": [0.25, 1.0]}})  # fmt: skip


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("asked", [arm(), arm("0.9", "min_p(0.1)"), arm("0.7", "typical(0.8)"), READ])
def test_curves_tell_the_probability_of_each_draw(asked, backend):
    jobs = [job._replace(curves=True) for job in jobs_of([item()], [asked], 8)]

    for sample in written(LoopRunner(model(), batch=4, backend=backend), jobs):
        draws = sample.curves.at(np.log(sample.temperature))
        assert sample.curves.count == sample.tokens
        np.testing.assert_allclose(draws.log_prob, sample.log_prob, rtol=1e-6, atol=1e-6)


def test_signals_are_the_numbers_that_the_policy_read():
    jobs = [job._replace(curves=True) for job in jobs_of([item()], [READ], 4)]

    for job, sample in zip(jobs, written(LoopRunner(model()), jobs), strict=True):
        tokens = alone(job, given={"t": [0.25, 1.0]})
        assert sample.signals == {
            "entropy": tuple(token.signals["entropy"] for token in tokens),
            "position": tuple(map(float, range(sample.tokens))),
            "requested": (1.0,) * sample.tokens,
            'given("t", 0, 1)': tuple((0.25, 1.0)[at % 2] for at in range(sample.tokens)),
        }


def test_curves_change_no_text_and_are_in_no_file():
    jobs = jobs_of(ITEMS, [arm(), arm("0.9", "min_p(0.1)")], 3)
    plain = written(LoopRunner(model()), jobs)
    asked = [job._replace(curves=number % 2 == 0) for number, job in enumerate(jobs)]
    with_curves = written(LoopRunner(model()), asked)

    assert [sample.curves is not None for sample in with_curves] == [job.curves for job in asked]
    assert [sample.to_json() for sample in plain] == [sample.to_json() for sample in with_curves]
    assert plain[1] == with_curves[1]


def test_curves_under_filters_that_read_the_temperature_are_refused():
    for filters in ("temperature, min_p(0.1)", "xtc(0.1, 0.5)"):
        runner = LoopRunner(model())
        with pytest.raises(ValueError, match="the curve of a draw needs filters"):
            list(runner.run(job._replace(curves=True) for job in jobs_of([item()], [arm("1", filters)], 1)))
        assert written(runner, jobs_of([item()], [arm("1", filters)], 1))
