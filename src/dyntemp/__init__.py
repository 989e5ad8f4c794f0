"""Dynamic temperature for language models: a temperature per token, from the model's own confidence."""

from dyntemp.errors import InvalidLogitsError, ModelError, PolicyError, StateError, TraceError
from dyntemp.expr import param
from dyntemp.policy import Policy
from dyntemp.sampling import Draw, measure, sample, scale, temperatures
