"""The page of an inspection in Chromium: every width, both themes, no request, nothing that a hostile text starts."""

import dataclasses

import pytest

import nbtoolkit as nbt
from nbtoolkit.live.inspection import inspect_target
from nbtoolkit.live.inspection_page import Result, inspection_page
from nbtoolkit.live.instruments import instruments

from ..hostile import TEXTS

pytestmark = [pytest.mark.browser, pytest.mark.slow]  # a page has no parts of other releases


@pytest.fixture(scope="module")
def inspection(model, data):
    t = nbt.target(model, data[3]["image"], "train", foil="bus")
    return inspect_target(t, instruments("lens,occlusion,path-effects,heads"))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 700, 1366])
def test_themes_and_widths(open_page, inspection, tmp_path, node_modules, theme, width):
    view = open_page(inspection.save(tmp_path / "why"), width=width, theme=theme, bypass_csp=True)
    assert view.page.evaluate("document.documentElement.scrollWidth") <= width
    broken = (
        "[...document.images].filter((i) => !(i.complete && i.naturalWidth && i.alt && i.clientWidth > 150)).length"
    )
    assert view.page.evaluate(broken) == 0
    assert view.axe(node_modules, "body") == []
    view.clean()


def test_hostile_texts_start_nothing(open_page, inspection, tmp_path):
    t = inspection.target
    for i, hostile in enumerate(TEXTS):
        t = dataclasses.replace(t, word=hostile, question=hostile, response=f"a {hostile} of")
        path = tmp_path / f"{i}.html"
        refused = Result("occlusion", inspection.results[1].instrument, None, hostile)
        path.write_text(inspection_page(t, [refused], hostile), "utf-8")
        view = open_page(path, width=390)
        assert view.page.evaluate("[window.owned ?? null, document.scripts.length]") == [None, 0]
        assert view.page.evaluate("document.documentElement.scrollWidth") <= 390
        view.clean()
