"""The runner of servers: our own behind a socket, and servers that fail, or speak as vLLM and OpenAI do."""

import json
import threading
import time

import numpy as np
import pytest

pytest.importorskip("openai")
pytest.importorskip("uvicorn")
starlette = pytest.importorskip("starlette.applications")

from starlette.responses import JSONResponse  # noqa: E402
from starlette.routing import Route  # noqa: E402
from tests.evaluation.test_loop_runner import arm, item, jobs_of  # noqa: E402
from tests.serve.models import repeating, serving, settled, wandering_model  # noqa: E402

from dyntemp import generate  # noqa: E402
from dyntemp.distribution.filters import Filters  # noqa: E402
from dyntemp.errors import EngineError  # noqa: E402
from dyntemp.evaluation import server_runner  # noqa: E402
from dyntemp.evaluation.host_fields import seed_of, vllm_filters  # noqa: E402
from dyntemp.evaluation.server_runner import ServerRunner  # noqa: E402
from dyntemp.serve.app import make_app  # noqa: E402

REPLAYS = arm('given("t", 0, 1e6)', name="replays", given={"one": {"t": [0.5, 1e6]}})
CHAT = item(name="two", prompt=[{"role": "user", "content": "hi"}])


def expected(job):
    """The tokens of a job, from our own loop with the seed that the server is sent."""
    return list(generate(
        wandering_model(), job.item.prompt, job.arm.policy, chat=None if job.item is CHAT else False,
        filters=job.arm.filters, seed=seed_of(job), max_tokens=job.item.max_tokens, stop=job.item.stop, alternatives=1,
        given={name: list(numbers) for name, numbers in job.arm.given.get(job.item.id, {}).items()},
    ))  # fmt: skip


@pytest.fixture(scope="module")
def address():
    with serving(make_app(wandering_model())) as found:
        yield found


def test_samples_are_those_of_our_own_loop_with_the_numbers_of_their_tokens(address):
    runner = ServerRunner(f"{address}/v1/", kind="dyntemp", concurrency=3)
    arms = [arm(), arm("0.9", "min_p(0.1), temperature, top_p(0.9)")]
    stopped = item(name="stopped", max_tokens=40, stop=("a", "~"))
    jobs = [*jobs_of([item(), CHAT, stopped], arms, 2), *jobs_of([item()], [REPLAYS], 1)]
    found = list(runner.run(jobs))

    assert runner.name == "fake"
    assert sorted(map(jobs.index, (job for job, _ in found))) == list(range(len(jobs)))
    for job, sample in found:
        tokens = expected(job)
        assert sample.text == "".join(token.text for token in tokens)
        assert (sample.item, sample.number, sample.tokens) == (job.item.id, job.number, len(tokens))
        assert sample.finish == tokens[-1].finish
        assert sample.temperature == tuple(token.temperature for token in tokens)
        assert sample.entropy == tuple(token.signals["entropy"] for token in tokens)
        assert sample.max_prob == pytest.approx([token.signals["max_prob"] for token in tokens], rel=1e-6)
        assert sample.surprisal == pytest.approx([token.surprisal for token in tokens], rel=1e-9)
        assert sample.log_prob == pytest.approx([-token.surprisal_after for token in tokens], rel=1e-9)
        if job.arm is REPLAYS:
            assert sample.temperature[:3] == (0.5, 1e6, 0.5)
    assert {sample.finish for _, sample in found} == {"length", "stop"}


def test_curves_are_those_of_the_draws(address):
    arms = [arm("0.3 + 0.2*entropy + 0.1*min(position, 2)"), arm("0.9", "min_p(0.1)")]
    jobs = [job._replace(curves=True) for job in jobs_of([item(), CHAT], arms, 2)]
    for job, sample in ServerRunner(address, kind="dyntemp").run(jobs):
        draws, static = sample.curves.at(np.log(sample.temperature)), sample.curves.at(0.0)

        assert sample.curves.count == sample.tokens == 12
        np.testing.assert_allclose(draws.log_prob, sample.log_prob, atol=2e-6)
        if job.arm is arms[0]:
            np.testing.assert_allclose(static.log_prob, np.negative(sample.surprisal), atol=2e-6)
            assert sample.signals == {"position": (*map(float, range(12)),), "entropy": sample.entropy}


