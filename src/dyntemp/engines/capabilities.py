"""The abilities and limits of each adapter, as one table; the documentation's support matrix is made from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dyntemp.errors import EngineError
from dyntemp.language.policy import Policy

Speculation = Literal["ok", "stateless policies", "target only", "bypassed", "refused", "none"]
"""The effect of a policy while a host drafts tokens (speculative decoding):

- `ok`: draft and target get the policy's temperature.
- `stateless policies`: policies that remember are refused.
- `target only`: the draft is drawn by the host's own rule.
- `bypassed`: the host does not call the adapter, and the adapter cannot know that.
- `refused`: such a request, or such a start of the host, is an error.
- `none`: the host does not draft here.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The abilities of an adapter, and the state of the rows that it receives.

    Attributes:
        engine: The host.
        form: The place in the host where the adapter is plugged in.
        run_with: The versions of the host that dyntemp was run with, or a note that it was not run.
        after: Changes of the host that come before: penalties, masks of a grammar, truncation.
        before: Changes of the host that come afterwards.
        neutral: Settings that switch off the host's own temperature and truncation.
        batch: True if rows of several requests come in one call.
        per_request: The place of a request's own policy.
        speculation: See `Speculation`.
        remembers: True if policies with `ema`, `prev`, `integral` work.
        surprisal: True if policies that read `surprisal` work: the adapter knows the token drawn before.
        given: True if values of `given(...)` can be supplied.
        zones: True if `inside("zone")` works: the adapter knows the tokens of the prompt and those drawn before.
        requested: True if the adapter knows the temperature that a request asked for.
        greedy: The treatment of a greedy request.
        preemption: The treatment of a policy's memory when the host preempts the request.
        draws: `host` or `dyntemp`, whichever draws the token.
        traces: The unit of a trace that `dyntemp explain`, `play` and `plot` read; "no" where none is written.
        counts: The place where the user reads `Counts`.
        limits: Further limits and differences.
    """

    engine: str
    form: str
    run_with: str
    after: str
    before: str
    neutral: str
    batch: bool
    per_request: str
    speculation: Speculation
    remembers: bool
    surprisal: bool
    given: bool
    zones: bool
    requested: bool
    greedy: str
    preemption: str
    draws: str
    counts: str
    traces: str = "no"
    limits: str = "-"

    def check(self, policy: Policy) -> Policy:
        """Return `policy`, if this adapter can carry it out.

        Raises:
            EngineError: If it cannot; the message says why.
        """
        where = f"{self.engine} ({self.form})"
        if policy.is_template:
            raise EngineError(f"`{policy}` has parameters without values: bind them first, policy.bind(a=0.1, ...)")
        names = {signal.name for signal in policy.signals}
        if policy.remembers and not self.remembers:
            raise EngineError(f"`{policy}` remembers earlier tokens, which {where} cannot keep apart: {self.limits}")
        if "surprisal" in names and not self.surprisal:
            raise EngineError(
                f"`{policy}` reads `surprisal`, but {where} does not tell the token drawn before in time: use `entropy`"
            )
        if "given" in names and not self.given:
            raise EngineError(f"`{policy}` reads `given(...)`, for which {where} has no way in: {self.limits}")
        if "inside" in names and not self.zones:
            raise EngineError(
                f"`{policy}` reads `inside(...)`, but {where} does not tell the tokens of the text in time: use "
                "`position`, or dyntemp.generate"
            )
        if "divergence" in names:
            raise EngineError(
                f"`{policy}` reads `divergence`, but {where} reads one prompt: use dyntemp.generate, or compute the "
                "divergence and hand it over as given(...)"
            )
        if "requested" in names and not self.requested:
            raise EngineError(
                f"`{policy}` reads `requested`, but {where} does not tell the request's own temperature: write a number"
            )
        return policy


CAPABILITIES: dict[str, Capabilities] = {
    "transformers/processor": Capabilities(
        engine="transformers", form="logits_processor=", run_with="5.23.0, 4.57.6 (CPU)",
        after="penalties, constraints, masks", before="its temperature, top-k, top-p, min-p, the draw",
        neutral="`**neutral(model)`: temperature=1, top_k=0 (50 by default), top_p=1, what the model's own config sets",
        batch=True, per_request="no: one policy per generate()", speculation="ok", remembers=True, surprisal=True,
        given=True, zones=True, requested=False, greedy="scaled, which changes no choice but at T = infinity",
        preemption="-", draws="host", counts="processor.counts", traces="each generate()",
        limits="policies that remember, or read zones, are refused in beam search once it changes the order of beams; "
        "generate_batch() never calls it; finished rows are counted",
    ),
    "transformers/after-warpers": Capabilities(
        engine="transformers", form="hook after the warpers", run_with="5.23.0, 4.57.6 (CPU)",
        after="penalties, constraints, masks, truncation, its temperature (undone)",
        before="watermark, the draw", neutral="nothing", batch=True,
        per_request="no: one policy per generate(), `dyntemp` of its generation_config", speculation="ok",
        remembers=True, surprisal=True, given=True, zones=True, requested=True, greedy="left alone", preemption="-",
        draws="host", counts="hook.counts", traces="each generate()",
        limits="replaces a private method of the model object; signals are those of the truncated row; policies that "
        "remember, or read zones, are refused with num_beams > 1; generate_batch(): with 5.23 on a CPU, policies of "
        "the row alone",
    ),
    "transformers/custom-generate": Capabilities(
        engine="transformers", form="custom_generate=", run_with="5.23.0, 4.57.6 (CPU)",
        after="penalties, constraints, masks", before="nothing: dyntemp draws", neutral="nothing", batch=True,
        per_request="no: one policy per generate(), a seed per row", speculation="refused", remembers=True,
        surprisal=True, given=True, zones=True, requested=True, greedy="left alone", preemption="-", draws="dyntemp",
        counts="sampler.counts", traces="each generate()",
        limits="truncates by top_k, top_p, min_p at temperature 1, other ways are refused, and beams; streamer= goes "
        "to token_streamer=; an assistant_model is not used",
    ),
    "vllm/v1": Capabilities(
        engine="vLLM", form="V1 runner", run_with="0.32.0 (CPU)",
        after="masks, penalties, its temperature (undone), min-p",
        before="top-k, top-p, the draw", neutral="nothing", batch=True, per_request="extra_args, vllm_xargs",
        speculation="refused", remembers=True, surprisal=False, given=True, zones=True, requested=True,
        greedy="left alone", preemption="begins again, counted", draws="host", counts="log, and a file per worker",
        traces="each request, by label",
        limits="min-p acts at the requested temperature, and signals do not see what it removes; the plugin is "
        "silently dropped where drafts are on, and refuses policies that read zones; logprobs are those before the "
        "policy, by vLLM's default",
    ),
    "vllm/v2": Capabilities(
        engine="vLLM", form="V2 runner", run_with="not run: needs a GPU", after="bias, penalties, masks",
        before="its temperature (undone), min-p, top-k, top-p, the draw", neutral="nothing", batch=True,
        per_request="extra_args, vllm_xargs", speculation="stateless policies", remembers=True, surprisal=False,
        given=True, zones=True, requested=True, greedy="left alone", preemption="begins again, counted", draws="host",
        counts="log, and a file per worker", traces="each request, by label",
        limits="drafts are drawn at the requested temperature, so fewer are accepted, and each different policy "
        "then measures all rows; a policy that reads zones waits for each token, and is refused beside drafts; "
        "logprobs are those before the policy, by vLLM's default; traces lack the last token, and are refused "
        "beside drafts",
    ),
    "llama_cpp/chain": Capabilities(
        engine="llama.cpp", form="in the chain of samplers", run_with="llama-cpp-python 0.3.36",
        after="processors, logit_bias, penalties, grammar, truncation; or less of it: `before=`",
        before="the draw; or more: `before=`", neutral="nothing: the policy is in the place of the temperature",
        batch=False, per_request="each call", speculation="ok", remembers=True, surprisal=True, given=True, zones=True,
        requested=True, greedy="left alone", preemption="-", draws="host", counts="llama.counts", traces="each call",
        limits="mirostat is refused beside a policy; a token that a sampler on the device drew is an error",
    ),
    "llama_cpp/native": Capabilities(
        engine="llama.cpp", form="its own temp_ext", run_with="llama-cpp-python 0.3.36",
        after="penalties, truncation; or less of it: `before=`", before="the draw; or more: `before=`",
        neutral="nothing: the policy is in the place of the temperature",
        batch=False, per_request="each call", speculation="ok", remembers=False, surprisal=False, given=False,
        zones=False, requested=False, greedy="left alone", preemption="-", draws="host", counts="llama.counts",
        limits="low + (high - low)*normalized_entropy**exponent and nothing else; a grammar, logits processors and "
        "logit_bias are refused, since it counts masked candidates",
    ),
    "llama_cpp/processor": Capabilities(
        engine="llama.cpp", form="logits_processor=", run_with="llama-cpp-python 0.3.36",
        after="processors before it in the list", before="penalties, grammar, truncation, its temperature, the draw",
        neutral="`**processor.arguments`: temperature=1, top_k=0, top_p=1, min_p=0",
        batch=False, per_request="each call", speculation="stateless policies", remembers=True, surprisal=True,
        given=True, zones=True, requested=False, greedy="scaled, which changes no choice while the policy is finite",
        preemption="-", draws="host", counts="processor.counts", traces="each text, without its last token",
        limits="a policy that remembers, or reads position, surprisal or zones, needs a processor for each sequence, "
        "and a model without drafts",
    ),
    "sglang": Capabilities(
        engine="SGLang", form="custom_logit_processor",
        run_with="0.5.23: its sampler's functions on a CPU; no server, which needs a GPU",
        after="penalties, grammar, bias", before="its temperature (undone), top-k, top-p, min-p, the draw",
        neutral="nothing", batch=True, per_request="custom_params", speculation="bypassed", remembers=False,
        surprisal=False, given=False, zones=False, requested=True, greedy="left alone", preemption="-", draws="host",
        counts="log", limits="it does not tell which token a row decides, so that `position` is refused too",
    ),
    "mlx/sampler": Capabilities(
        engine="MLX-LM", form="sampler=", run_with="mlx-lm 0.32.2, mlx 0.32.4 (Linux CPU)", after="processors",
        before="nothing: dyntemp draws", neutral="nothing: the sampler replaces them", batch=True,
        per_request="a sampler each", speculation="stateless policies", remembers=True, surprisal=True, given=True,
        zones=True, requested=True, greedy="greedy", preemption="-", draws="dyntemp", counts="sampler.counts",
        limits="policies that read more than their row need `logits_processors=[sampler.follow]`; a call waits for the "
               "row; log-probabilities come in the model's dtype",
    ),
    "mlx/processor": Capabilities(
        engine="MLX-LM", form="logits_processors=", run_with="mlx-lm 0.32.2, mlx 0.32.4 (Linux CPU)",
        after="the processors before it", before="the processors after it, the sampler: truncation, its temperature",
        neutral="make_sampler(temp=1.0)", batch=True, per_request="a processor each",
        speculation="stateless policies", remembers=True, surprisal=True, given=True, zones=True, requested=False,
        greedy="scaled, which changes no choice", preemption="-", draws="host", counts="processor.counts",
        limits="a call waits for the row",
    ),
    "torch": Capabilities(
        engine="PyTorch", form="your own loop", run_with="2.13.0 (CPU)", after="what your loop did",
        before="what your loop does", neutral="-", batch=True, per_request="module.begin(slot, policy)",
        speculation="ok", remembers=True, surprisal=True, given=True, zones=True, requested=True, greedy="left alone",
        preemption="yours", draws="you or dyntemp",
        counts="module.counts",
        limits="with a gradient and under torch.compile: no policy that remembers or reads zones, and one for all rows",
    ),
}  # fmt: skip
"""By `module` or `module/form` of `dyntemp.engines`."""


SHOWN = (
    "batch", "per_request", "speculation", "remembers", "surprisal", "given", "zones", "requested", "draws", "traces",
    "run_with",
)  # fmt: skip
"""The columns of the support matrix."""

TOLD = {"after": "before the policy", "before": "after the policy", "neutral": "settings", "greedy": "greedy requests",
        "preemption": "memory of a preempted request", "counts": "counts", "limits": "limits"}  # fmt: skip
"""The attributes that are listed for each adapter, with their labels."""


def support_matrix() -> list[str]:
    """The lines of the documentation's table in Markdown, one for each adapter."""
    head = ["adapter", *SHOWN]
    rows = [[f"{one.engine}, {_code(one.form)}", *(getattr(one, name) for name in SHOWN)]
            for one in CAPABILITIES.values()]  # fmt: skip
    words = {True: "yes", False: "no"}
    lines = [[name.replace("_", " ") for name in head], ["---"] * len(head), *rows]
    return [f"| {' | '.join(str(words.get(cell, cell)) for cell in line)} |" for line in lines]


def support_details() -> list[str]:
    """The lines of the documentation about each adapter's rows and limits, in Markdown."""
    lines = []
    for key, one in CAPABILITIES.items():
        lines += [f"**{one.engine}, {_code(one.form)}** (`{key}`)", ""]
        lines += [f"- {label}: {getattr(one, name)}" for name, label in TOLD.items() if getattr(one, name) != "-"]
        lines.append("")
    return lines


def _code(form: str) -> str:
    """A form in Markdown: as code, if it is an argument's name."""
    return f"`{form}`" if form.endswith("=") else form
