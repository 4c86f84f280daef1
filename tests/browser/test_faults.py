"""What must not do harm: hostile texts, odd studies, kernels that go away, late answers, two views of one widget."""

import dataclasses

import numpy as np
import pytest

import nbtoolkit as nbt

from ..hostile import TEXTS, poisoned, undefined
from .conftest import ASK, READY, RUN, arrives, write_notebook
from .flood import FLOOD

pytestmark = [pytest.mark.browser, pytest.mark.slow]  # hosts of other releases: test_lab.py and test_hosts.py

INTRUDERS = ".nbt script, .nbt iframe, .nbt img:not(.nbt-picture, .nbt-full), .nbt a, .nbt [onerror], .nbt [onmouseover], .nbt [onfocus], .nbt [autofocus]"


def is_safe(view):
    page = view.page
    page.wait_for_selector(".nbt-response mark")
    page.wait_for_timeout(300)
    assert page.evaluate("() => window.owned") is None and page.locator(INTRUDERS).count() == 0
    root = page.locator(".nbt-root")
    assert root.evaluate("(e) => e.scrollWidth <= e.clientWidth + 1"), "a long word widens the view"
    assert (
        TEXTS[0] in page.locator(".nbt-token").inner_text() and TEXTS[1] in page.locator(".nbt-response").inner_text()
    )
    shown = page.locator(".nbt-words").all_inner_texts()
    assert any("srcdoc=" in text for text in shown)
    # nothing runs when it is pointed at, opened, searched for or named either
    page.locator(".nbt-card").nth(1).hover()
    page.locator(".nbt-card").nth(1).locator(".nbt-thumb").nth(1).dblclick()
    page.locator(".nbt-dialog[open]").wait_for()
    page.keyboard.press("Escape")
    page.locator(".nbt-label").fill(TEXTS[0])
    page.keyboard.press("Enter")
    page.get_by_role("searchbox").fill("<img src=x")
    page.get_by_role("button", name="next image").click()
    page.wait_for_timeout(300)
    assert page.evaluate("() => window.owned") is None and page.locator(INTRUDERS).count() == 0
    view.clean()


def test_hostile_texts_in_a_page(open_page, study, tmp_path):
    is_safe(open_page(nbt.explore(poisoned(study)).to_html(tmp_path / "evil.html")))


def test_a_page_with_numbers_that_json_does_not_have(open_page, study, tmp_path):
    view = open_page(nbt.explore(undefined(study), layer=5).to_html(tmp_path / "nan.html"))
    view.page.wait_for_selector(".nbt-response mark")
    assert view.page.locator(".nbt-card").count() == 8
    view.page.locator(".nbt-card").nth(1).click()
    text = view.page.locator("body").inner_text()
    assert "NaN" not in text and "∞" not in text and "Infinity" not in text
    view.clean()


def test_control_characters_are_shown_as_replacement_marks(open_page, study, tmp_path):
    samples = [dataclasses.replace(s, caption="a\a dog\ud800", pieces=("a\a ", "dog", "\ud800")) for s in study.samples]
    changed = dataclasses.replace(study, samples=samples, labels={"4:0": "bell\a"}, token="dog\x7f")
    view = open_page(nbt.explore(changed, layer=4, concept=0).to_html(tmp_path / "marks.html"))
    view.page.wait_for_selector(".nbt-response mark")
    text = view.page.locator("body").inner_text()
    assert "a\ufffd dog\ufffd" in text and "bell\ufffd" in text and "dog\ufffd" in text
    shown = view.page.evaluate("() => document.querySelector('.nbt-root').textContent")
    assert not any(c in shown for c in "\a\x7f")
    view.clean()


def test_hostile_texts_from_a_study_file_in_the_live_widget(lab, study, tmp_path):
    folder = poisoned(study).save(tmp_path / "evil.study")
    opening = f"import nbtoolkit as nbt\nview = nbt.explore(nbt.open_study({str(folder)!r}))\nview"
    write_notebook(tmp_path / "hostile.ipynb", [opening])
    view = lab(tmp_path / "hostile.ipynb")
    view.page.evaluate(RUN, 0)
    is_safe(view)
    assert view.page.evaluate(ASK, f"print(view.labels[f'{{view.layer}}:{{view.concept}}'] == {TEXTS[0]!r})") == "True"


