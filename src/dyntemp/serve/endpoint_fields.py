"""The fields of each endpoint: those that are read, those of other servers, and those without an effect."""

from __future__ import annotations

from dyntemp.engines.request_fields import ID, KEY, MOST_ZONES
from dyntemp.errors import PolicyError
from dyntemp.language.signals import MAX_SUPPORT
from dyntemp.methods.constant import MIN_P
from dyntemp.serve.fields import (
    Field,
    Kind,
    Neutral,
    RequestFields,
    Unfit,
    anything,
    at_most,
    chain,
    flag,
    known_names,
    number,
    numbers_by_name,
    one_of,
    stop_texts,
    text,
    whole,
)
from dyntemp.serve.settings import ServerSettings
from dyntemp.zones.zone import EXAMPLE, parse_zone

MOST_TEMPERATURE = 1e6

UNREAD = frozenset(
    ("user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention")
)

STREAM_OPTIONS = ("include_usage", "include_obfuscation")

PENALTY = "no penalties are applied, leave it out"
TOOLS = "the model calls no tools, leave it out"
NEUTRAL = {
    "frequency_penalty": Neutral((0, 0.0), PENALTY),
    "presence_penalty": Neutral((0, 0.0), PENALTY),
    "repetition_penalty": Neutral((1, 1.0), PENALTY),
    "logit_bias": Neutral(({},), "leave it out"),
    "ignore_eos": Neutral((False,), "a text ends where the model ends it"),
    "service_tier": Neutral(("auto", "default"), "leave it out"),
    "tools": Neutral(([],), TOOLS),
    "tool_choice": Neutral(("none", "auto"), TOOLS),
    "parallel_tool_calls": Neutral((True, False), TOOLS),
    "functions": Neutral(([],), TOOLS),
    "function_call": Neutral(("none", "auto"), TOOLS),
    "response_format": Neutral(({"type": "text"},), "the model writes plain text"),
    "modalities": Neutral((["text"],), "the model writes plain text"),
    "audio": Neutral((), "the model writes plain text"),
    "prediction": Neutral((), "leave it out"),
    "moderation": Neutral((), "leave it out"),
    "reasoning_effort": Neutral(("none",), "leave it out"),
    "verbosity": Neutral(("medium",), "say in the prompt how long the text is to be"),
    "web_search_options": Neutral((), "leave it out"),
    "store": Neutral((False,), "nothing is stored here"),
    "best_of": Neutral((1,), "ask for `n` texts, and choose among them"),
    "suffix": Neutral(("",), "text is only ever continued"),
}


def of_chat(settings: ServerSettings) -> RequestFields:
    """The fields of `POST /v1/chat/completions`."""
    fields = {
        "messages": Field(anything("a list of messages"), None, "the conversation, of texts or parts of texts"),
        **_common(settings),
        "max_completion_tokens": Field(
            whole(1, settings.max_tokens), None, "the newer name of `max_tokens`", bend=at_most(settings.max_tokens)
        ),
        "logprobs": Field(flag(), False, "whether to tell of each token how it came about"),
        "top_logprobs": Field(whole(0, settings.max_top_logprobs), None, "how many alternatives to name per token"),
    }
    return RequestFields(fields, NEUTRAL, UNREAD)


def of_completions(settings: ServerSettings) -> RequestFields:
    """The fields of `POST /v1/completions`."""
    fields = {
        "prompt": Field(anything("text, tokens, or a list of these"), None, "what to continue: text, tokens, or lists"),
        **_common(settings),
        "logprobs": Field(
            whole(0, settings.max_top_logprobs), None,
            "tell of each token how it came about, and name so many alternatives",
        ),
        "echo": Field(flag(), False, "whether the prompt stands before the text"),
    }  # fmt: skip
    return RequestFields(fields, NEUTRAL, UNREAD)


def of_play(settings: ServerSettings) -> RequestFields:
    """The fields of `POST /play/generate`, which the page sends."""
    fields = {
        "prompt": Field(text(), None, "what to continue, or to answer where the model has a chat template"),
        "messages": Field(anything("a list of messages"), None, "a conversation, instead of a prompt"),
        "raw": Field(flag(), False, "whether the prompt is continued as it is, without a chat template"),
        "system": Field(text(), None, "the system message"),
        "policies": Field(anything("one policy, or two"), None, "one policy, or two, of which the second follows"),
        "begin": Field(anything("tokens"), (), "tokens of the text that are there already"),
        "force": Field(anything("tokens"), (), "tokens that come next whatever would be drawn"),
        **{name: field for name, field in _common(settings).items() if name in PLAYED},
    }
    return RequestFields(fields, {}, frozenset())


def of_verdicts(settings: ServerSettings) -> RequestFields:
    """The fields of `POST /play/verdicts`."""
    fields = {
        "policy": Field(text(settings.max_policy), None, "the policy, which has to be given"),
        "vocabulary": Field(whole(2, MAX_SUPPORT), None, "entries of a row; by default those of the model"),
    }
    return RequestFields(fields, {}, frozenset())


