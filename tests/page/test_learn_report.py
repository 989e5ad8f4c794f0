"""The reports of learning in a browser: nothing serious for axe, on wide and narrow screens, light and dark."""

import pytest
from tests.learn.made_learning import SIGNALS, Maker
from tests.learn.passages.test_report import made

from dyntemp.learn.passages import report as passage_report
from dyntemp.learn.report import document
from dyntemp.learn.shapes import network


@pytest.mark.parametrize(("scheme", "width"), [("dark", 360), ("light", 1280)])
@pytest.mark.parametrize("kind", ["plain", "long", "passages"])
def test_nothing_serious_for_axe_and_no_sideways_scrolling(open_page, tmp_path, scheme, width, kind):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": 800}, bypass_csp=True)
    path = tmp_path / "report.html"
    path.write_text(written(kind), encoding="utf-8")
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = [one for one in axe.run(page).response["violations"] if one["impact"] in ("serious", "critical")]

    assert [] == [(one["id"], [node["html"][:200] for node in one["nodes"]][:3]) for one in found]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def written(kind):
    """A report of made results."""
    if kind == "passages":
        return passage_report.document(made())
    return document(network_results() if kind == "long" else Maker().results())


def network_results():
    """Results of a network, whose policies are long."""
    template, start = network(SIGNALS, (0.1, 3), 0.8, 16)
    maker = Maker(shape=str(template))
    maker.policy = lambda share: str(template.bind(**{name: round(value, 4) + share * (name[0] == "v")
                                                      for name, value in start.items()}))  # fmt: skip
    return maker.results()
