"""Hosts that own the loop, and the one contract of the adapters to them: rows come in, temperatures go out.

An adapter, a module here, knows its host and nothing of policies; `Requests` knows policies and nothing of hosts. An
adapter tells it which requests began and ended, hands over each step's rows as a `Batch`, and gets back the rows
scaled, or their temperatures. What each adapter can do is a record in `CAPABILITIES`; what it cannot, it refuses.
"""

from dyntemp.engines.batch import Batch, Counts, Step
from dyntemp.engines.capabilities import CAPABILITIES, Capabilities
from dyntemp.engines.requests import Requests
from dyntemp.errors import EngineError

__all__ = ["CAPABILITIES", "Batch", "Capabilities", "Counts", "EngineError", "Requests", "Step"]
