"""Every state trait, both ways: a value that is set shows in the page, and what is clicked is the trait's value."""

import dataclasses

import pytest

import nbtoolkit as nbt
from nbtoolkit.widgets import DictionaryComparison, Explorer

from .conftest import ASK, RUN, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]  # hosts of other releases: test_lab.py and test_hosts.py


@pytest.fixture
def page(open_page, maps_page):
    watched = open_page(maps_page)
    watched.page.wait_for_selector(".nbt-response mark")
    yield watched.page
    watched.clean()


def get(page, name):
    return page.evaluate("(n) => window.nbtoolkit.get(n)", name)


def put(page, **values):
    """Set traits, as Python does."""
    page.evaluate("(v) => Object.entries(v).forEach(([n, x]) => window.nbtoolkit.set(n, x))", values)


def combobox(page, name):
    return page.get_by_role("combobox", name=name)


def test_layer_concept_and_sample(page, study):
    put(page, layer=2, concept=5, sample=study.samples[7].id)
    page.get_by_role("heading", name="Image 8 of 40").wait_for()
    assert page.locator(".nbt-layer-label strong").inner_text() == "2"
    assert page.locator('.nbt-card[aria-selected="true"]').get_attribute("data-concept") == "5"
    page.get_by_role("button", name="next layer").click()
    page.locator(".nbt-bar").first.click()
    page.get_by_role("button", name="next image").click()
    chosen = int(page.locator(".nbt-card[aria-selected='true']").get_attribute("data-concept"))
    assert (get(page, "layer"), get(page, "concept"), get(page, "sample")) == (3, chosen, study.samples[8].id)


def test_metric_labels_and_pinned(page):
    put(page, metric="overlap", labels={"4:2": "mine"}, pinned=["4:2"])
    page.get_by_role("button", name="Scores per layer. Word overlap").click()
    assert page.locator(".nbt-charts .nbt-figure:visible").inner_text().startswith("Word overlap")
    first = page.locator(".nbt-card").first
    assert "★ 2" in first.inner_text() and "mine" in first.inner_text()
    combobox(page, "Score per layer").select_option("")
    first.click(position={"x": 60, "y": 12})
    page.get_by_role("button", name="★ Unpin").click()
    page.get_by_role("textbox", name="Name of the selected concept").fill("")
    page.keyboard.press("Enter")
    assert (get(page, "metric"), get(page, "labels"), get(page, "pinned")) == ("", {}, [])


def test_a_given_name_is_the_concepts_name_everywhere(page):
    concept = int(page.locator(".nbt-bar").first.get_attribute("data-concept"))
    put(page, labels={f"4:{concept}": "MINE"})
    assert (
        "MINE" in page.locator(".nbt-bar").first.inner_text() and "MINE" in page.locator(".nbt-preview").text_content()
    )


def test_query(page):
    put(page, query="sleeping")
    assert page.get_by_role("searchbox").input_value() == "sleeping" and page.locator(".nbt-card").count() < 8
    page.get_by_role("searchbox").fill("standing")
    assert get(page, "query") == "standing"
    page.keyboard.press("Escape")
    assert get(page, "query") == "" and page.locator(".nbt-card").count() == 8


def test_sort(page):
    put(page, sort="index")
    order = page.eval_on_selector_all(".nbt-card", "cards => cards.map(c => Number(c.dataset.concept))")
    assert order == list(range(8)) and combobox(page, "Sort concepts").input_value() == "index"
    combobox(page, "Sort concepts").select_option("rarity")
    assert get(page, "sort") == "rarity"


