"""Settings of transformers against the logits processors that its own `generate` makes of them."""

from types import SimpleNamespace

import numpy as np
import pytest
from tests.convert.formulas import softmax

from dyntemp.convert import from_settings

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


class Host(transformers.GenerationMixin):
    """As much of a model as `_get_logits_processor` reads."""

    config = SimpleNamespace(is_encoder_decoder=False)
    device = "cpu"


def test_random_settings_draw_from_the_distribution_of_its_processors():
    """top_h has another formula there, and is left out. Few rows lie at the edges of float32."""
    noise, differing = np.random.default_rng(8), 0
    for _ in range(300):
        options = {
            "temperature": noise.uniform(0.3, 2), "top_k": int(noise.integers(0, 30)), "top_p": noise.uniform(0.3, 1),
            "min_p": noise.uniform(0, 0.3), "typical_p": noise.uniform(0.3, 1), "epsilon_cutoff": noise.uniform(0, 0.1),
            "eta_cutoff": noise.uniform(0, 0.1),
        }  # fmt: skip
        sent = {name: value for name, value in options.items() if noise.random() < 0.6}
        found = from_settings("transformers", {"do_sample": True, **sent})
        config = transformers.GenerationConfig(do_sample=True, **{"top_k": 50, **sent})
        config._eos_token_tensor = None
        made = Host()._get_logits_processor(config, input_ids_seq_length=1, device="cpu", logits_processor=[])
        row = noise.normal(0, noise.uniform(0.5, 4), 60).astype(np.float32)
        theirs = made(torch.zeros((1, 1), dtype=torch.long), torch.from_numpy(row[None].copy()))[0].numpy()
        temperature = sent.get("temperature", 1.0)
        kept = found.filters.mask(row.astype(np.float64), temperature)
        ours = softmax(np.where(kept, row.astype(np.float64), -np.inf) / temperature)
        differing += not np.allclose(softmax(theirs), ours, atol=1e-5)

    assert differing <= 2
