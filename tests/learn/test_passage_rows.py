"""The rows of given texts are those of the formulas, batches are kept, and an interrupted reading goes on."""

import numpy as np
import pytest
from tests.learn.made_passages import TABLE, drawn, entropy, model

from dyntemp.distribution.filters import Filters
from dyntemp.errors import PolicyError
from dyntemp.language.policy import Policy
from dyntemp.learn.passage_rows import AT_ONCE, rows_of, signals_for
from dyntemp.learn.passage_tokens import tokens_of

TEMPLATE = Policy('clip(param("a", 0, 1) + margin + entropy + 0*position + 0*ema(surprisal, 0.5), 0.1, 3)')
PASSAGES = [tokens_of(model(), one, held_out=False, most=20 + at) for at, one in enumerate(drawn(lambda _: 1, 20, 40))]


def test_every_token_has_the_figures_of_its_row(tmp_path):
    found = rows_of(model(), PASSAGES, TEMPLATE, Filters(), tmp_path)

    tokens, at = found.tokens, 0
    for text, one in enumerate(PASSAGES):
        before = [*one.prompt, *one.scored]
        for position, token in enumerate(one.scored):
            z = TABLE[([0, *before])[position], before[position]]
            p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
            assert (tokens.text[at], tokens.position[at]) == (text, position)
            assert tokens.signals["entropy"][at] == pytest.approx(entropy(z), abs=1e-5)
            assert tokens.signals["margin"][at] == pytest.approx(np.diff(np.sort(p))[-1], abs=1e-5)
            assert tokens.surprisal[at] == pytest.approx(-np.log(p[token]), abs=1e-5)
            assert found.likeliest[at] == (token == np.argmax(z))
            at += 1
    assert at == len(tokens.text)
    for t in (0.4, 1.0, 2.5):
        z = TABLE[([0, *PASSAGES[3].prompt])[-2], PASSAGES[3].prompt[-1]] / t
        wanted = z[PASSAGES[3].scored[0]] - np.log(np.exp(z).sum())
        first = int(np.argmax(tokens.text == 3))
        assert tokens.curves.at(np.log(t)).log_prob[first] == pytest.approx(wanted, abs=1e-5)


def test_filters_drop_tokens_and_their_share_of_the_sum(tmp_path):
    found = rows_of(model(), PASSAGES, TEMPLATE, Filters.read("top_k(3)"), tmp_path)

    dropped = ~np.isfinite(found.tokens.curves.value)
    draws = found.tokens.curves.at(0.0)
    assert 0.05 < dropped.mean() < 0.9
    assert np.all(draws.total <= np.log(3) + 1e-6)
    assert not np.any(found.likeliest & dropped)


def test_a_reading_that_was_interrupted_goes_on(tmp_path):
    whole = rows_of(model(), PASSAGES, TEMPLATE, Filters(), tmp_path / "whole")
    assert AT_ONCE < len(PASSAGES)

    def stop(done, tokens):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rows_of(model(), PASSAGES, TEMPLATE, Filters(), tmp_path / "parts", stop)
    rest, read = model(), []
    rest.advanced = read.append
    told = []
    found = rows_of(rest, PASSAGES, TEMPLATE, Filters(), tmp_path / "parts", lambda *at: told.append(at))

    assert max(read) == len(PASSAGES) - AT_ONCE
    lengths = [len(one.scored) for one in PASSAGES]
    assert told == [(AT_ONCE, sum(lengths[:AT_ONCE])), (len(PASSAGES), sum(lengths))]
    np.testing.assert_array_equal(found.tokens.curves.totals, whole.tokens.curves.totals)
    np.testing.assert_array_equal(found.tokens.surprisal, whole.tokens.surprisal)
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["000.npz", "001.npz"]


def test_a_part_has_the_texts_that_are_chosen(tmp_path):
    whole = rows_of(model(), PASSAGES, TEMPLATE, Filters(), tmp_path)

    part = whole.part(np.arange(len(PASSAGES)) % 7 == 2)

    assert part.tokens.texts == 3
    assert len(part.likeliest) == sum(len(PASSAGES[at].scored) for at in (2, 9, 16))


def test_a_signal_that_a_text_does_not_have_is_refused():
    with pytest.raises(PolicyError, match=r"`inside\(\"think\"\)`, which nobody supplies"):
        signals_for(Policy('clip(param("a", 0, 1)*inside("think") + 0.5, 0.1, 3)'), 12)

    assert signals_for(Policy("clip(requested*entries*entropy, 0.1, 3)"), 12) == (
        ["entropy", "max_prob"], {"requested": 1.0, "entries": 12.0},
    )  # fmt: skip