def test_examples(page):
    put(page, examples="range")
    page.wait_for_function("document.querySelector('.nbt-card .nbt-thumb[hidden]')")  # as many as fit
    for width in (1280, 620, 390):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(200)
        strip = page.locator(".nbt-card").first.locator(".nbt-strip")
        shown = strip.locator(".nbt-thumb:visible")
        rows = page.locator(".nbt-card").first.get_attribute("data-rows").split(",")
        assert [shown.first.get_attribute("data-row"), shown.last.get_attribute("data-row")] == [rows[0], rows[-1]]
        last, box = shown.last.bounding_box(), strip.bounding_box()
        assert last["y"] < box["y"] + 1 and last["x"] + last["width"] <= box["x"] + box["width"] + 1, "an end is cut"
        values = [float(v) for v in shown.locator(".nbt-tile-value").all_text_contents()]
        assert values == sorted(values, reverse=True)
    combobox(page, "Images per concept").select_option("random")
    assert get(page, "examples") == "random"


def test_exemplar_overlay(page):
    put(page, exemplar_overlay="heat map")
    page.locator(".nbt-card .nbt-overlay").first.wait_for()
    assert combobox(page, "Overlay of the exemplars").input_value() == "heat map"
    page.wait_for_function("!document.querySelector('[data-state=loading]')")
    tiles = page.locator(".nbt-card .nbt-thumb:not([data-state=''])[data-state]")
    for state in tiles.evaluate_all(
        "tiles => tiles.map((t) => [t.dataset.state, t.innerText, !!t.querySelector('canvas')])"
    ):
        assert state[2] == (state[0] == "somewhere") and ("nowhere" in state[1]) == (state[0] == "nowhere")
    legend = page.locator(".nbt-gallery .nbt-scale-heat").evaluate("(bar) => getComputedStyle(bar).backgroundImage")
    assert "33, 102, 172, 0.85" in legend and "178, 24, 43, 0.85" in legend  # the ends of what the pictures show
    combobox(page, "Overlay of the exemplars").select_option("none")
    assert get(page, "exemplar_overlay") == "none" and page.locator(".nbt-card .nbt-overlay").count() == 0


def test_overlay(page):
    put(page, overlay="contour")
    page.locator(".nbt-sample .nbt-frame .nbt-overlay").wait_for()
    page.locator(".nbt-sample").get_by_text("patches, scores from").wait_for()
    combobox(page, "Overlay of the selected concept").select_option("heat map")
    assert get(page, "overlay") == "heat map"
    put(page, overlay="none")
    assert page.locator(".nbt-sample .nbt-frame .nbt-overlay").is_hidden()


def test_all_tokens_and_token(page):
    put(page, token=0)  # alone: the tokens are requested
    first = page.locator(".nbt-piece").first
    first.wait_for()
    page.get_by_role("heading", name=f"Concepts at “{first.inner_text().strip()}”, layer 4").wait_for()
    assert first.get_attribute("aria-pressed") == "true"
    largest = page.locator(".nbt-bar .nbt-value").first.inner_text()  # of this token
    assert f"relative to the largest here ({largest})" in page.locator(".nbt-sample-bars .nbt-note").get_attribute(
        "title"
    )
    page.get_by_role("button", name="All tokens").click()
    assert get(page, "all_tokens") is True and get(page, "token") is None
    page.locator(".nbt-piece").nth(1).click()
    assert get(page, "token") == 1
    page.get_by_role("button", name="next image").click()
    assert get(page, "token") is None and get(page, "all_tokens") is True
    put(page, token=10_000)  # beyond the response: the token under study
    page.get_by_role("heading", name="Concepts at “dog”, layer 4").wait_for()


def test_attribution(page):
    put(page, attribution=True)
    page.locator(".nbt-attribution").first.wait_for()
    button = page.get_by_role("button", name="Attribution", exact=True)
    assert button.get_attribute("aria-pressed") == "true"
    assert page.locator(".nbt-sum", has_text="remainder").is_visible()
    button.click()
    page.locator(".nbt-attribution").first.wait_for(state="detached")
    assert get(page, "attribution") is False