@pytest.mark.usefixtures("hasty")
def test_what_has_no_curve_is_refused(address):
    (after,) = jobs_of([item()], [arm("0.9", "temperature, top_p(0.9)")], 1)
    with pytest.raises(EngineError, match="the curve of a draw needs filters that stand before `temperature`"):
        list(ServerRunner(address, kind="dyntemp").run([after._replace(curves=True)]))
    for kind, words in (("vllm", "workers write to their own disks, tells none"), (None, "no policies tells none")):
        with pytest.raises(EngineError, match=rf"{words}: .*\(`--vllm`\)"):
            list(ServerRunner(address, kind=kind).run([after._replace(curves=True)]))


def test_jobs_are_taken_as_places_become_free_and_closing_ends_what_runs():
    taken, lengths = [], []

    def logits(tokens):
        lengths.append(len(tokens))
        time.sleep(0.01)
        return repeating(tokens)

    def jobs():
        for job in jobs_of([item(prompt="ab|", max_tokens=3), item(prompt="ab|", max_tokens=400)], [arm("0.1")], 20):
            taken.append(job)
            yield job

    app = make_app(wandering_model(logits=logits))
    with serving(app) as found:
        running = ServerRunner(found, kind="dyntemp", concurrency=3).run(jobs())
        for number in range(1, 20):
            _, sample = next(running)
            assert sample.text == "aba"
            assert len(taken) <= number + 3
        running.close()
        assert settled(app.state.server)
    assert 100 > max(lengths)
    assert len(taken) < 25
    assert not [one for one in threading.enumerate() if "run_forever" in one.name]


@pytest.mark.parametrize(
    ("kind", "refused", "reason"),
    [
        ("dyntemp", arm("0.1 + divergence"), "leave the arm out"),
        ("dyntemp", arm('given("t", 0, 1)', given={"one": {"t": [0.5, 3]}}), "outside its range"),
        ("dyntemp", arm("t0 + entropy"), "t0"),
        ("vllm", arm("0.1 + surprisal"), "surprisal"),
        ("vllm", arm('given("t", 0, 1)'), "send it in the request"),
        ("vllm", arm('given("t", 0, 1)', given={"one": {"t": [0.5, 3]}}), "outside its range"),
        ("vllm", arm("0.5", "top_p(0.9)"), r"in the order of `min_p\(0.05\), temperature"),
        (None, arm(), 'pass kind="dyntemp"'),
        (None, arm("0.7", "min_p(0.1)"), "neither top_k nor min_p"),
    ],
)
def test_arms_that_a_server_cannot_run_are_refused(kind, refused, reason):
    with pytest.raises(ValueError, match=reason):
        ServerRunner("http://127.0.0.1:9", "m", kind=kind).check(refused)


def test_arms_that_a_server_can_run_are_not_refused():
    for kind, some in (
        ("dyntemp", [arm(), REPLAYS, arm("0.7", "typical(0.9), temperature, xtc(0.1, 0.5)")]),
        ("vllm", [arm(), REPLAYS, arm("0.7", "min_p(0.1)"), arm("0.7", "top_k(5), temperature, top_p(0.9)")]),
        (None, [arm("0.7"), arm("0"), arm("1.1", "temperature, top_p(0.9)")]),
    ):
        for one in some:
            ServerRunner("http://127.0.0.1:9", "m", kind=kind).check(one)


@pytest.mark.parametrize(
    "chain",
    [
        "min_p(0.1), temperature, min_p(0.2)",
        "temperature, top_p(0.9), top_k(5)",
        "temperature, min_p(0.1)",
        "xtc(0.1, 0.5)",
    ],
)
def test_filters_in_another_order_than_that_of_vllm_are_refused(chain):
    with pytest.raises(EngineError, match="write them so"):
        vllm_filters(Filters.read(chain))


