"""A request from one list of arguments, those of its settings among them."""

from dyntemp.generation.request import Request
from dyntemp.traces.settings import Settings

OWN = ("number", "signals", "record", "leader", "contrast", "functions", "curves")


def make_request(prompt, policy, **more):
    own = {name: more.pop(name) for name in OWN if name in more}
    return Request(prompt=prompt, policy=policy, settings=Settings(**more), **own)