def odd(study):
    """Studies that a view may not expect, by name."""
    one = {4: study.dictionaries[4]}, {4: study.groundings[4]}, {4: study.scores[4]}

    def with_concepts(rows):
        cd, g = study.dictionary(4), study.grounding(4)
        cd = nbt.ConceptDictionary(cd.concepts[rows], cd.activations[:, rows], cd.sample_ids, 4, cd.method)
        g = nbt.Grounding([g.words[k] for k in rows], [g.exemplars[k] for k in rows])
        return dataclasses.replace(study, dictionaries={4: cd}, groundings={4: g}, scores={})

    first = study.samples[0].id
    cd = study.dictionary(4)
    alone = nbt.ConceptDictionary(cd.concepts, cd.activations[:1], [first], 4, cd.method)
    words = nbt.Grounding(study.grounding(4).words, [[first] if v > 0 else [] for v in alone.activations[0]])
    reps = study.representations
    single = nbt.Representations(
        np.asarray(reps.states)[:1], [first], [reps.captions[0]], [reps.positions[0]], source=reps.source
    )
    return {
        "no pictures": dataclasses.replace(study, samples=[dataclasses.replace(s, image=b"") for s in study.samples]),
        "one layer": dataclasses.replace(study, dictionaries=one[0], groundings=one[1], scores=one[2]),
        "one concept": with_concepts([0]),
        "500 concepts": with_concepts([k % 8 for k in range(500)]),
        "one sample": nbt.Study(study.token, {4: alone}, {4: words}, study.samples[:1], single, {}, study.source),
    }


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("name", ["no pictures", "one layer", "one concept", "500 concepts", "one sample"])
def test_odd_studies_are_laid_out(open_page, study, node_modules, tmp_path, name, width):
    view = open_page(nbt.explore(odd(study)[name]).to_html(tmp_path / "odd.html"), width=width, bypass_csp=True)
    view.page.locator(".nbt-card").first.wait_for()
    assert view.page.evaluate("document.documentElement.scrollWidth") <= width and view.axe(node_modules) == []
    assert view.page.locator(".nbt-card").count() == {"one concept": 1, "500 concepts": 500}.get(name, 8)
    view.page.emulate_media(color_scheme="dark")  # colours alone differ
    assert view.axe(node_modules, rules=["color-contrast"]) == []
    for tab in view.page.locator(".nbt-tab:visible").all():
        tab.click()
        view.page.wait_for_timeout(200)
        assert view.page.evaluate("document.documentElement.scrollWidth") <= width, tab.inner_text()
    if name == "one layer":  # there is no other to choose
        assert view.page.get_by_role("combobox", name="Layer beside").count() == 0
    if name == "no pictures":  # captions stand for them
        first = view.page.locator(".nbt-card .nbt-thumb").first
        caption = first.get_attribute("title").split(" · activation")[0]
        assert caption and first.text_content().startswith(caption)
    view.clean()


LIVE = """
import nbtoolkit as nbt
view = nbt.explore(nbt.open_study({folder!r}), {model}, layer=1)
view
"""
WORDS = "() => [...document.querySelectorAll('.nbt-card .nbt-words')].map((e) => e.textContent)"


