"""What is promised: ratios with a headline, and floors for each class of processor on which they were measured."""

from report import Target
from yardstick import EXPONENTIALS, READ

OURS, OURS_STATIC = "dyntemp", "dyntemp static"
NUMBA_START = "Numba's own first call"

LARGE = (128_000, 2**20)
SLOWER = (READ, EXPONENTIALS)
HOT, HOT_MANY, MANY = ("hot", LARGE[0]), ("hot", 2**20), (".*", 2**20)
"""Where floors against peers are held: out of the caches, as the figures were that they come from, and in calls of
enough logits. One row of 32,000 takes 7 us, and the Python around it as long again; that is reported, not gated."""


def targets(vectors: str) -> tuple[Target, ...]:
    """The targets, with the floors of a class of processors as `provenance.vectors` names it.

    Those of AVX-512 were measured on an Intel Xeon (family 6, model 167), but for the tenth over a static temperature:
    later runs on such a machine had medians of 1.05 to 1.07, where 1.05 was the floor. Those of AVX2 were measured on
    an AMD EPYC (family 25, model 1); each leaves a fifth to the worst median of six runs, but for what is promised as
    it is: no slower than `np.partition`, a tenth over a static temperature at most, a first call within twice the first
    call of any function in Numba's cache. Other classes have none.

    A row costs its memory or its exponentials, and the machine decides which takes longer. So the ratio to one read of
    memory is shown, and the ratio to the slower of both is held. With AVX2 the exponentials are always slower.
    """

    def floor(avx512: float | None = None, avx2: float | None = None) -> float | None:
        return {"avx512": avx512, "avx2": avx2}.get(vectors)

    return (
        Target("torch static", OURS, True, floor(40, 30), 100, held=HOT),
        Target("torch dynamic", OURS, True, floor(45, 34), 120, held=HOT),
        Target("torch inverse CDF", OURS, True, floor(5, 3.7), 10, held=HOT_MANY),
        Target("llama.cpp temp_ext", OURS, True, floor(100, 63), 300, batch=(1, 1), held=HOT),
        Target("NumPy", OURS, True, floor(15, 13), 40, held=HOT_MANY),
        Target(OURS, READ, False, None, 1.5, "draw", "cold", "float32", LARGE, (8, 256)),
        Target(OURS, READ, False, None, 1.8, "draw", "cold", "float32", LARGE, (1, 7)),
        Target(OURS, READ, False, None, 1.75, "draw", "cold", "float32", (32_000, LARGE[0] - 1)),
        Target(OURS, READ, False, None, 2.3, "draw", "cold", "bfloat16", LARGE, (8, 256)),
        Target(OURS, READ, False, None, 2.8, "draw", "cold", "bfloat16", LARGE, (1, 7)),
        Target(OURS, SLOWER, False, floor(2.0), 1.5, "draw", "cold", "float32", LARGE),
        Target(OURS, SLOWER, False, floor(2.5), 1.5, "draw", "cold", "float32", (32_000, LARGE[0] - 1), held=MANY),
        Target(OURS, SLOWER, False, floor(3.5), 2.3, "draw", "cold", "bfloat16", LARGE),
        Target(OURS, EXPONENTIALS, False, floor(avx2=2.3), 1.5, batch=(8, 256), held=MANY),
        Target(OURS, EXPONENTIALS, False, floor(avx2=2.7), 1.5, vocabulary=LARGE, batch=(1, 7)),
        Target(OURS, OURS_STATIC, False, floor(1.1, 1.1), 1.02, held=MANY),
        Target("np.partition", OURS, True, floor(1.0, 1.0), 2, "median", held=HOT),
        Target("torch.median", OURS, True, floor(10, 5.8), 25, "median", held=HOT),
        Target("torch.quantile", OURS, True, floor(100, 52), 400, "median", held=HOT),
        Target("first call, cached", f"{NUMBA_START}, cached", False, floor(2.0, 2.0), 1.25, "start"),
        Target("first call, cached", None, False, None, 0.4, "start"),
        Target("first call, nothing cached", None, False, None, 3.0, "start"),
    )
