"""Limits, keys, hosts, and clients that leave, stall or send nonsense."""

import asyncio
import json
import socket
import threading
import time
from contextlib import suppress

import pytest
from tests.serve.models import repeated, repeating_model, serving, settled, wandering_model

from dyntemp.serve import ServerSettings
from dyntemp.serve.app import make_app

TEXT = "/v1/completions"


def dial(address):
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def head(path, *headers, method="POST", host="127.0.0.1"):
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", *headers, "", ""]).encode()


def request(path, body, *headers):
    content = json.dumps(body).encode()
    return head(path, "Content-Type: application/json", f"Content-Length: {len(content)}", *headers) + content


def answer(connection):
    """All that comes until the server hangs up."""
    found = b""
    while part := connection.recv(65536):
        found += part
    return found.decode()


def exchange(address, *parts):
    with dial(address) as connection:
        for part in parts:
            connection.sendall(part)
        return answer(connection)


def test_a_body_that_says_it_is_too_large_is_not_read():
    with serving(make_app(wandering_model(), settings=ServerSettings(max_body=2000))) as address:
        found = exchange(address, head(TEXT, "Content-Type: application/json", "Content-Length: 2001"))

    assert found.startswith("HTTP/1.1 413")
    assert "larger than the 2000 bytes allowed" in found


def test_a_body_that_does_not_say_how_large_it_is_is_cut_off():
    with (
        serving(make_app(wandering_model(), settings=ServerSettings(max_body=2000))) as address,
        dial(address) as connection,
    ):
        connection.sendall(head(TEXT, "Content-Type: application/json", "Transfer-Encoding: chunked"))
        for _ in range(30):
            connection.sendall(b"64\r\n" + b" " * 100 + b"\r\n")
        found = answer(connection)

    assert found.startswith("HTTP/1.1 413")


def test_a_policy_of_a_megabyte_is_answered_although_nobody_keeps_it():
    body = {"prompt": "x", "policy": "1+" * 1_500_000}
    with serving(make_app(wandering_model())) as address:
        found = exchange(address, request(TEXT, body))

    assert found.startswith("HTTP/1.1 413")
    assert "larger than the 1000000 bytes allowed" in found


def test_a_body_without_end_is_not_listened_to_for_long():
    app = make_app(wandering_model(), settings=ServerSettings(max_body=2000))
    with serving(app) as address, dial(address) as connection:
        connection.sendall(head(TEXT, "Content-Type: application/json", "Transfer-Encoding: chunked"))
        began = time.monotonic()
        with suppress(ConnectionError):
            while time.monotonic() - began < 30:
                connection.sendall(b"64\r\n" + b" " * 100 + b"\r\n")
                time.sleep(0.01)
    assert time.monotonic() - began < 20


def test_a_body_in_chunks_is_read():
    content = json.dumps({"prompt": "ab|", "max_tokens": 4}).encode()
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(content[at : at + 5]), content[at : at + 5]) for at in range(0, len(content), 5)
    )
    opening = head(TEXT, "Content-Type: application/json", "Transfer-Encoding: chunked", "Connection: close")
    with serving(make_app(repeating_model())) as address:
        found = exchange(address, opening, chunks, b"0\r\n\r\n")

    assert '"text":"abab"' in found


def test_a_body_that_does_not_come_is_not_waited_for():
    with serving(make_app(wandering_model(), settings=ServerSettings(patience=0.2))) as address:
        found = exchange(address, head(TEXT, "Content-Type: application/json", "Content-Length: 50"), b'{"pro')

    assert found.startswith("HTTP/1.1 408")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("received", [0, 1])
def test_a_client_that_leaves_ends_its_run(stream, received):
    app = make_app(repeating_model(seconds=0.005))
    server = app.state.server
    with serving(app) as address:
        with dial(address) as connection:
            connection.sendall(request(TEXT, {"prompt": "ab|", "max_tokens": 4000, "stream": stream}))
            until = time.monotonic() + 10
            while not server.worker.live and time.monotonic() < until:
                time.sleep(0.005)
            if stream and received:
                assert connection.recv(100)
        assert settled(server, 5)
        assert '"status":"ok"' in exchange(address, head("/health", "Connection: close", method="GET"))
    written = server.metrics.text().decode().split("\ndyntemp_generated_tokens_total ")[1].split()[0]
    assert float(written) < 2000


