"""The command: what it prints, what it refuses, how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest

from dyntemp.cli import main
from dyntemp.cli.serve import own_names

FAKE = '''
import sys, time
import dyntemp.cli.common
from tests.serve.models import repeating_model
model = repeating_model(seconds=0.005, context=100_000)
model.read = lambda tokens: time.sleep(0.01 * tokens)
class InOnePiece:
    """The same model, without sessions that others can join."""
    def __getattr__(self, name):
        if name == "start_open":
            raise AttributeError(name)
        return getattr(inner, name)
    def start(self, prompts):
        time.sleep(0.01 * len(prompts[0]))
        return inner.start(prompts)
if sys.argv[1] == "--in-one-piece":
    del sys.argv[1]
    inner, model = model, InOnePiece()
dyntemp.cli.common.load_model = lambda name, **options: model
from dyntemp.cli import main
sys.exit(main(["serve", *sys.argv[1:]]))
'''


@contextmanager
def started(*options, **variables):
    """The command, and the address that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-c", FAKE, *options, "--port", "0", "--no-page"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env={**os.environ, **variables},
    )  # fmt: skip
    try:
        line = process.stdout.readline()
        address = re.match(r"(http://\S+)/v1 answers", line)
        assert address, line + process.stderr.read()
        yield process, address[1]
    finally:
        process.kill()
        process.communicate()


def get(address, path, **headers):
    with urllib.request.urlopen(urllib.request.Request(address + path, headers=headers), timeout=20) as response:
        return json.loads(response.read())


@pytest.mark.parametrize("busy", [False, True])
def test_ctrl_c_ends_it_with_130_and_streams_with_a_word(busy):
    with started() as (process, address):
        assert "fake" == get(address, "/health")["model"]
        if busy:
            body = json.dumps({"prompt": "ab|", "max_tokens": 4000, "stream": True}).encode()
            ask = urllib.request.Request(f"{address}/v1/completions", body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(ask, timeout=20) as stream:
                assert stream.readline().startswith(b"data: ")
                process.send_signal(signal.SIGINT)
                rest = stream.read().decode()
            assert '"code": "stopping"' in rest
            assert rest.endswith("data: [DONE]\n\n")
        else:
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert (130, "", "") == (process.returncode, out, err)


def test_a_term_signal_ends_it_quietly():
    with started() as (process, _):
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        assert (-signal.SIGTERM, "", "") == (process.returncode, out, err)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("options", "stream"), [([], False), ([], True), (["--in-one-piece"], False)], ids=["whole", "stream", "one piece"]
)
def test_it_ends_in_time_and_quietly_while_a_long_prompt_is_read(options, sent, stream):
    body = json.dumps({"prompt": "ab" * 10_000 + "|", "max_tokens": 4, "stream": stream}).encode()  # 200 s
    with started(*options) as (process, address):
        ask = urllib.request.Request(f"{address}/v1/completions", body, {"Content-Type": "application/json"})
        told = []

        def client():
            try:
                urllib.request.urlopen(ask, timeout=60)
            except urllib.error.HTTPError as error:
                with error:
                    told.append((error.code, json.loads(error.read())["error"]["code"]))

        thread = threading.Thread(target=client)
        thread.start()
        until = time.monotonic() + 20
        while not get(address, "/health")["open"]:
            assert time.monotonic() < until
        process.send_signal(sent)
        out, err = process.communicate(timeout=25)
        thread.join(20)

    assert [(503, "stopping")] == told
    assert ({signal.SIGINT: 130, signal.SIGTERM: -signal.SIGTERM}[sent], "", "") == (process.returncode, out, err)


def test_the_key_may_come_from_the_environment_and_the_options_arrive():
    with started("--policy", "edt", "--lenient", "--no-metrics", DYNTEMP_API_KEY="k") as (_, address):
        assert ["fake"] == [one["id"] for one in get(address, "/v1/models", Authorization="Bearer k")["data"]]
        for path, headers, status in (("/v1/models", {}, 401), ("/metrics", {"Authorization": "Bearer k"}, 404),
                                      ("/health", {"Host": "evil.example"}, 403)):  # fmt: skip
            with pytest.raises(urllib.error.HTTPError) as caught:
                get(address, path, **headers)
            with caught.value as error:
                assert status == error.code


def test_a_port_that_is_taken_is_told():
    with started() as (_, address):
        port = address.rpartition(":")[2]
        taken = subprocess.run(
            [sys.executable, "-c", FAKE, "--port", port, "--no-page"], capture_output=True, text=True, timeout=30,
            check=False,
        )  # fmt: skip
    assert 1 == taken.returncode
    assert f"dyntemp serve: 127.0.0.1:{port} cannot be listened on" in taken.stderr
    assert "name another --host or --port" in taken.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--batch", "0"], "batch = 0 was given"), (["--policy", "entropi"], "did you mean `entropy`?"),
        (["--policy", "a + entropy"], "parameter"), (["--max-body", "5"], "whole numbers from 1000"),
        (["--api-key", "ü"], "printable ASCII"), (["--port", "x"], "invalid int value"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_told_before_the_model_is_loaded(capsys, monkeypatch, options, words):
    monkeypatch.setattr("dyntemp.cli.common.load_model", lambda *_, **__: pytest.fail("the model was loaded"))
    try:
        code = main(["serve", *options])
    except SystemExit as error:
        code = error.code

    assert 2 == code
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "more", "names"),
    [
        ("127.0.0.1", [], ("127.0.0.1", "localhost", "::1")), ("::1", [], ("127.0.0.1", "localhost", "::1")),
        ("localhost", ["Box.example"], ("127.0.0.1", "localhost", "::1", "box.example")),
        ("127.0.0.2", [], ("127.0.0.1", "localhost", "::1", "127.0.0.2")),
        ("0.0.0.0", [], None), ("::", [], None), ("192.168.1.5", [], None), ("box.example", [], None),
    ],
)  # fmt: skip
def test_a_server_on_this_machine_goes_by_its_own_names(host, more, names):
    assert names == own_names(host, more)


def test_the_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom dyntemp.cli import main\ntry: main(['serve', '--help'])\nexcept SystemExit: pass\n"
        "assert not {'fastapi', 'openai', 'uvicorn', 'starlette', 'prometheus_client', 'numba'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
