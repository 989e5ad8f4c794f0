"""Numbers for what a policy reads beside the row: `given`, zones, and the divergence of a second prompt."""

from dyntemp import Policy


def supplied(policy: Policy, number: float = 0.5) -> dict[str, float]:
    """`given=` for `temperatures` and `generate`: `number` for each, and 1 inside of every zone."""
    values = {}
    for signal in policy.signals:
        if signal.name == "given":
            values[str(signal.arguments[0])] = number
        elif signal.name in ("inside", "divergence"):
            values[str(signal)] = 1.0 if signal.name == "inside" else number
    return values
