"""Colours that people with a common colour blindness tell apart, and text on them that everyone can read.

The simulation is that of Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision
Deficiency", IEEE Transactions on Visualization and Computer Graphics 15(6), 2009, at severity 1, in linear sRGB.
"""

import re
from importlib.resources import files
from itertools import pairwise

import numpy as np
import pytest

from dyntemp.show.colour import STOPS, Scale

VISION = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "typical": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
}
SHARES = np.linspace(0, 1, 101)
CSS = files("dyntemp.show").joinpath("tokens.css").read_text(encoding="utf-8")
SCHEMES = {"light": 1, "dark": 2}


def variable(name, scheme):
    """The colour of a variable of the style sheet in the light or the dark scheme."""
    found = re.search(rf"--dt-{name}: light-dark\((#[0-9a-f]{{6}}), (#[0-9a-f]{{6}})\)", CSS)
    text = found.group(SCHEMES[scheme])
    return np.array([int(text[at : at + 2], 16) for at in (1, 3, 5)], float)


def tint(share, scheme, *, diverging=True):
    """The ground of a token: the style sheet's mixture, which blends in sRGB."""
    cool = max(0, 1 - 2 * share) if diverging else 0
    warm = max(0, 2 * share - 1) if diverging else share
    between = cool * variable("cold", scheme) + (1 - cool) * variable("neutral", scheme)
    return warm * variable("hot", scheme) + (1 - warm) * between


def linear(rgb):
    c = np.asarray(rgb, float) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """As WCAG 2 defines it."""
    luminance = sorted(float(linear(rgb) @ [0.2126, 0.7152, 0.0722]) for rgb in (one, other))
    return (luminance[1] + 0.05) / (luminance[0] + 0.05)


def lab(rgb, vision):
    """CIE L*a*b* of a colour as someone with this vision sees it."""
    seen = np.clip(np.array(VISION[vision]) @ linear(rgb), 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    t = to_xyz @ seen / [0.95047, 1.0, 1.08883]
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("scheme", ["terminal", *SCHEMES])
def test_the_ends_and_the_middle_look_different_to_everyone(vision, scheme):
    colours = [STOPS[at] if scheme == "terminal" else tint(at / 4, scheme) for at in (0, 2, 4)]
    seen = [lab(rgb, vision) for rgb in colours]

    assert np.linalg.norm(seen[0] - seen[2]) > 40  # 2.3 is the least that people notice side by side
    assert all(np.linalg.norm(one - other) > 20 for one, other in pairwise(seen))


@pytest.mark.parametrize("scheme", ["terminal", *SCHEMES])
def test_the_ends_are_blue_and_orange_and_the_middle_is_grey(scheme):
    cold, middle, hot = (
        lab(STOPS[at] if scheme == "terminal" else tint(at / 4, scheme), "typical")[1:] for at in (0, 2, 4)
    )

    assert cold[1] < -25  # b* is yellow against blue, a* is red against green
    assert hot[0] > 15
    assert hot[1] > 25
    assert np.linalg.norm(middle) < 5


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("scheme", ["terminal", *SCHEMES])
def test_yellowness_rises_all_the_way_to_everyone(vision, scheme):
    scale = Scale(0, 1)
    seen = [lab(scale.rgb(share) if scheme == "terminal" else tint(share, scheme), vision)[2] for share in SHARES]

    assert all(later > earlier - 0.7 for earlier, later in pairwise(seen))  # whole numbers of the terminal's colours
    assert all(later > earlier for earlier, later in pairwise(seen[::10]))


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_from_neutral_to_orange_everyone_sees_a_way(vision, scheme):
    seen = [lab(tint(share, scheme, diverging=False), vision) for share in SHARES]
    way = [np.linalg.norm(one - seen[0]) for one in seen]

    assert all(later > earlier for earlier, later in pairwise(way))
    assert way[-1] > 30


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("diverging", [True, False])
def test_text_is_readable_on_every_tint(scheme, diverging):
    ink = variable("ink", scheme)

    assert min(contrast(ink, tint(share, scheme, diverging=diverging)) for share in SHARES) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("text", "ground"), [("ink", "ground"), ("ink", "panel"), ("quiet", "ground"), ("quiet", "panel")]
)
def test_other_text_is_readable_too(scheme, text, ground):
    assert contrast(variable(text, scheme), variable(ground, scheme)) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["bar-before", "bar-after", "accent"])
def test_what_is_drawn_stands_out(scheme, name):
    assert contrast(variable(name, scheme), variable("panel", scheme)) >= 2.7 + 0.3 * (name != "bar-before")


def test_the_terminals_colours_are_readable_on_black_and_on_white():
    for ground in ((0, 0, 0), (255, 255, 255)):
        assert min(contrast(Scale(0, 1).rgb(share), ground) for share in SHARES) >= 4.5


def test_a_scale_that_does_not_diverge_begins_at_grey():
    scale = Scale(0.0, 4.0, diverging=False)

    assert [STOPS[2], STOPS[3], STOPS[4]] == [scale.rgb(value) for value in (0.0, 2.0, 4.0)]
    assert [0.0, 0.5, 1.0, 1.0] == [scale.share(value) for value in (-1.0, 2.0, 9.0, float("inf"))]
