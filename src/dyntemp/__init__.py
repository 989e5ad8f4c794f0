"""Dynamic temperature for language models: a temperature per token, from the model's own confidence.

>>> from dyntemp import Policy, temperatures
>>> policy = Policy("0.5 - 0.4*max_prob")
>>> round(float(temperatures([[-4.6, -3.9, -3.5, -0.06]], policy)[0]), 3)
0.124
"""

from dyntemp._version import __version__
from dyntemp.errors import InvalidLogitsError, ModelError, PolicyError, StateError, TraceError
from dyntemp.generation.generate import Generation, agenerate, generate
from dyntemp.generation.policy_file import PolicyFile
from dyntemp.language.parameters import param
from dyntemp.language.policy import Policy
from dyntemp.language.state import State
from dyntemp.models import load_model
from dyntemp.sampling import Draw, measure, sample, scale, temperatures
from dyntemp.traces.file import Trace
from dyntemp.traces.token import Alternative, Token

__all__ = [
    "Alternative",
    "Draw",
    "Generation",
    "InvalidLogitsError",
    "ModelError",
    "Policy",
    "PolicyError",
    "PolicyFile",
    "State",
    "StateError",
    "Token",
    "Trace",
    "TraceError",
    "__version__",
    "agenerate",
    "generate",
    "load_model",
    "measure",
    "param",
    "sample",
    "scale",
    "temperatures",
]
