r"""Serve a model with the OpenAI API, with a policy per request, and a page to play with.

dyntemp serve
dyntemp serve -m model.gguf --port 9000 --policy "0.5 - 0.4*max_prob"
curl http://127.0.0.1:8000/v1/completions -H 'Content-Type: application/json' \
  -d '{"prompt": "Once upon a time", "max_tokens": 40, "policy": "0.1 + 0.8*normalized_entropy"}'
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from ipaddress import ip_address

from dyntemp.cli import OK, UsageError
from dyntemp.cli.common import add_model_options, open_model
from dyntemp.cli.policy_options import add_policy_options, asked_policy

KEY_VARIABLE = "DYNTEMP_API_KEY"
PACKAGES = ("fastapi", "uvicorn", "openai", "prometheus_client")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    add_model_options(parser)
    group = parser.add_argument_group("server")
    group.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1: this machine alone)")
    group.add_argument("--port", type=int, default=8000, help="port to listen on; 0: any free one (8000)")
    group.add_argument(
        "--api-key", metavar="KEY",
        help=f"what clients have to bring; better in ${KEY_VARIABLE}, which no list of processes shows",
    )  # fmt: skip
    group.add_argument(
        "--allowed-host", action="append", default=[], metavar="NAME",
        help="another name of this server, as a proxy in front of it passes on",
    )  # fmt: skip
    group.add_argument(
        "--allowed-origin", action="append", default=[], metavar="URL", help="let scripts of this web page call us"
    )
    group.add_argument("--no-page", action="store_true", help="serve the API alone, without the page")
    group.add_argument("--no-metrics", action="store_true", help="serve no /metrics")
    group.add_argument("--open-metrics", action="store_true", help="serve /metrics without the key too")
    group = parser.add_argument_group("requests")
    add_policy_options(
        group, "the policy of requests that bring none: a formula, a name of `dyntemp policies`, or a JSON file"
    )
    group.add_argument("--lenient", action="store_true", help="ignore fields that are unknown or not supported")
    group.add_argument("--batch", type=int, default=8, metavar="N", help="texts written at the same time (8)")
    group.add_argument("--queue", type=int, default=64, metavar="N", help="requests that may wait beside those (64)")
    group.add_argument(
        "--part", type=int, default=64, metavar="N",
        help="tokens of a prompt read at a time, between the steps of the texts that run; llama.cpp: at least 64 (64)",
    )  # fmt: skip
    group.add_argument(
        "--steps", type=int, default=4, metavar="N", help="tokens of each running text for each part that is read (4)"
    )
    group.add_argument("--max-tokens", type=int, default=4096, metavar="N", help="most tokens of a text (4096)")
    group.add_argument("--max-body", type=int, default=1_000_000, metavar="BYTES", help="largest request (1000000)")
    group.add_argument("--timeout", type=float, default=1800, metavar="S", help="most seconds of a request (1800)")


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C, and return the exit code."""
    try:
        from dyntemp.serve import ServerSettings, run
        from dyntemp.serve.app import make_app
    except ModuleNotFoundError as error:
        if error.name not in PACKAGES:
            raise
        raise UsageError(f"the server needs {error.name}: run `pip install 'dyntemp[serve]'`") from None
    key = options.api_key if options.api_key is not None else os.environ.get(KEY_VARIABLE) or None
    given = asked_policy(options)
    policy = None if given is None else json.loads(given.to_json())
    try:
        settings = ServerSettings(
            batch=options.batch, queue=options.queue, part=options.part, steps=options.steps,
            max_tokens=options.max_tokens, max_body=options.max_body,
            timeout=options.timeout, policy=policy, lenient=options.lenient, api_key=key,
            open_metrics=options.open_metrics, metrics=not options.no_metrics,
            hosts=own_names(options.host, options.allowed_host), allowed_origins=tuple(options.allowed_origin),
        )  # fmt: skip
        make_app(None, settings=settings)  # what is wrong with the options is told before the model is loaded
    except ValueError as error:
        raise UsageError(str(error)) from None
    if settings.hosts is None and key is None:
        print(  # noqa: T201
            f"dyntemp serve: {options.host} is open to other machines, and no --api-key is asked for", file=sys.stderr
        )
    page = None
    if not options.no_page:
        from dyntemp.page import document

        page = document(server=True)
    app = make_app(open_model(options), settings=settings, page=page)
    run(app, options.host, options.port, announce=lambda address: announce(address, page=page is not None))
    return OK


def own_names(host: str, more: list[str]) -> tuple[str, ...] | None:
    """The names that a server on `host` goes by: those of this machine, or any where others may come in."""
    if host.lower() != "localhost":
        try:
            if not ip_address(host).is_loopback:
                return None
        except ValueError:
            return None
    return tuple(dict.fromkeys(("127.0.0.1", "localhost", "::1", host.lower(), *(name.lower() for name in more))))


def announce(address: str, *, page: bool) -> None:
    """Say where the server listens."""
    print(f"{address}/v1 answers" + (f", and the page is at {address}/" if page else ""), flush=True)  # noqa: T201