def test_a_client_that_leaves_the_queue_never_begins():
    app = make_app(repeating_model(seconds=0.002), settings=ServerSettings(batch=1))
    with serving(app) as address, dial(address) as first:
        first.sendall(request(TEXT, {"prompt": "ab|", "max_tokens": 400, "stream": True, "policy": "1"}))
        assert first.recv(100)
        with dial(address) as second:
            second.sendall(request(TEXT, {"prompt": "cd|", "max_tokens": 400, "policy": "0.9"}))
            until = time.monotonic() + 10
            while app.state.server.worker.waiting != 1 and time.monotonic() < until:
                time.sleep(0.002)
            assert 1 == app.state.server.worker.waiting
        while app.state.server.worker.waiting and time.monotonic() < until:
            time.sleep(0.002)
        assert (1, 1) == (app.state.server.worker.open, app.state.server.worker.live)
        first.close()
        assert settled(app.state.server)
        assert 'dyntemp_temperature_count{policy="0.9"}' not in app.state.server.metrics.text().decode()


def test_beyond_the_queue_there_is_429_and_then_room_again(asked):
    app = make_app(repeating_model(seconds=0.005), settings=ServerSettings(batch=1, queue=2))

    async def run():
        async with asked(app) as client:
            body = {"prompt": "ab|", "max_tokens": 20}
            responses = await asyncio.gather(*(client.post(TEXT, json=body) for _ in range(8)))
            return responses, await client.post(TEXT, json=body)

    responses, later = asyncio.run(run())
    assert [200] * 3 + [429] * 5 == sorted(response.status_code for response in responses)
    for response in responses:
        if response.status_code == 429:
            seconds = response.headers["Retry-After"]
            assert 1 <= int(seconds) <= 60
            assert f"try again in about {seconds} s" in response.json()["error"]["message"]
            assert ("queue_full", "rate_limit_error") == (
                response.json()["error"]["code"], response.json()["error"]["type"],
            )  # fmt: skip
        else:
            assert repeated("ab|", 20) == response.json()["choices"][0]["text"]
    assert 200 == later.status_code
    assert "\ndyntemp_prompt_tokens_total 12.0\n" in app.state.server.metrics.text().decode(), "of four that were read"


def slow_reader(seconds):
    """A model that takes so long for each token of a prompt."""
    model = repeating_model(context=100_000)
    model.read = lambda tokens: time.sleep(seconds * tokens)
    return model


def within(seconds, condition):
    """True once a condition is met; False after some seconds."""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_while_its_prompt_is_read_costs_a_part_at_most(stream):
    app = make_app(slow_reader(0.002), settings=ServerSettings(batch=2, queue=1))
    worker = app.state.server.worker
    with serving(app) as address:
        connections = [dial(address) for _ in range(3)]
        for connection in connections:
            connection.sendall(request(TEXT, {"prompt": "ab" * 20_000 + "|", "max_tokens": 3, "stream": stream}))
        assert within(20, lambda: worker.read >= 64 and worker.open == 3)
        health = json.loads(
            exchange(address, head("/health", "Connection: close", method="GET")).partition("\r\n\r\n")[2]
        )
        assert {"open": 3, "waiting": 2, "reading": 1, "running": 0}.items() <= health.items()
        full = exchange(address, request(TEXT, {"prompt": "a|"}, "Connection: close"))
        assert 30 < int(full.partition("retry-after: ")[2].partition("\r\n")[0]) < 1800
        for connection in connections:
            connection.close()
        assert settled(app.state.server)
        assert worker.read == worker.abandoned < 40_000
        told = exchange(
            address, request(TEXT, {"prompt": "ab|", "max_tokens": 5, "stream": stream}, "Connection: close")
        )
        assert 200 == int(told.split()[1])
    metrics = app.state.server.metrics.text().decode()
    assert f"\ndyntemp_prompt_tokens_abandoned_total {worker.abandoned:.1f}\n" in metrics
    assert f"\ndyntemp_prompt_tokens_read_total {worker.abandoned + 3:.1f}\n" in metrics
    assert "\ndyntemp_prompt_tokens_total 3.0\n" in metrics


