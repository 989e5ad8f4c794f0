"""Adapters to hosts that run the generation loop themselves, a module or a package for each host.

An adapter knows its host, and nothing of policies. `Requests` knows policies, and nothing of hosts. The adapter begins
and ends requests there, and hands over each step's rows as a `Batch`. It gets back the scaled rows, or their
temperatures. `CAPABILITIES` holds a record of each adapter's abilities; a policy that needs more is refused.
"""

from dyntemp.engines.batch import Batch, Counts, Step
from dyntemp.engines.capabilities import CAPABILITIES, Capabilities
from dyntemp.engines.requests import Requests
from dyntemp.errors import EngineError

__all__ = ["CAPABILITIES", "Batch", "Capabilities", "Counts", "EngineError", "Requests", "Step"]