PLAYED = (
    "max_tokens", "stop", "seed", "temperature", "top_k", "top_p", "min_p", "filter_at", "filters", "parameters",
    "given", "zones",
)  # fmt: skip


def _common(settings: ServerSettings) -> dict[str, Field]:
    return {
        "model": Field(text(500), None, "the model's name, as `/v1/models` tells it; may be left out"),
        "policy": Field(
            anything("text, or an object as `PolicyFile.to_json` writes it"), None,
            'the policy: a formula, a name of `dyntemp policies`, its JSON, or "off"',
        ),
        "vllm_xargs": Field(
            _xargs(), None, f"the policy as vLLM takes it: under `{KEY}`", bend=known_names(KEY, ID)
        ),
        "parameters": Field(numbers_by_name(), {}, "values of the policy's free parameters"),
        "given": Field(
            numbers_by_name(lists=True), {}, 'what each `given("name", low, high)` reads; a list has one per position'
        ),
        "zones": Field(_zones(), [], "zones of your own that the policy reads, by their delimiters"),
        "contrast": Field(
            anything("messages beside `messages`, and text, tokens or a list of these beside `prompt`"), None,
            "a second prompt, such as the first one without its context, for policies that read `divergence`",
        ),
        "temperature": Field(
            number(0, MOST_TEMPERATURE), None, "what `requested` reads, or one temperature for all; 0 is greedy"
        ),
        "max_tokens": Field(
            whole(1, settings.max_tokens), None, "tokens to write at most", bend=at_most(settings.max_tokens)
        ),
        "n": Field(whole(1, settings.max_choices), 1, "how many texts to write"),
        "stop": Field(stop_texts(settings), [], "the text ends before any of these"),
        "seed": Field(_seed(), None, "the same seed writes the same text; none or -1 draws one"),
        "top_k": Field(whole(-1, 2**31 - 1), 0, "keep the k likeliest tokens; 0 and -1 keep all"),
        "top_p": Field(number(0, 1, above=True), 1.0, "keep the likeliest tokens up to this sum"),
        "min_p": Field(
            number(0, 1), None,
            f"keep what has this share of the likeliest token's probability; {MIN_P} where a request, and the server, "
            "name no policy, no temperature and no other filter",
        ),
        "filter_at": Field(
            one_of("model", "temperature"), "model", "read the filters' probabilities at temperature 1, or after it"
        ),
        "filters": Field(
            chain(), None, "any chain of filters instead of these four, such as `top_k(40), temperature, min_p(0.05)`"
        ),
        "curves": Field(
            flag(), False, "whether `logprobs` hold the curve of each draw, and the signals of its row, for learning"
        ),
        "stream": Field(flag(), False, "whether tokens are sent as they come"),
        "stream_options": Field(
            _stream_options(), {}, "`include_usage`: a last chunk that counts tokens", bend=known_names(*STREAM_OPTIONS)
        ),
    }  # fmt: skip


def _seed() -> Kind:
    """A 64-bit seed, as a number, or as text from languages whose numbers are shorter; -1 stands for none."""
    number_kind = whole(-1, 2**64 - 1)

    def read(value: object) -> int | None:
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
            value = int(value)
        found = int(number_kind.read(value))
        return None if found == -1 else found

    return Kind(read, number_kind.schema)


def _xargs() -> Kind:
    def read(value: object) -> object:
        if not isinstance(value, dict) or not value.keys() <= {KEY, ID}:
            raise Unfit(f"an object with `{KEY}`, a policy, and perhaps `{ID}`, a name, is allowed")
        return value.get(KEY)

    return Kind(read, {"type": "object", "properties": {KEY: {"type": "string"}, ID: {"type": "string"}}})


def _zones() -> Kind:
    """Zones of the user's own."""
    one = text()

    def read(value: object) -> list[str]:
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or len(found) > MOST_ZONES:
            raise Unfit(f'a list of at most {MOST_ZONES} zones is allowed, such as ["{EXAMPLE}"]')
        try:
            return [parse_zone(one.read(zone)).meaning for zone in found]
        except PolicyError as error:
            raise Unfit(str(error)) from None

    return Kind(read, {"anyOf": [one.schema, {"type": "array", "items": one.schema, "maxItems": MOST_ZONES}]})


def _stream_options() -> Kind:
    def read(value: object) -> dict[str, bool]:
        if not isinstance(value, dict) or not all(
            name in STREAM_OPTIONS and (inner is None or isinstance(inner, bool)) for name, inner in value.items()
        ):
            raise Unfit(f"an object of {' and '.join(STREAM_OPTIONS)}, true or false, is allowed")
        return value

    return Kind(read, {"type": "object", "properties": {name: {"type": "boolean"} for name in STREAM_OPTIONS}})
