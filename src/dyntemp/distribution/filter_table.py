"""The filters, one record each: name, arguments, meaning, formula and source; `truncation` has the masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any

from dyntemp.distribution import truncation
from dyntemp.distribution.truncation import Mask


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a filter.

    Attributes:
        name: Its name.
        usual: The values that people use.
        off: The value at which the filter keeps everything.
        high: The largest value; the smallest is 0.
        above: True where 0 itself is not allowed.
        whole: True for whole numbers.
    """

    name: str
    usual: str
    off: float | None = None
    high: float = 1.0
    above: bool = False
    whole: bool = False

    def read(self, label: str, value: Any) -> float:
        """The argument as a number.

        Raises:
            ValueError: For a value outside its range; `label` names the argument in the message.
        """
        if isinstance(value, bool) or not self._fits(value):
            raise ValueError(f"{label} = {value} was given; {self.allowed}")
        return int(value) if self.whole else float(value)

    def _fits(self, value: Any) -> bool:
        inside = (value > 0 if self.above else value >= 0) and value <= self.high and value < inf
        return inside and (not self.whole or int(value) == value)

    @property
    def span(self) -> str:
        """The range in signs, with the value that keeps all."""
        numbers = f"{'(' if self.above else '['}0, {'inf)' if self.high == inf else f'{self.high:g}]'}"
        return numbers + ("" if self.off is None else f"; {self.off:g} keeps all")

    @property
    def allowed(self) -> str:
        """The range in words."""
        if self.whole:
            return "a whole number of at least 1 is allowed, or 0 for all"
        if self.above:
            return f"it lies above 0 and at most at {self.high:g}, where it keeps all"
        start = "from 0, where it keeps all," if self.off == 0 else "from 0"
        return f"it lies {start} {'on' if self.high == inf else f'to {self.high:g}'}"


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter.

    Attributes:
        name: Its name in a chain.
        arguments: Its arguments, in their order.
        meaning: The entries that it keeps.
        formula: The same as a formula: p are the probabilities, sorted from the likeliest where they have an index.
        source: Where it was published, or the program that it comes from.
        keep: `Remaining` and the arguments -> the mask of the entries that stay, bool [n].
        cut: True where it keeps the likeliest entries up to some place in their order.
        coin: True where it draws a coin, so that it keeps other entries in another draw from the same row.
        differs: Where programs differ from the formula.
    """

    name: str
    arguments: tuple[Argument, ...]
    meaning: str
    formula: str
    source: str
    keep: Callable[..., Mask] = field(repr=False)
    cut: bool = True
    coin: bool = False
    differs: str = ""

    @property
    def spelling(self) -> str:
        """The filter as it is written, with names for its arguments."""
        return self.name + (f"({', '.join(argument.name for argument in self.arguments)})" if self.arguments else "")

    def read(self, values: tuple[Any, ...]) -> tuple[float, ...]:
        """The arguments as numbers.

        Raises:
            ValueError: For a wrong number of them, or one outside its range.
        """
        if len(values) != len(self.arguments):
            raise ValueError(f"{self.name} was given {len(values)} numbers; write it as `{self.spelling}`")
        several = len(self.arguments) > 1
        return tuple(
            argument.read(f"{self.name}'s {argument.name}" if several else self.name, value)
            for argument, value in zip(self.arguments, values, strict=True)
        )

    def keeps_all(self, values: tuple[float, ...]) -> bool:
        """Return True where the filter has no effect with these arguments."""
        return any(value == argument.off for argument, value in zip(self.arguments, values, strict=True))


EPSILON = Argument("epsilon", "3e-4 to 4e-3", off=0)

FILTERS: dict[str, Filter] = {
    record.name: record
    for record in (
        Filter("top_k", (Argument("k", "20 to 100", off=0, high=inf, whole=True),), "the k likeliest",
               "the first k", "Fan et al. 2018, arXiv 1805.04833",
               lambda left, k: truncation.keep_top_k(left.z, k),
               differs="transformers keeps every entry that equals the k-th"),
        Filter("top_p", (Argument("p", "0.8 to 0.98", off=1, above=True),),
               "the likeliest that together reach the probability p",
               "the least k with p_1 + ... + p_k >= p", "Holtzman et al. 2019, arXiv 1904.09751",
               lambda left, p: truncation.keep_top_p(left.z, left.w, p),
               differs="transformers sorts from the least likely: of equal entries it keeps the higher index"),
        Filter("min_p", (Argument("p", "0.01 to 0.2, about as selective as top_p from 0.99 to 0.8", off=0),),
               "what has at least the share p of the likeliest's probability",
               "p_i >= p*p_1", "Nguyen et al. 2024, arXiv 2407.01082",
               lambda left, share: left.w >= share),
        Filter("top_n_sigma", (Argument("n", "1 to 2", off=0, high=inf),),
               "logits at most n standard deviations below the largest; the same at every temperature",
               "z_i >= z_1 - n*sigma, sigma of the population", "Tang et al. 2024, arXiv 2411.07641",
               lambda left, n: truncation.keep_top_n_sigma(left.z, n),
               differs="text-generation-webui takes the sigma of a sample, with masked logits as 0"),
        Filter("typical", (Argument("p", "0.2 to 0.95", off=1, above=True),),
               "those whose surprisal is nearest to the entropy H, until they reach the probability p",
               "the fewest by rising abs(-ln p_i - H) that sum to p", "Meister et al. 2022, arXiv 2202.00666",
               lambda left, p: truncation.keep_typical(left.z, left.w, p), cut=False,
               differs="transformers keeps all that are as near as the last; llama.cpp wants more than p"),
        Filter("eta", (EPSILON,), "what is likelier than a bound that falls with the entropy H",
               "p_i >= min(epsilon, sqrt(epsilon)*exp(-H)), or p_i = p_1", "Hewitt et al. 2022, arXiv 2210.15191",
               lambda left, epsilon: truncation.keep_eta(left.w, epsilon)),
        Filter("epsilon", (EPSILON,), "what has at least the probability epsilon",
               "p_i >= epsilon, or p_i = p_1", "Hewitt et al. 2022, arXiv 2210.15191",
               lambda left, epsilon: truncation.keep_from(left.w, epsilon * float(left.w.sum()))),
        Filter("top_a", (Argument("a", "0.1 to 0.5", off=0),),
               "what has at least the share a of the likeliest's squared probability",
               "p_i >= a*p_1**2", "BlinkDL, RWKV-LM; KoboldAI",
               lambda left, a: truncation.keep_from(left.w, a / float(left.w.sum()))),
        Filter("tfs", (Argument("z", "0.9 to 0.99", off=1, above=True),),
               "what comes before the tail, which begins where the sorted p has bent by the share z of all its bends",
               "1 + the number of k with b_1 + ... + b_k <= z*sum(b), b_k = abs(p_k - 2*p_{k+1} + p_{k+2})",
               "Bricken 2019, Tail Free Sampling",
               lambda left, share: truncation.keep_tfs(left.z, left.w, share),
               differs="koboldcpp keeps one entry fewer"),
        Filter("xtc", (Argument("threshold", "0.1"), Argument("probability", "0.5", off=0)),
               "with the probability, of the entries that reach the threshold only the least likely, and all below",
               "if a coin says so: i with p_i < threshold, or the last with p_i >= threshold",
               "p-e-w 2024, text-generation-webui pull request 6335", truncation.keep_xtc, cut=False, coin=True,
               differs="text-generation-webui and mlx-lm never drop line breaks and the end of the text"),
        Filter("p_less", (), "what is at least as likely as two draws are to agree", "p_i >= sum(p**2)",
               "Tan et al. 2025, arXiv 2509.23234", lambda left: truncation.keep_p_less(left.w)),
        Filter("top_h", (Argument("alpha", "0.3 to 0.5", off=1, above=True),),
               "the likeliest, as many as have together at most the share alpha of the row's entropy",
               "the most k with H(p_1...p_k, renormalised) <= alpha*H(p)",
               "Baghaei Potraghloo et al. 2025, arXiv 2509.02510",
               lambda left, alpha: truncation.keep_top_h(left.z, left.w, alpha),
               differs="transformers looks at the 100 likeliest alone, and does not renormalise the k"),
    )
}  # fmt: skip
"""Every filter by its name, in the order of the documentation."""
