"""The settings of a run as JSON: what is written is read again, and older and newer files are read too."""

import json

import pytest

from dyntemp.distribution.filters import Filters
from dyntemp.errors import TraceError
from dyntemp.traces.settings import KINDS, TRACED, Leader, Settings

FULL = Settings(
    seed=7, max_tokens=9, stop=["a", "b"], filters=Filters(20, 0.9, 0.05, "temperature"), requested=0.5,
    given={"x": 0.25}, parameters={"a": 1.5}, zones=["note=<a>...</a>"], alternatives=3,
    backend="reference", system="Be brief.", chat=True, raw=True, begin=[1, 2], force=[3], follow=Leader("0.7", 5),
)  # fmt: skip


def test_settings_are_read_as_they_were_written():
    written = json.loads(json.dumps(FULL.to_json(list(KINDS))))

    assert FULL == Settings.from_json(written, seed=7)
    assert [name for name in KINDS if name != "filters"] == list(written)


def test_a_chain_of_filters_is_a_text_where_it_has_no_short_form():
    chain = Filters.read("top_n_sigma(1), temperature, xtc(0.1, 0.5)")
    written = json.loads(json.dumps(Settings(filters=chain).to_json()))

    assert str(chain) == written["filters"]
    assert list(written)[:4] == ["max_tokens", "stop", "filters", "requested"]
    assert chain == Settings.from_json(written).filters
    with pytest.raises(TraceError, match="filters= was given beside"):
        Settings.from_json({"filters": "p_less", "top_k": 3})


def test_a_trace_holds_its_settings_in_one_order_and_the_seed_elsewhere():
    assert list(TRACED) == list(FULL.to_json())
    assert "seed" not in FULL.to_json(list(KINDS))


def test_settings_that_an_older_file_lacks_take_their_defaults():
    assert Settings(seed=3) == Settings.from_json({}, seed=3)
    assert Settings(filters=Filters(min_p=0.1)) == Settings.from_json({"min_p": 0.1})


def test_settings_of_a_newer_file_have_no_effect():
    assert Settings() == Settings.from_json({"temperature_of_the_room": 21})


@pytest.mark.parametrize(
    "data",
    [{"max_tokens": "9"}, {"max_tokens": True}, {"top_p": 0.0}, {"top_k": -1}, {"filter_at": "end"}, {"stop": "a"},
     {"given": None}, {"follow": {"policy": "1"}}, {"follow": {"policy": "1", "seed": 2, "more": 3}}, {"chat": 1}],
)  # fmt: skip
def test_a_value_that_no_run_has_is_refused(data):
    with pytest.raises(TraceError, match=r"no run"):
        Settings.from_json(data)
