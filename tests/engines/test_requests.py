"""The contract of adapters, by the suite that they pass, and what it does with rows of a device."""

import numpy as np
import pytest

from dyntemp.engines import Batch, Capabilities, Requests
from dyntemp.testing import EngineSuite, FakeHost

ALL = Capabilities(
    engine="direct", form="none", run_with="-", after="-", before="-", neutral="-", batch=True, per_request="yes",
    speculation="ok", remembers=True, surprisal=True, given=True, requested=True, greedy="left alone",
    preemption="-", draws="host", counts="-",
)  # fmt: skip


class Direct(FakeHost):
    """Does itself what an adapter does for its host."""

    adapter = "direct"
    capabilities = ALL

    def __init__(self, divided, library=np.asarray):
        self.divided = divided
        self.requests = Requests(ALL, divided=divided)
        self.library = library
        self.running, self.asked, self.length, self.last = [], {}, {}, {}

    def begin(self, asked):
        numbers = []
        for one in asked:
            number = next(n for n in range(100) if n not in self.running)
            if one.policy is not None:
                self.requests.begin(number, one.policy, requested=one.requested, prompt=one.prompt)
            self.running.append(number)
            self.asked[number], self.length[number], self.last[number] = one, one.prompt, -1
            numbers.append(number)
        return numbers

    def step(self, rows):
        t = np.array([self.asked[number].requested or 1.0 for number in self.running], np.float32)[:, None]
        given = np.stack([rows[number] for number in self.running])
        logits = self.library(given / t if self.divided == "before" else given.copy())
        batch = Batch(logits, list(self.running), [self.length[number] for number in self.running],
                      drawn=[self.last[number] for number in self.running])  # fmt: skip
        found = np.asarray(self.requests.scale(batch, out=logits))
        found = found / t if self.divided == "after" else found
        return dict(zip(self.running, found, strict=True))

    def draw(self, tokens):
        for number, token in tokens.items():
            self.length[number] += 1
            self.last[number] = token

    def finish(self, request):
        self.requests.end(request)
        self.running.remove(request)

    def rearrange(self):
        self.running.reverse()

    @property
    def counts(self):
        return self.requests.counts


class TestNever(EngineSuite):
    def make_host(self):
        host = Direct("never")
        host.tells_requested = False
        return host


class TestBefore(EngineSuite):
    def make_host(self):
        return Direct("before")


class TestAfter(EngineSuite):
    def make_host(self):
        return Direct("after")


class TestTensors(EngineSuite):
    def make_host(self):
        return Direct("after", pytest.importorskip("torch").from_numpy)