class Fake:
    """A server that answers with these statuses in turn, and then with 200; it keeps what it was sent."""

    def __init__(self, *statuses, **more):
        self.statuses, self.more, self.bodies = [*statuses], more, []
        self.app = starlette.Starlette(routes=[
            Route("/v1/completions", self.complete, methods=["POST"]),
            Route("/v1/models", lambda _: JSONResponse({"object": "list", "data": [
                {"id": "first", "object": "model", "created": 0, "owned_by": "me"}]})),
        ])  # fmt: skip

    async def complete(self, request):
        self.bodies.append(json.loads(await request.body()))
        if self.statuses and (status := self.statuses.pop(0)) != 200:
            return JSONResponse({"error": {"message": f"as told, {status}"}}, status)
        choice = {"index": 0, "text": "four", "finish_reason": "stop", "logprobs": None, **self.more}
        usage = {"prompt_tokens": 2, "completion_tokens": 7, "total_tokens": 9}
        return JSONResponse({"id": "x", "object": "text_completion", "created": 0, "model": "first",
                             "choices": [choice], "usage": usage})  # fmt: skip


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(server_runner, "PAUSES", (0.01, 0.01))


@pytest.mark.usefixtures("hasty")
def test_a_busy_server_is_asked_again_and_gives_one_sample_for_each_job():
    fake = Fake(503, 429, 200, 503)
    jobs = jobs_of([item()], [arm("0.7")], 3)
    with serving(fake.app) as address:
        found = list(ServerRunner(address, concurrency=1).run(jobs))

    assert [job for job, _ in found] == jobs
    assert len(fake.bodies) == 6
    assert [(sample.text, sample.tokens, sample.temperature) for _, sample in found] == [("four", 7, ())] * 3


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("statuses", "tries", "message"),
    [
        (
            [503] * 3,
            3,
            "sample 0 of the item 'one' of listed under the arm '0.7 ' was given up after 3.*told, 503",
        ),
        ([400], 1, "sample 0 of the item 'one' of listed .*refused by http.*as told, 400"),
    ],
)
def test_a_job_that_fails_is_named(statuses, tries, message):
    fake = Fake(*statuses)
    with serving(fake.app) as address, pytest.raises(EngineError, match=message):
        list(ServerRunner(address, concurrency=1).run(jobs_of([item()], [arm("0.7")], 5)))

    assert len(fake.bodies) == tries


@pytest.mark.usefixtures("hasty")
def test_a_server_that_does_not_run_is_told():
    with pytest.raises(EngineError, match=r"127\.0\.0\.1:9/v1 tells no model"):
        ServerRunner("http://127.0.0.1:9")
    with pytest.raises(EngineError, match="given up after 3 tries"):
        list(ServerRunner("http://127.0.0.1:9", "m").run(jobs_of([item()], [arm("0.7")], 1)))


def test_vllm_is_sent_its_own_fields_and_tells_a_stop_text_from_the_end():
    for reason, finish in (("\n", "stop"), (None, "end")):
        fake = Fake(stop_reason=reason)
        one = arm('given("t", 0, 1e6)', "min_p(0.1), temperature, top_k(9)", given=dict(REPLAYS.given))
        (job,) = jobs_of([item(stop=("\n",))], [one], 1)
        with serving(fake.app) as address:
            ((_, sample),) = ServerRunner(address, kind="vllm").run([job])

        assert fake.bodies == [{
            "model": "first", "prompt": "ab", "max_tokens": 12, "seed": seed_of(job), "stop": ["\n"],
            "vllm_xargs": {"dyntemp": 'given("t", 0, 1000000)', "dyntemp_given": '{"t": [0.5, 1000000.0]}'},
            "temperature": 1.0, "top_p": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0, "top_k": 9,
            "min_p": 0.1, "repetition_penalty": 1.0,
        }]  # fmt: skip
        assert (sample.finish, sample.tokens, sample.entropy) == (finish, 7, ())


def test_a_server_without_policies_is_sent_a_temperature_and_top_p():
    fake = Fake()
    (job,) = jobs_of([item()], [arm("0.7", "temperature, top_p(0.9)")], 1)
    with serving(fake.app) as address:
        list(ServerRunner(address).run([job]))

    assert fake.bodies == [
        {"model": "first", "prompt": "ab", "max_tokens": 12, "seed": seed_of(job), "temperature": 0.7, "top_p": 0.9}
    ]


def test_seeds_are_equal_where_seed_and_request_are():
    first, second, *_ = jobs_of([item()], [arm("0.1")], 2)
    (other, *_) = jobs_of([item()], [arm("0.9")], 1)

    assert seed_of(first) == seed_of(other) != seed_of(second)
    assert 0 <= seed_of(first) < 2**63
