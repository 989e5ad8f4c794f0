"""transformers: a policy in `generate()`, in one of three forms.

    model.generate(**inputs, **neutral(model), logits_processor=[DynamicTemperature("0.1 + 0.8*normalized_entropy")])

    with AfterWarpers(model):      # after the host's temperature, top-k and top-p: assistants, beams, streamers work
        model.generate(**inputs, generation_config=GenerationConfig(do_sample=True, top_p=0.9, dyntemp="0.1 + entropy"))

    sampler = DynamicSampler("0.3 + 0.7*normalized_entropy**0.5", seed=7)      # draws the tokens itself
    model.generate(**inputs, custom_generate=sampler, do_sample=True, min_p=0.05, token_streamer=streamer)

| form | rows are measured | reason to take it |
|---|---|---|
| `DynamicTemperature` | after penalties, before the host's temperature and truncation | nothing is replaced |
| `AfterWarpers` | after truncation too | no neutral settings; the generation config holds the policy |
| `DynamicSampler` | as the first; truncation is ours, at temperature 1 | a seed for each row, one fast draw |

Run with transformers 5.23.0 and 4.57.6. Importing this package does not import transformers.
"""

from dyntemp.engines.transformers.after_warpers import AfterWarpers
from dyntemp.engines.transformers.processor import DynamicTemperature, neutral
from dyntemp.engines.transformers.sampler import DynamicSampler

__all__ = ["AfterWarpers", "DynamicSampler", "DynamicTemperature", "neutral"]
