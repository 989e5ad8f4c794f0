"""Random changes of a batch, with each row compared with the reference."""

import numpy as np

from dyntemp import temperatures
from dyntemp.sampling import as_policy
from dyntemp.testing import Asked
from dyntemp.testing.checks import check_row, some_rows

POLICIES = (
    None,
    "0.5 - 0.4*max_prob",
    "0.3 + prev(entropy)/9",
    "0.2 + ema(entropy, 0.5)/5 + integral(0.1*max_prob, 0, 1)",
)


def soak(host, seed, look=lambda running: None, turns=40, most=8):
    """Requests come, leave in any order and are moved; some rows are run again; `look` sees who runs at each turn."""
    rng = np.random.default_rng(seed)
    policies, wanted, memories, positions = {}, {}, {}, {}
    for turn in range(turns):
        for request in [one for one in policies if rng.random() < 0.15]:
            host.finish(request)
            del policies[request]
        new = [Asked(POLICIES[rng.integers(4)], 0.5 + rng.random()) for _ in range(rng.integers(0, 4))]
        new = new[: most - len(policies)]
        for request, asked in zip(host.begin(new), new, strict=True):
            policies[request], wanted[request], positions[request] = asked.policy, asked.requested, 0
            memories[request] = None if asked.policy is None else as_policy(asked.policy).state()
        if not policies:
            continue
        if rng.random() < 0.4:
            host.rearrange()
        rows = dict(zip(policies, some_rows(len(policies), host.vocabulary, seed=100 * seed + turn), strict=True))
        for _ in range(rng.integers(1, 3)):
            found = host.step({request: row.copy() for request, row in rows.items()})
        for request, policy in policies.items():
            t = wanted[request]
            if policy is not None:
                t = float(temperatures(rows[request], policy, state=memories[request], position=positions[request],
                                       backend="reference"))  # fmt: skip
            check_row(rows[request], found[request], t)
            positions[request] += 1
        look(list(policies))
        host.draw(dict.fromkeys(policies, 1))
    assert host.counts.as_dict()["restarts"] == 0