def test_a_stream_goes_on_and_a_short_question_is_answered_while_long_prompts_are_read():
    app = make_app(slow_reader(0.001), settings=ServerSettings(batch=8, max_tokens=50_000))
    worker = app.state.server.worker
    with serving(app) as address, dial(address) as stream, dial(address) as long, dial(address) as longer:
        stream.sendall(request(TEXT, {"prompt": "ab|", "max_tokens": 50_000, "stream": True}))
        assert within(20, lambda: worker.live == 1)
        for connection in (long, longer):
            connection.sendall(request(TEXT, {"prompt": "ab" * 25_000 + "|", "max_tokens": 3}))
        assert within(20, lambda: worker.reading == 2 and worker.read > 200)
        before = worker.read
        told = exchange(address, request(TEXT, {"prompt": "cd|", "max_tokens": 20}, "Connection: close"))
        assert repeated("cd|", 20) in told
        assert worker.read - before <= 64 * 40, "of 100,000 tokens; 20 tokens at 4 for each part take 5 parts"
        assert worker.live == 1


def test_a_body_may_begin_with_a_byte_order_mark(asked):
    async def run():
        async with asked(make_app(wandering_model())) as client:
            content = json.dumps({"prompt": "ab", "max_tokens": 2}).encode("utf-8-sig")
            return await client.post(TEXT, content=content, headers={"Content-Type": "application/json"})

    assert 200 == asyncio.run(run()).status_code


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_that_takes_too_long_ends(asked, stream):
    app = make_app(repeating_model(seconds=0.02), settings=ServerSettings(timeout=0.3))

    async def run():
        async with asked(app) as client:
            response = await client.post(TEXT, json={"prompt": "ab|", "max_tokens": 1000, "stream": stream})
            return response, await asyncio.to_thread(settled, app.state.server)

    response, ended = asyncio.run(run())
    assert ended
    if stream:
        assert 200 == response.status_code
        error, done = response.text.split("\n\n")[-3:-1]
        assert "timeout" == json.loads(error.removeprefix("data: "))["error"]["code"]
        assert "data: [DONE]" == done
    else:
        assert (504, "timeout") == (response.status_code, response.json()["error"]["code"])


def test_a_reader_that_does_not_read_is_hung_up_on_and_holds_nobody_up():
    app = make_app(repeating_model(context=100_000), settings=ServerSettings(patience=0.5, max_tokens=50_000, batch=2))
    with serving(app) as address, dial(address) as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1000)
        lazy.sendall(request(TEXT, {"prompt": "ab|", "max_tokens": 20_000, "stream": True, "logprobs": 5}))
        began = time.monotonic()
        other = exchange(address, request(TEXT, {"prompt": "cd|", "max_tokens": 20}, "Connection: close"))
        assert repeated("cd|", 20) in other
        assert settled(app.state.server, 30)
        assert time.monotonic() - began < 30


def test_the_key_opens_what_is_not_open(asked):
    app = make_app(wandering_model(), settings=ServerSettings(api_key="s3cret"), page="<p>page</p>")

    async def run():
        async with asked(app) as client:
            statuses = {}
            for path in ("/v1/models", "/metrics", "/openapi.json", "/play/info", "/", "/health", "/ready", "/nowhere"):
                for key in (
                    None,
                    "Bearer wrong",
                    "Basic s3cret",
                    "Bearer s3cret",
                    "bearer s3cret",
                    "Bearer s3cret\xe9",
                ):
                    headers = {} if key is None else {"Authorization": key.encode("latin-1")}
                    statuses[path, key] = (await client.get(path, headers=headers)).status_code
            return statuses

    statuses = asyncio.run(run())
    closed = ("/v1/models", "/metrics", "/openapi.json", "/play/info", "/", "/nowhere")
    for (path, key), status in statuses.items():
        if path in closed:
            wanted = 401 if key not in ("Bearer s3cret", "bearer s3cret") else 404 if path == "/nowhere" else 200
            assert wanted == status, (path, key)
        else:
            assert 200 == status, (path, key)


def test_metrics_may_be_open_or_absent(asked):
    async def status(**settings):
        async with asked(make_app(wandering_model(), settings=ServerSettings(**settings))) as client:
            return (await client.get("/metrics")).status_code

    assert 401 == asyncio.run(status(api_key="k"))
    assert 200 == asyncio.run(status(api_key="k", open_metrics=True))
    assert 404 == asyncio.run(status(metrics=False))


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1", 200), ("127.0.0.1:8000", 200), ("localhost:1", 200), ("LOCALHOST", 200), ("[::1]:8000", 200),
     ("evil.example", 403), ("127.0.0.1.evil.example", 403), ("localhost.evil.example:8000", 403), ("", 403)],
)  # fmt: skip
def test_a_page_elsewhere_does_not_reach_us_under_its_own_name(host, status):
    app = make_app(wandering_model(), settings=ServerSettings(hosts=("127.0.0.1", "localhost", "::1")))
    with serving(app) as address:
        found = exchange(address, head("/v1/models", "Connection: close", method="GET", host=host))

    assert found.startswith(f"HTTP/1.1 {status}")


