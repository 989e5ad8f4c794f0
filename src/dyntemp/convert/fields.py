"""Known fields of presets that are no temperature: other samplers by kind, and fields about text and delivery."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

OFF: tuple[Any, ...] = (None, False, 0, "", [], {})

REQUEST = (
    "prompt messages model memory seed sampler_seed n n_predict num_predict max_tokens max_new_tokens max_length "
    "max_completion_tokens min_tokens min_length min_new_tokens max_context_length max_tokens_second num_ctx stop "
    "stop_sequence stopping_strings stop_token_ids stop_strings include_stop_str_in_output stream streaming "
    "stream_options logprobs top_logprobs n_probs prompt_logprobs echo suffix user add_bos_token "
    "skip_special_tokens spaces_between_special_tokens truncation_length cache_prompt id_slot genkey quiet images "
    "trim_stop render_special token_healing speculative_ngram prompt_lookup_num_tokens auto_max_new_tokens "
    "static_cache legacy_api preset name custom_model bypass_status_check api_type api_server "
    "openrouter_allow_fallbacks openrouter_providers send_banned_tokens include_reasoning extensions "
    "loop_detect_window detokenize priority metadata store tools tool_choice parallel_tool_calls service_tier "
    "reasoning_effort use_cache bos_token_id eos_token_id pad_token_id decoder_start_token_id forced_bos_token_id "
    "forced_eos_token_id transformers_version _from_model_config return_dict_in_generate output_scores "
    "output_logits output_attentions output_hidden_states cache_implementation n_keep n_discard t_max_predict_ms "
    "return_tokens timings_per_token post_sampling_probs lora chat_template_kwargs "
    # a request to llama-server, and its answers
    "n_ctx seed_cur chat_format reasoning_format reasoning_in_content generation_prompt thinking_forced_open "
    "preserved_tokens backend_sampling n_indent n_cmpl n_cache_reuse t_max_prompt_ms response_fields return_progress "
    "id_task verbose chat_parser parse_tool_calls continue_final_message add_generation_prompt sse_ping_interval "
    "reasoning_control reasoning_budget_tokens reasoning_budget_start_tag reasoning_budget_end_tag "
    "reasoning_budget_end_tags reasoning_budget_message include_usage input_extra "
    # a preset or a request of SillyTavern
    "genamt streaming_url can_use_streaming can_use_tokenization type server_urls mancer_model togetherai_model "
    "infermaticai_model ollama_model openrouter_model openrouter_quantizations vllm_model aphrodite_model "
    "dreamgen_model tabby_model llamacpp_model featherless_model huggingface_model generic_model koboldcpp_model "
    "minimum_message_content_tokens provider allow_fallbacks log_probs prompt_log_probs "
    # a request or a preset of Kobold Lite
    "models workers audio continue_assistant_turn replace_instruct_placeholders singleline softprompt "
    "sampler_full_determinism disable_input_formatting use_story use_memory use_authors_note use_world_info "
    "frmttriminc frmtrmblln frmtrmspch frmtadsnsp description is_custom"
)
"""Fields that are about the text and its delivery."""


BELOW_0 = object()
"""A marker for every number below 0, among the values at which a switch is off."""

FOR_APHRODITE = "_aphrodite"
"""The ending of fields for Aphrodite in SillyTavern's presets of 2023."""

SPECULATIVE = "speculative."
"""The beginning of llama-server's fields about drafts."""


