"""vLLM, in both of its runners: `--logits-processors dyntemp.engines.vllm:DynamicTemperature`.

SamplingParams(extra_args={"dyntemp": "0.1 + 0.8*entropy"})          # offline
extra_body={"vllm_xargs": {"dyntemp": "0.1 + 0.8*entropy"}}          # the openai client
extra_body={"vllm_xargs": {"dyntemp": "0.3 + 0.7*inside('note')", "dyntemp_zones": "note=<note>...</note>"}}
extra_body={"vllm_xargs": {"dyntemp": "given('t', 0, 9)", "dyntemp_given": '{"t": [0.5, 0.7]}'}}  # by position
extra_body={"vllm_xargs": {"dyntemp": "0.1 + 0.8*entropy", "dyntemp_record": "mine"}}  # a trace
"""

from dyntemp.engines.vllm.check import self_test
from dyntemp.engines.vllm.processor import DynamicTemperature, StatelessDynamicTemperature

__all__ = ["DynamicTemperature", "StatelessDynamicTemperature", "self_test"]