def test_tab(open_page, maps_page):
    page = open_page(maps_page, width=390).page
    page.locator(".nbt-card").first.wait_for()
    page.get_by_role("button", name="Image", exact=True).click()
    assert get(page, "tab") == "image" and page.locator(".nbt-sample").is_visible()
    page.get_by_role("button", name="‹ Concepts").click()
    assert get(page, "tab") == "concepts"
    assert page.locator(".nbt-gallery").is_visible() and page.locator(".nbt-sample").is_hidden()
    page.locator(".nbt-card .nbt-thumb").nth(1).click()  # what is chosen is shown
    assert get(page, "tab") == "image" and page.locator(".nbt-sample").is_visible()
    page.get_by_role("button", name="Intervene", exact=True).click()
    page.locator(".nbt-left .nbt-steer").wait_for()
    chart, slider = page.locator(".nbt-ablation svg").first.bounding_box(), page.locator(".nbt-steer").bounding_box()
    assert chart["y"] + chart["height"] <= slider["y"]  # below each other


def test_pair_and_threshold(open_page, study, tmp_path):
    view = open_page(DictionaryComparison(study, layers=(2, 4)).to_html(tmp_path / "two.html"))
    page = view.page
    page.locator(".nbt-pair").first.wait_for()
    put(page, threshold=1)
    assert page.locator(".nbt-pair").count() == 16 and page.get_by_role("slider").input_value() == "1"
    put(page, pair=[3, None])
    selected = page.locator('.nbt-pair[aria-selected="true"]')
    selected.locator(".nbt-number").first.get_by_text("3", exact=True).wait_for()
    assert selected.count() == 1
    page.locator(".nbt-pair").last.click()
    page.get_by_role("slider").fill("0.5")
    assert get(page, "pair")[0] is None and get(page, "threshold") == 0.5
    view.clean()


def test_the_page_opens_with_the_state(open_page, study, tmp_path):
    state = {"query": "dog", "sort": "index", "examples": "range", "tab": "image", "concept": 3, "metric": "all"}
    view = open_page(Explorer(study, layer=4, **state).to_html(tmp_path / "state.html"), width=500)
    page = view.page
    page.locator(".nbt-sample").wait_for()
    assert page.get_by_role("searchbox", include_hidden=True).input_value() == "dog"
    assert (
        page.locator("select[aria-label='Images per concept']").input_value() == "range"
        and page.locator(".nbt-card").count() > 0
    )
    assert page.locator('.nbt-card[aria-selected="true"]').get_attribute("data-concept") == "3"
    page.locator(".nbt-spark").click()
    assert page.locator(".nbt-figure:visible").count() == 4
    view.clean()


def test_keys_go_on_after_a_card_was_pinned_named_and_sorted(page):
    page.locator('.nbt-card[tabindex="0"]').focus()
    page.keyboard.press("End")
    page.evaluate("window.card = document.activeElement")
    page.keyboard.press("p")
    put(page, labels={f"4:{get(page, 'concept')}": "MINE"}, sort="name")
    assert page.evaluate("document.activeElement === window.card && window.card.isConnected"), (
        "the card was built again"
    )
    assert "MINE" in page.evaluate("document.activeElement.innerText")
    before = get(page, "concept")
    page.keyboard.press("ArrowDown")
    assert get(page, "concept") != before
    page.get_by_role("button", name="next image").focus()
    page.keyboard.press("/")  # from everywhere in the view
    assert page.evaluate("document.activeElement.type") == "search"
    page.keyboard.type("a/")
    assert get(page, "query") == "a/"


def test_a_search_ranks_names_first_marks_the_matches_and_begins_at_the_top(page, study):
    words = study.grounding(4).words
    word = next(w for row in words for w in row if sum(w in other for other in words) > 1)
    page.locator(".nbt-list").evaluate("(list) => (list.scrollTop = 9999)")
    page.get_by_role("searchbox").fill(word)
    page.locator(".nbt-card mark").first.wait_for()
    assert page.locator(".nbt-list").evaluate("(list) => list.scrollTop") == 0
    assert set(page.locator(".nbt-card mark").all_inner_texts()) <= {word}
    badges = page.locator(".nbt-card").evaluate_all(
        "cards => cards.map((c) => c.querySelector('.nbt-badge')?.innerText ?? '')"
    )
    kinds = [
        next((i for i, kind in enumerate(("in its words", "in a caption"), 1) if kind in text), 0) for text in badges
    ]
    assert kinds == sorted(kinds)


