"""The page of an inspection: what it says of every number, and texts that stay texts."""

import dataclasses
from html.parser import HTMLParser

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.live.inspection import inspect_target
from nbtoolkit.live.inspection_page import Result, inspection_page
from nbtoolkit.live.instruments import instruments

from ..hostile import TEXTS


class Page(HTMLParser):
    """Elements with their attributes, and the text of a page."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def inspection(model, data):
    t = nbt.target(model, data[3]["image"], "train", foil="bus")
    return inspect_target(t, instruments("lens,occlusion,path-effects,heads,faithfulness"))


def test_the_page_says_what_is_explained_and_all_of_every_number(inspection):
    t = inspection.target
    html = inspection_page(t, inspection.results, "scene.png")
    page = Page(html)
    assert "<h1>Why “train”?</h1>" in html and "<mark>train</mark> full of people" in html
    for text in ("scene.png, 128 × 128 pixels", "“bus”", f"{t.value:.3f} nats", f"{t.probability:.3f}", "In Python"):
        assert text in page.text
    for result in inspection.results:
        m = result.measurement
        assert result.title in page.text
        if m is None:
            assert result.reason in page.text
        else:
            assert str(m.check) in page.text and m.null_kind.preserves in page.text and m.note in page.text
            assert f'open("{inspection.results[0].file}")' in page.text
    figures = [a for tag, a in page.elements if tag == "img" and a["src"].startswith("data:image/png")]
    assert len(figures) == 6 and all("Largest in size: " in a["alt"] for a in figures)
    assert "row" in figures[3]["alt"] and "column" in figures[3]["alt"]
    assert "default-src 'none'" in html and not {"script", "link", "iframe"} & {tag for tag, _ in page.elements}
    assert "http" not in html.replace("http-equiv", "").replace("http-equiv=", "")


def test_the_words_of_the_lens_and_the_areas_of_a_map_are_in_tables(inspection):
    text = Page(inspection_page(inspection.target, inspection.results)).text
    by_name = {result.name: result.measurement for result in inspection.results}
    words = by_name["lens"].details["top_words"].values[-1, -1]
    assert all(str(word) in text for word in words)
    area = by_name["faithfulness-occlusion"].details["auc"]
    assert f"deletion{area.values[0]:.2f}" in text and f"insertion{area.values[1]:.2f}" in text


def check_page(html, tags):
    page = Page(html)
    assert {tag for tag, _ in page.elements} <= tags
    assert not [a for _, attrs in page.elements for a in attrs if a.startswith("on") or a in ("srcdoc", "autofocus")]
    assert {a["href"] for tag, a in page.elements if tag == "a"} <= {"#lens", "#occlusion", "lens.measurement"}
    assert "\0" not in html and "\a" not in html
    return page


def test_a_text_stays_a_text(inspection):
    """Of the target, of a refusal, and of what a measurement holds."""
    tags = {tag for tag, _ in Page(inspection_page(inspection.target, inspection.results)).elements}
    lens, occlusion = inspection.results[:2]
    for hostile in TEXTS:
        t = inspection.target
        t = dataclasses.replace(t, word=hostile, question=hostile, response=f"a {hostile} of", foil=hostile,
                                span=dataclasses.replace(t.span, word=hostile))  # fmt: skip
        html = inspection_page(t, [Result("occlusion", occlusion.instrument, None, hostile)], hostile)
        page = check_page(html, tags)
        assert not hostile.isprintable() or page.text.count(hostile) >= 7
    m = lens.measurement
    many = np.resize(np.array(TEXTS, object), m.values.sizes["position"])
    coords = {"text": ("position", many), "word": [TEXTS[0], TEXTS[1]]}
    top = m.details["top_words"]
    top = top.copy(data=np.resize(np.array(TEXTS, object), top.shape))
    about = dict(m.provenance) | {"word": TEXTS[2], "foil": TEXTS[3], "model": TEXTS[4], "of": {TEXTS[5]: TEXTS[6]}}
    m = dataclasses.replace(m, values=m.values.assign_coords(coords), null=m.null.assign_coords(coords),
                            details=dict(m.details) | {"top_words": top}, note=TEXTS[7], provenance=about)  # fmt: skip
    page = check_page(inspection_page(inspection.target, [Result("lens", lens.instrument, m, "")]), tags)
    assert all(text in page.text for text in (TEXTS[0], *TEXTS[5:8]))


def test_a_response_is_marked_at_the_occurrence(model, data):
    response = "a train and a train on the trains"
    for occurrence, before in ((0, "a "), (1, "a train and a ")):
        t = nbt.target(model, data[3]["image"], "train", response=response, foil="bus", occurrence=occurrence)
        assert t.marked == (before, "train", response[len(before) + 5 :])
    assert dataclasses.replace(t, response="Another spelling").marked == ("Another spelling", "", "")