def test_other_origins_are_answered_only_where_they_are_allowed(asked):
    async def run(*origins):
        async with asked(
            make_app(wandering_model(), settings=ServerSettings(allowed_origins=origins, api_key="k"))
        ) as client:
            asks = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST",
                    "Access-Control-Request-Headers": "authorization,content-type"}  # fmt: skip
            before = await client.request("OPTIONS", TEXT, headers=asks)
            after = await client.get("/v1/models", headers={"Origin": "https://a.example"})
            return [(one.status_code, one.headers.get("Access-Control-Allow-Origin")) for one in (before, after)]

    assert [(401, None), (401, None)] == asyncio.run(run())
    assert [(400, None), (401, None)] == asyncio.run(run("https://b.example"))
    assert [(200, "https://a.example"), (401, "https://a.example")] == asyncio.run(run("https://a.example"))


def test_every_response_says_that_it_is_not_to_be_guessed_or_kept(asked):
    async def run():
        async with asked(make_app(wandering_model())) as client:
            return [await client.get("/health"), await client.get("/nowhere"), await client.post(TEXT, json={})]

    for response in asyncio.run(run()):
        assert ("nosniff", "no-store") == (
            response.headers["X-Content-Type-Options"],
            response.headers["Cache-Control"],
        )


def test_a_stopping_server_ends_what_it_writes():
    app = make_app(repeating_model(seconds=0.005))
    found = {}

    def read(connection):
        found["text"] = answer(connection)

    with serving(app) as address:
        connection = dial(address)
        connection.sendall(request(TEXT, {"prompt": "ab|", "max_tokens": 4000, "stream": True}))
        first = connection.recv(100)
        reader = threading.Thread(target=read, args=(connection,))
        reader.start()
        began = time.monotonic()
    reader.join(10)
    connection.close()
    assert first
    assert time.monotonic() - began < 5
    assert '"code": "stopping"' in found["text"]
    assert "data: [DONE]" in found["text"]


def test_bytes_that_are_no_http_do_no_harm():
    noise = bytes(range(256)) * 20
    app = make_app(wandering_model())
    with serving(app) as address:
        for cut in range(0, 256, 16):
            with dial(address) as connection:
                connection.sendall(noise[cut : cut + 2000])
        assert "HTTP/1.1 200" in exchange(address, head("/health", "Connection: close", method="GET"))
        assert settled(app.state.server)


def test_a_fault_of_ours_is_told_in_the_same_shape_and_logged(asked, caplog):
    app = make_app(wandering_model())

    def fail(*_, **__):
        raise RuntimeError("the inside")

    app.state.server.metrics.watch = fail

    async def run():
        async with asked(app) as client:
            return await client.post(TEXT, json={"prompt": "x"})

    response = asyncio.run(run())
    assert (500, "server_error") == (response.status_code, response.json()["error"]["type"])
    assert "the inside" not in response.text
    assert "the inside" in caplog.text


def test_the_thread_of_the_model_ends_with_the_application(asked):
    app = make_app(wandering_model())

    async def run():
        async with asked(app) as client:
            await client.post(TEXT, json={"prompt": "x", "max_tokens": 2})
            return app.state.server.worker._thread.is_alive()

    assert asyncio.run(run())
    assert not app.state.server.worker._thread.is_alive()


def test_what_runs_when_the_application_ends_is_told(asked):
    app = make_app(repeating_model(seconds=0.01))

    async def run():
        async with asked(app) as client:
            asks = [
                asyncio.create_task(client.post(TEXT, json={"prompt": "ab|", "max_tokens": 4000})) for _ in range(9)
            ]
            while app.state.server.worker.live < 8:  # noqa: ASYNC110 (nobody tells)
                await asyncio.sleep(0.01)
            app.state.server.worker.stop()
            ended = await asyncio.gather(*asks)
            return ended, await client.post(TEXT, json={"prompt": "x"}), (await client.get("/ready")).status_code

    ended, later, ready = asyncio.run(run())
    assert [(503, "stopping")] * 10 == [(one.status_code, one.json()["error"]["code"]) for one in (*ended, later)]
    assert 503 == ready
    assert settled(app.state.server)
