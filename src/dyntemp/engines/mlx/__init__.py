"""MLX-LM: a sampler that decides each token's temperature and draws it, and a processor that only scales.

    dynamic = DynamicTemperature("0.3 + 0.7*normalized_entropy**0.5", min_p=0.05, seed=7)
    generate(model, tokenizer, "Name a river.", sampler=dynamic)

The sampler replaces the host's temperature, truncation and draw, alone and in batches. Rows of a `BatchGenerator` that
share one sampler come in one call, other rows one by one. The host gives a sampler log-probabilities, and does not say
which sequence a row belongs to. So a policy that reads `position` or earlier tokens has to see the tokens as well:

    generate(model, tokenizer, prompt, sampler=dynamic, logits_processors=[dynamic.follow])

Without `follow`, the first call for such a policy is an error.

What to know:

- The host computes one token ahead, so it calls once more than it yields. The last `Step` that `record` receives is of
  a token that is never yielded: `zip` the steps with the yielded tokens.
- Each call waits for the row, so the host cannot prepare the next step meanwhile.
- A model in bfloat16 gives log-probabilities that are rounded to bfloat16 once more, after the host's subtraction. The
  processor sees the logits before it.
- With `draft_model=`, draft and target are drawn by the same rule, and every token that comes out is drawn from the
  target's row. Policies that need `follow` are refused there, in the second round at the latest.
- `mlx_lm.server` has no field for a policy. One policy that does not need `follow` can serve all requests, in place of
  a function of the server's module:

      mlx_lm.server._make_sampler = lambda args, tokenizer: DynamicTemperature(
          policy, requested=args.sampling.temperature, top_p=args.sampling.top_p, min_p=args.sampling.min_p)
"""

from dyntemp.engines.mlx.processor import ScaleLogits
from dyntemp.engines.mlx.sampler import DynamicTemperature

__all__ = ["DynamicTemperature", "ScaleLogits"]
