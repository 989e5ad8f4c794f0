"""The fields of a request to vLLM that hold a policy; `dyntemp serve` takes the same."""

KEY = "dyntemp"
"""The name of a request's policy in `extra_args` and `vllm_xargs`, and of our part of `additional_config`."""

ID = "dyntemp_id"
"""The field with a request's name in the trace."""

RECORD = "dyntemp_record"
"""The field with the label of a request's trace, which names a file in the folder that the server's operator chose."""

ZONES = "dyntemp_zones"
"""The field with zones of a request's own: a text as `parse_zone` reads it, or a list of them."""

GIVEN = "dyntemp_given"
"""The field with values of `given("name", low, high)`, by name: numbers, or lists by position; or its JSON as text."""

OFF = "off"
"""The policy of a request that declines the server's default policy."""

MOST_CHARACTERS = 6000
"""Most characters in the text of a policy. A learned one has thousands; whoever reaches the server may send one."""

MOST_ZONES = 16
"""Most zones of its own that a request may bring."""

NEUTRAL = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
"""Settings that a server of vLLM otherwise takes from the model's own generation_config.json."""

PLAIN = {"top_p": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
"""Neutral values of settings that every server of the OpenAI API has."""