def test_two_views_late_answers_and_a_kernel_that_goes_away(lab, study, tmp_path):
    folder = study.save(tmp_path / "dog.study")
    write_notebook(
        tmp_path / "faults.ipynb", [LIVE.format(folder=str(folder), model="nbt.load_model('toy')").strip(), "view"]
    )
    live = lab(tmp_path / "faults.ipynb")
    page = live.page
    for cell in (0, 1):
        page.evaluate(RUN, cell)
    views = page.locator(".nbt-explorer")
    views.nth(1).locator(".nbt-card").first.wait_for(timeout=60_000)

    # two views of one widget are in step
    views.nth(0).locator(".nbt-card").nth(2).click()
    chosen = views.nth(0).locator('.nbt-card[aria-selected="true"]').get_attribute("data-concept")
    views.nth(1).locator(f'.nbt-card[data-concept="{chosen}"][aria-selected="true"]').wait_for()
    views.nth(1).get_by_role("button", name="☆ Pin").click()
    views.nth(0).get_by_text(f"★ {chosen}").wait_for()

    # a slider that is moved faster than the kernel answers ends at the last layer's words
    page.evaluate("() => document.querySelectorAll('.nbt-range').forEach((range) => range.classList.add('old'))")
    page.evaluate(ASK, "import time; _old = view._channel._quick['layer']\n"
                       "def slow(layer):\n    time.sleep(0.2); return _old(layer)\n"
                       "view._channel._quick['layer'] = slow; view._meta = view._opening() | {'built': 'again'}")  # fmt: skip
    page.wait_for_function("() => !document.querySelector('.nbt-range.old')")
    views.nth(0).locator(".nbt-range").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    views.nth(1).locator(".nbt-layer-label strong", has_text="5").wait_for()
    first = views.nth(0).locator('.nbt-card[data-concept="0"] :is(.nbt-name, .nbt-words)')  # a name is not repeated
    for word in study.grounding(5).words[0][:3]:
        first.filter(has_text=word).first.wait_for()
    expected = page.evaluate(ASK, "print(view.layer, view.study.grounding(5).words[0][:3])")
    assert expected.startswith("5 ")

    # an error in a callback is told in the view
    page.evaluate(ASK, "view.observe(lambda change: {}['nothing'], 'sample')")
    views.nth(0).get_by_role("button", name="next image").click()
    views.nth(0).get_by_text("Error: KeyError: 'nothing'").wait_for()
    views.nth(0).get_by_role("button", name="dismiss").click()
    assert views.nth(0).get_by_text("Error: KeyError: 'nothing'").is_hidden()

    # the kernel restarts: what is there can still be looked at
    live.errors.clear()  # the callback's own
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    for view in (views.nth(0), views.nth(1)):
        view.get_by_text("Kernel disconnected").wait_for()
    for i in range(4):
        card = views.nth(0).locator(".nbt-card").nth(i)
        card.click()
        assert card.get_attribute("aria-selected") == "true"
    live.clean()

    # the kernel dies while it steers, and starts by itself: the next click tells
    page.evaluate(RUN, 0)
    page.evaluate(RUN, 1)
    views.nth(1).locator(".nbt-card").first.wait_for(timeout=60_000)
    effect, slider = views.nth(0).locator(".nbt-effect"), views.nth(0).locator(".nbt-steer input[type=range]")
    slider.fill("-2")
    effect.get_by_text("Random control").wait_for()
    page.evaluate(ASK, "view._session.exclusive().__enter__()")
    slider.fill("-1")
    page.evaluate(
        "() => void window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({code: 'import os; os._exit(1)'})"
    )
    page.get_by_role("dialog").get_by_role("button", name="Ok").click(timeout=60_000)
    page.wait_for_function(READY, timeout=60_000, polling=250)
    views.nth(0).locator(".nbt-card").nth(2).click()
    views.nth(0).locator(".nbt-error").get_by_text("Kernel disconnected").wait_for()
    slider.fill("1")  # the effect is of no other strength
    effect.get_by_text("Kernel disconnected").wait_for()
    assert "Control" not in effect.inner_text()
    for tab in ("River", "Map", "Compare", "Intervene", "Concepts"):
        views.nth(0).get_by_role("button", name=tab, exact=True).click()
        assert views.nth(0).locator(".nbt-left > :visible").count()
    live.errors.clear()

    # the widget is closed
    page.evaluate(RUN, 0)
    views.nth(0).locator(".nbt-card").first.wait_for(timeout=60_000)
    page.evaluate(ASK, "view.close()")
    page.wait_for_timeout(500)
    if views.nth(0).locator(".nbt-card").count():
        views.nth(0).locator(".nbt-card").nth(3).click()
    live.clean()


@pytest.mark.slow
def test_after_10_000_malformed_messages_the_explorer_answers(lab, study, tmp_path):
    folder = study.save(tmp_path / "dog.study")
    write_notebook(tmp_path / "flood.ipynb", [LIVE.format(folder=str(folder), model=None).strip()])
    live = lab(tmp_path / "flood.ipynb")
    page = live.page
    page.evaluate(RUN, 0)
    page.locator(".nbt-card").first.wait_for(timeout=60_000)
    model = page.evaluate(ASK, "print(view.model_id)")
    state = "print(view.state(), view._meta, view._kind, hash(view._esm), hash(view._css))"
    before = page.evaluate(ASK, state)
    result = page.evaluate(FLOOD, [model, 10_000, True, 120])
    assert result["kernel"] is not None and result["ids"] == len(study.samples), "the kernel or the view hangs"
    assert result["repeated"] == 0 and result["errors"] > 0
    counts = result["counts"]
    sent = sum(counts.get(kind, 0) for kind in ("reply", "replies", "failure", "update", "echo_update"))
    assert sent < 1000, f"the page has messages for the flood, each of which is slow: {counts}"
    assert page.evaluate(ASK, state) == before
    page.locator(".nbt-card").nth(2).click()
    chosen = page.locator('.nbt-card[aria-selected="true"]').get_attribute("data-concept")
    arrives(page, "print(view.concept)", chosen)
    assert page.locator(".jp-OutputArea-output[data-mime-type*=error]").count() == 0, "a traceback in the notebook"
    live.clean()
