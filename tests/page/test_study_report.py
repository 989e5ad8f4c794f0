"""The report of a study in a browser: nothing serious for axe, on wide and narrow screens, light and dark."""

import pytest
from tests.evaluation.made_results import Maker

from dyntemp.evaluation.report import document


@pytest.mark.parametrize(("scheme", "width"), [("dark", 360), ("light", 1280)])
def test_nothing_serious_for_axe_and_no_sideways_scrolling(open_page, tmp_path, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": 800}, bypass_csp=True)
    path = tmp_path / "report.html"
    path.write_text(document(Maker(configurations=2, methods=("edt", "below_one")).results()), encoding="utf-8")
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = [one for one in axe.run(page).response["violations"] if one["impact"] in ("serious", "critical")]

    assert [] == [(one["id"], [node["html"][:200] for node in one["nodes"]][:3]) for one in found]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