def test_a_caption_that_was_given_is_not_called_a_response(open_page, study, tmp_path):
    given = dataclasses.replace(study, source=dataclasses.replace(study.source, decoding="given captions"))
    page = open_page(nbt.explore(given, layer=4).to_html(tmp_path / "given.html")).page
    page.get_by_role("heading", name="Caption (given by people)").wait_for()
    assert page.get_by_role("heading", name="Response").count() == 0


LIVE = """
import nbtoolkit as nbt
study, model = nbt.open_study({folder!r}), nbt.load_model("toy")
view = nbt.explore(study, model, layer=4, tab="ablation", edits=[{{"op": "ablate", "layers": [1], "part": "mlp"}}])
view
"""


def test_edits_of_the_live_widget(lab, study, tmp_path):
    folder = study.save(tmp_path / "dog.study")
    write_notebook(tmp_path / "edits.ipynb", [LIVE.format(folder=str(folder)).strip()])
    view = lab(tmp_path / "edits.ipynb")
    page = view.page
    page.evaluate(RUN, 0)

    def arrives(code, expected):
        for _ in range(50):
            if page.evaluate(ASK, code) == expected:
                return
            page.wait_for_timeout(100)
        assert page.evaluate(ASK, code) == expected

    part, switches = combobox(page, "ablated part"), page.locator(".nbt-switch")
    page.locator(".nbt-effect strong").wait_for(timeout=60_000)  # the view opens with its edits
    assert part.input_value() == "mlp" and switches.nth(0).get_attribute("aria-pressed") == "true"
    # from the page to Python
    switches.nth(2).click()
    combobox(page, "kind of ablation").select_option("mean")
    arrives("print(view.edits)", "[{'op': 'ablate', 'layers': [1, 3], 'part': 'mlp', 'how': 'mean', 'heads': None}]")
    part.select_option("attention")
    combobox(page, "kind of ablation").select_option("zero")
    heads = page.get_by_role("textbox", name="heads, 0 to")
    heads.fill("abc")
    heads.press("Tab")
    page.get_by_text("Heads are “abc”; expected numbers from 0 to").wait_for()
    heads.fill("1, 0")
    heads.press("Tab")
    arrives("print(view.edits[0]['heads'])", "[0, 1]")
    # from Python to the page
    page.evaluate(ASK, "view.edits = [dict(op='ablate', layer=4, concept=2), dict(op='ablate', layer=2, concept=0)]")
    page.get_by_role("button", name="concept 0, layer 2 ×").wait_for()
    page.evaluate(ASK, "view.concept = 2")
    page.wait_for_function("document.querySelector('.nbt-check input').checked")
    page.get_by_role("button", name="concept 0, layer 2 ×").click()
    arrives("print(view.edits)", "[{'op': 'ablate', 'layer': 4, 'concept': 2}]")
    assert "edits[0] is {'op': 'patch'}" in page.evaluate(ASK, "view.edits = [dict(op='patch')]")
    # a part that is chosen before any layer is no edit yet
    page.evaluate(ASK, "before = view.edits; view.edits = [dict(op='ablate', layers=[], part='mlp')]")
    page.wait_for_function("!document.querySelector('.nbt-edits button')")
    assert page.get_by_role("button", name="Reset").is_hidden()
    page.evaluate(ASK, "view.edits = before")
    # on a laptop, with the list of files: the cards, the image, its bars and what the intervention changes
    page.set_viewport_size({"width": 1366, "height": 768})
    page.get_by_role("button", name="Concepts", exact=True).click()
    page.locator(".nbt-detail .nbt-effect .nbt-response").last.wait_for()
    page.evaluate("document.querySelector('.nbt-root').scrollIntoView({ block: 'end' })")
    visible_together(
        page, ".nbt-header", ".nbt-sample .nbt-frame", ".nbt-rest", ".nbt-detail .nbt-effect .nbt-response"
    )
    # the same view again, and two linked ones
    page.evaluate(ASK, "view.overlay, view.attribution, view.all_tokens, view.token = 'heat map', True, True, 0")
    again = "again = nbt.explore(study, model, **view.state()); print(again.state() == view.state())"
    assert page.evaluate(ASK, again) == "True"
    page.evaluate(ASK, "import traitlets; traitlets.link((view, 'edits'), (again, 'edits'))")
    page.get_by_role("button", name="Intervene").click()
    page.get_by_role("button", name="Reset").click()
    arrives("print(again.edits)", "[]")
    view.clean()