class Aside(NamedTuple):
    """Fields that the policy does not express.

    Attributes:
        fields: Their names.
        why: The reason, in one sentence.
    """

    fields: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of setting that is not a temperature.

    Attributes:
        why: Its effect, in one sentence.
        switches: The fields that turn it on, each with the values at which it is off.
        companions: Fields that matter only where it is on.
        draws: True if it changes the distribution of the draw.
    """

    why: str
    switches: Mapping[str, tuple[Any, ...]]
    companions: tuple[str, ...] = ()
    draws: bool = field(default=True)


def _off_at(names: str, *values: Any) -> dict[str, tuple[Any, ...]]:
    return dict.fromkeys(names.split(), (*OFF, *values))


KINDS = (
    Kind("mirostat steers the surprise of the text by cutting tokens off, with feedback; the method surprise_control "
         "steers it by the temperature",
         _off_at("mirostat mirostat_mode"),
         ("mirostat_tau", "mirostat_eta", "mirostat_ent", "mirostat_lr")),
    Kind("smoothing (quadratic sampling) bends the logits; a temperature only stretches them",
         _off_at("smoothing_factor"), ("smoothing_curve",)),
    Kind("adaptive-p pulls the probabilities towards a target, with feedback; it reshapes them, the method adaptive_p "
         "scales them",
         _off_at("adaptive_target", 1.0, BELOW_0, -1), ("adaptive_decay",)),
    Kind("a filter that this program does not have, as far as its code was read",
         {**_off_at("top_a epsilon_cutoff eta_cutoff eps_cutoff top_h xtc_probability"),
          **_off_at("top_n_sigma top_nsigma nsigma", BELOW_0, -1),
          **_off_at("tfs tfs_z typical typical_p typ_p", 1)}, ("xtc_threshold",)),
    Kind("min_keep is the least number of candidates that its filters keep; dyntemp's filters keep one",
         _off_at("min_keep", 1)),
    Kind("a processor of logits runs code of the user's own", _off_at("logits_processors")),
    Kind("skew tilts the draw among the sorted tokens; it is no temperature", _off_at("skew")),
    Kind("repetition penalties change logits by what was already written, before any temperature",
         {**_off_at("rep_pen repetition_penalty repeat_penalty token_repetition_penalty encoder_rep_pen "
                    "encoder_repetition_penalty", 1),
          **_off_at("freq_pen presence_pen frequency_penalty presence_penalty no_repeat_ngram_size "
                    "encoder_no_repeat_ngram_size")},
         ("rep_pen_range", "rep_pen_slope", "rep_pen_decay", "rep_pen_size", "repetition_penalty_range",
          "repetition_range", "repetition_decay", "penalty_range", "repeat_last_n", "penalize_nl",
          "penalty_prompt_tokens", "use_penalty_prompt_tokens")),
    Kind("DRY penalises tokens that would repeat a passage, before any temperature", _off_at("dry_multiplier"),
         ("dry_base", "dry_allowed_length", "dry_penalty_last_n", "dry_range", "dry_sequence_breakers",
          "dry_sequence_breaker", "dry_max_ngram", "dry_max_occurrences", "dry_early_exit_match_len")),
    Kind("biases and bans change or mask single tokens; masked candidates count in some programs' normaliser",
         _off_at("logit_bias banned_tokens banned_strings custom_token_bans ban_eos_token allowed_tokens "
                 "allowed_token_ids bad_words bad_words_ids suppress_tokens global_banned_tokens ignore_eos "
                 "ignore_eos_token use_default_badwordsids bypass_eos sequence_bias", "[]")),
    Kind("a grammar or schema masks what does not fit; masked candidates count in some programs' normaliser",
         _off_at("grammar grammar_string json_schema regex_pattern guided_json guided_grammar structured_outputs "
                 "response_format grammar_file grammar_file_row json_schema_file", "None"),
         ("grammar_retain_state", "json_schema_allow_empty", "grammar_lazy", "grammar_triggers",
          "grammar_trigger_words", "grammar_trigger_tokens", "grammar_type")),
    Kind("guidance mixes the logits of two passes before any temperature",
         {**_off_at("guidance_scale cfg_scale", 1), **_off_at("penalty_alpha")}, ("negative_prompt",)),
    Kind("beam search keeps several texts at a time; dyntemp draws token by token",
         _off_at("num_beams num_beam_groups best_of", 1),
         ("length_penalty", "early_stopping", "diversity_penalty")),
    Kind("what to write, when to stop and what to report; not how a token is drawn",
         dict.fromkeys(REQUEST.split(), ()), draws=False),
)  # fmt: skip
"""All known kinds of fields that are not about temperature."""

HOME: dict[str, Kind] = {name: kind for kind in KINDS for name in (*kind.switches, *kind.companions)}
"""The kind of each field, by name."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """The fields that are not about temperature.

    Attributes:
        active: Fields that are on, one entry for each kind.
        off: Fields at their neutral values.
        draws: True if a field that is on changes the distribution of the draw.
        unknown: Unknown fields.
    """

    active: tuple[Aside, ...]
    off: tuple[str, ...]
    draws: bool
    unknown: tuple[str, ...]

    def has(self, *names: str) -> bool:
        """True if one of these switches is on."""
        return any(name in aside.fields for aside in self.active for name in names)


def sort_out(settings: Mapping[str, Any]) -> Sorted:
    """Sort fields into those that are on, off and unknown."""
    active, off, draws = [], [], False
    for kind in KINDS:
        here = [name for name in settings if HOME.get(_plain(name)) is kind]
        neutral = [name for name in here if _is_off(settings[name], kind.switches.get(_plain(name), ()))]
        if any(_plain(name) in kind.switches and name not in neutral for name in here):
            active.append(Aside(tuple(name for name in here if name not in neutral), kind.why))
            draws |= kind.draws
            off += neutral
        else:
            off += here
    return Sorted(tuple(active), tuple(off), draws, tuple(name for name in settings if _plain(name) not in HOME))


def _plain(name: str) -> str:
    """The field's name in `HOME`."""
    return "n_predict" if name.startswith(SPECULATIVE) else name.removesuffix(FOR_APHRODITE)


def _is_off(value: Any, neutral: Iterable[Any]) -> bool:
    if isinstance(value, int | float) and value < 0 and any(known is BELOW_0 for known in neutral):
        return True
    return any(value == known for known in neutral)