INSIDE = """(names) => { const root = document.querySelector('.nbt-root').getBoundingClientRect();
  const box = (e) => { const { x, y, right, bottom } = e.getBoundingClientRect(); return [x, y, right, bottom]; };
  return { root: [root.width, root.height],
    parts: names.map((n) => [n, box([...document.querySelectorAll(n)].pop())]),
    cards: [...document.querySelectorAll('.nbt-card')].slice(0, 4).map(box),
    outer: [root.x, root.y, root.right, root.bottom] }; }"""


def visible_together(page, *parts):
    """Assert that four cards and the parts are inside the view, which fits 934 × 650, and inside the window."""
    size = page.viewport_size
    found = page.evaluate(INSIDE, list(parts))
    (x0, y0, x1, y1), (width, height) = found["outer"], found["root"]
    assert width <= 934 and height <= 650 and x0 >= 0 and y0 >= 0 and x1 <= size["width"] and y1 <= size["height"], (
        found
    )
    assert len(found["cards"]) == 4
    for name, (left, top, right, bottom) in [*found["parts"], *(("card", box) for box in found["cards"])]:
        assert right > left and bottom > top, name
        assert x0 <= left and y0 <= top and right <= x1 and bottom <= y1, (name, found)
    assert all(bottom - top <= 84.5 for _, top, _, bottom in found["cards"])


def test_on_a_laptop_what_is_selected_and_what_it_shows_are_visible_together(open_page, maps_page, study, tmp_path):
    page = open_page(maps_page, width=934, height=650).page
    page.locator(".nbt-response mark").wait_for()
    visible_together(page, ".nbt-header", ".nbt-sample .nbt-frame", ".nbt-sample .nbt-response", ".nbt-rest")
    page.locator(".nbt-tab").first.evaluate(
        "(e) => e.after(Object.assign(e.cloneNode(), { textContent: 'Intervene' }))"
    )  # as with a model
    for width in (1366, 934, 700, 590):  # one row
        page.set_viewport_size({"width": width, "height": 768})
        header = page.locator(".nbt-header").bounding_box()
        parts = page.eval_on_selector_all(".nbt-header > *", "es => es.map((e) => e.getBoundingClientRect().right)")
        assert header["height"] <= 48 and max(parts) <= header["x"] + header["width"], width
    # a text of 100 words takes three lines, with the word in them
    pieces = ("white " * 60, "dog", " white" * 40)
    text = {"caption": "".join(pieces), "captions": (), "pieces": pieces, "position": 1}
    long = dataclasses.replace(study, samples=tuple(dataclasses.replace(s, **text) for s in study.samples))
    page = open_page(nbt.explore(long, layer=4).to_html(tmp_path / "long.html"), width=934, height=650).page
    page.locator(".nbt-response mark").wait_for()
    text, mark = page.locator(".nbt-sample .nbt-response"), page.locator(".nbt-sample .nbt-response mark")
    short, word = text.bounding_box(), mark.bounding_box()
    assert (
        short["height"] < 80
        and short["y"] <= word["y"]
        and word["y"] + word["height"] <= short["y"] + short["height"] + 2
    )
    visible_together(page, ".nbt-sample .nbt-frame", ".nbt-sample .nbt-response", ".nbt-rest")
    assert page.get_by_role("heading", name="Response").bounding_box()["height"] < 24  # one line beside the button
    page.get_by_role("button", name="Whole text").click()
    assert text.bounding_box()["height"] > 200
    page.get_by_role("button", name="Less").click()
    assert text.bounding_box() == short
