"""The exported page from file://: every pane, both themes, every width, keyboard, hostile text, no request at all."""

import dataclasses
import io
import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit.widgets import ConceptGallery, DictionaryComparison, LayerSlider, SampleAttribution

pytestmark = [pytest.mark.browser, pytest.mark.slow]  # a page has no parts of other releases


@pytest.fixture(scope="module")
def page_file(study, tmp_path_factory):
    return nbt.explore(study, layer=4).to_html(tmp_path_factory.mktemp("page") / "dog.html")


def state(page, name):
    return page.evaluate("(n) => window.nbtoolkit.get(n)", name)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 620, 1600])
def test_themes_and_widths(open_page, page_file, node_modules, theme, width):
    view = open_page(page_file, width=width, theme=theme, bypass_csp=True)
    view.page.wait_for_selector(".nbt-thumb:not(.nbt-waiting)")
    assert view.page.evaluate("document.documentElement.scrollWidth") <= width
    assert view.axe(node_modules) == []
    if width == 320:  # the second pane is behind a tab
        view.page.get_by_role("button", name="Image", exact=True).click()
        assert view.axe(node_modules) == []
        assert view.page.evaluate("document.documentElement.scrollWidth") <= width
    view.clean()


def test_under_its_own_policy_without_kernel_or_network(open_page, page_file, study):
    view = open_page(page_file)
    page = view.page
    page.wait_for_selector(".nbt-response mark")
    assert page.locator(".nbt-response mark").inner_text() == "dog"
    cards = page.locator(".nbt-card")
    assert cards.count() == 8
    # the layer slider changes the words
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("Home")
    assert state(page, "layer") == 1
    first = study.grounding(1).words[
        max(range(8), key=lambda k: nbt.widgets.payloads.content(study)["concepts"]["1"][k]["share"])
    ]
    assert page.locator(".nbt-card").first.locator(".nbt-words").inner_text().split()[0] == (
        first[0] if first else "(no"
    )
    page.keyboard.press("End")
    assert state(page, "layer") == 5
    # a chart slot is a button for the mouse
    page.locator(".nbt-spark").click()
    page.locator(".nbt-figure").first.locator(".nbt-hit").nth(2).click()
    assert state(page, "layer") == 3
    page.keyboard.press("Escape")
    assert page.locator(".nbt-figure").first.is_hidden()
    # a picture and a concept
    page.locator(".nbt-card").nth(2).locator(".nbt-thumb").nth(1).click()
    chosen = state(page, "concept")
    assert page.locator('.nbt-card[aria-selected="true"]').count() == 1
    assert state(page, "sample") == study.grounding(3).exemplars[chosen][1]
    view.clean()


def test_an_address_names_survive_a_reload_and_print(open_page, page_file, study, node_modules, tmp_path):
    view = open_page(f"{page_file}", bypass_csp=True)
    page = view.page
    page.wait_for_selector(".nbt-card")
    assert page.get_by_role("heading", level=1).inner_text() == "“dog” in toy" and view.axe(node_modules, "html") == []
    page.goto(page.url + "#layer=2&concept=3&tab=nowhere&sample=%3Cb%3E&_kind=x")
    page.reload()
    page.wait_for_selector(".nbt-card")
    assert [state(page, n) for n in ("layer", "concept", "_kind")] == [2, 3, "explorer"]
    page.evaluate("nbtoolkit.set('layer', 5)")
    page.wait_for_function("location.hash.includes('layer=5')")
    page.go_back()
    page.wait_for_function("nbtoolkit.get('layer') === 2")
    page.evaluate("nbtoolkit.set('labels', {'2:3': 'my <b>name</b>'})")
    page.reload()
    page.wait_for_selector(".nbt-card")
    assert state(page, "labels") == {"2:3": "my <b>name</b>"}
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save names").click()
    assert json.loads(saved.value.path().read_text("utf-8")) == {"2:3": "my <b>name</b>"}
    page.pdf(path=tmp_path / "sheet.pdf", prefer_css_page_size=True)
    sheet = page.locator(".nbt-sheet")
    assert "my <b>name</b>" in sheet.text_content() and "layer 2" in sheet.text_content()
    assert sheet.locator("li").count() == 8 and sheet.locator("b b").count() == 0
    pdf = (tmp_path / "sheet.pdf").read_bytes()
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 2 and pdf.count(b"/Subtype /Image") >= 20
    assert b"595" in pdf and not view.outside
    page.emulate_media(media="print")
    assert view.axe(node_modules, "html") == []
    view.clean()


def test_keyboard_alone(open_page, page_file):
    view = open_page(page_file)
    page = view.page
    page.wait_for_selector(".nbt-card")
    page.locator('.nbt-card[tabindex="0"]').focus()
    page.keyboard.press("Home")
    order = page.eval_on_selector_all(".nbt-card", "cards => cards.map(c => Number(c.dataset.concept))")
    page.keyboard.press("ArrowDown")
    assert state(page, "concept") == order[1]
    assert page.evaluate("Number(document.activeElement.dataset.concept)") == order[1]
    page.keyboard.press("End")
    assert state(page, "concept") == order[-1]
    before = state(page, "sample")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert state(page, "sample") != before
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.type") == "search"
    page.keyboard.type("zzz")
    assert "No concept matches" in page.locator(".nbt-list").inner_text()
    page.keyboard.press("Escape")
    assert page.locator(".nbt-card").count() == 8
    view.clean()


def test_search_sort_and_pictures_in_turn(open_page, page_file, study):
    view = open_page(page_file)
    page = view.page
    page.wait_for_selector(".nbt-card")
    word = next(w[0] for w in study.grounding(4).words if w)
    page.get_by_role("searchbox").fill(word)
    assert 0 < page.locator(".nbt-card").count() <= 8
    page.get_by_role("searchbox").fill("")
    page.get_by_role("combobox", name="Sort concepts").select_option("index")
    assert page.eval_on_selector_all(".nbt-card", "cards => cards.map(c => Number(c.dataset.concept))") == list(
        range(8)
    )
    here = state(page, "sample")
    page.get_by_role("button", name="next image").click()
    assert state(page, "sample") != here
    page.get_by_role("button", name="previous image").click()
    assert state(page, "sample") == here
    bars = page.locator(".nbt-bar")
    bars.last.click()
    assert bars.last.get_attribute("aria-pressed") == "true"
    view.clean()


def test_the_view_as_a_line_of_python(open_page, page_file, study):
    view = open_page(page_file)
    page = view.page
    page.wait_for_selector(".nbt-card")
    page.locator(".nbt-card").nth(3).click()
    page.evaluate("window.nbtoolkit.set('overlay', 'contour'); window.nbtoolkit.set('pinned', ['4:2'])")
    page.get_by_role("button", name="More").click()
    page.get_by_role("button", name="Copy as Python").click()
    line = page.get_by_role("textbox", name="Python that opens this view").input_value()
    again = eval(line, {"nbt": nbt, "study": study})
    assert (again.layer, again.concept, again.sample) == (4, state(page, "concept"), state(page, "sample"))
    assert (again.overlay, again.pinned) == ("contour", ["4:2"]) and "query" not in line
    page.evaluate("window.nbtoolkit.set('query', 'snow')")  # the line is never an old one
    assert 'query="snow"' in page.get_by_role("textbox", name="Python that opens this view").input_value()
    page.get_by_role("button", name="Full screen").click()
    page.wait_for_function("document.fullscreenElement?.classList.contains('nbt-root')")
    page.get_by_role("button", name="Exit full screen").click()
    page.wait_for_function("!document.fullscreenElement")
    view.clean()


def test_the_views_speak_chinese(open_page, study, node_modules, tmp_path):
    nbt.options.locale = "zh-CN"
    try:
        page_file = nbt.explore(study, layer=4).to_html(tmp_path / "zh.html")
        two = DictionaryComparison(study, layers=(2, 4)).to_html(tmp_path / "two.html")
    finally:
        nbt.options.locale = None
    view = open_page(page_file, width=620, bypass_csp=True)
    view.page.wait_for_selector(".nbt-card")
    text = view.page.locator(".nbt-explorer").inner_text()
    assert "回答" in text and "未解释" in text and "8 个概念" in text and "Response" not in text
    assert "dog" in view.page.locator(".nbt-response").inner_text() and view.axe(node_modules) == []
    view.clean()
    automatic = open_page(nbt.explore(study).to_html(tmp_path / "auto.html"), locale="zh-TW")  # the browser's own
    automatic.page.wait_for_selector(".nbt-card")
    assert "回答" in automatic.page.locator(".nbt-explorer").inner_text()
    assert "一一匹配" in open_page(two).page.locator(".nbt-two").inner_text()
    with pytest.raises(nbt.NbtoolkitError, match="locale is 'klingon'; expected None or one of 'en', 'zh-CN'"):
        nbt.options.locale = "klingon"


def test_pin_name_other_pictures_and_the_picture_itself(open_page, page_file, study, node_modules):
    view = open_page(page_file, bypass_csp=True)
    page = view.page
    page.wait_for_selector(".nbt-card")
    last = page.locator(".nbt-card").last
    concept = int(last.get_attribute("data-concept"))
    last.click(position={"x": 60, "y": 12})
    page.keyboard.press("p")
    assert page.locator(".nbt-card").first.get_attribute("data-concept") == str(concept)
    assert state(page, "pinned") == [f"4:{concept}"] and "★" in page.locator(".nbt-card").first.text_content()
    page.get_by_role("textbox", name="Name of the selected concept").fill("<b>mine</b>")
    page.keyboard.press("Enter")
    assert state(page, "labels") == {f"4:{concept}": "<b>mine</b>"}
    assert "<b>mine</b>" in page.locator(".nbt-card").first.text_content() and page.locator(".nbt b").count() == 0
    page.get_by_role("searchbox").fill("mine")
    assert page.locator(".nbt-card").count() == 1
    page.get_by_role("searchbox").fill("")
    page.get_by_role("button", name="★ Unpin").click()
    assert state(page, "pinned") == []
    # other pictures than the strongest: all of them use the concept
    V = np.abs(study.dictionary(4).activations)
    for mode in ("range", "random"):
        page.get_by_role("combobox", name="Images per concept").select_option(mode)
        page.wait_for_function("document.querySelectorAll('.nbt-card').length === 8")
        for k in range(8):
            rows = [
                int(r)
                for r in page.locator(f'.nbt-card[data-concept="{k}"]').get_attribute("data-rows").split(",")
                if r
            ]
            assert len(rows) == min(8, (V[:, k] > 0).sum()) and (V[rows, k] > 0).all()
            if mode == "range":
                assert V[rows[0], k] == V[:, k].max() and (np.diff(V[rows, k]) <= 0).all()
    # the picture itself
    page.get_by_role("button", name="⤢ Open").click()
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    assert " images" in dialog.inner_text() or "activation 0" in dialog.inner_text()
    assert view.axe(node_modules, ".nbt-dialog") == []
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    view.clean()


# controls that are smaller than 24 pixels; a box that is ticked is as large as its label
SMALL = """() => [...document.querySelectorAll('button, input, select, summary, a[href], [role=slider]')].filter((el) => {
  const box = (el.matches('[type=checkbox], [type=radio], [type=file]') && el.closest('label') || el).getBoundingClientRect();
  return el.checkVisibility({ visibilityProperty: true }) && box.width && (box.width < 24 || box.height < 24);
}).map((el) => el.outerHTML.slice(0, 200))"""


@pytest.mark.parametrize("width", [390, 934])
def test_in_every_tab_targets_are_large_enough_and_axe_finds_nothing(open_page, page_file, node_modules, width):
    view = open_page(page_file, width=width, bypass_csp=True)
    page = view.page
    page.wait_for_selector(".nbt-thumb:not(.nbt-waiting)")
    for tab in page.locator(".nbt-tab:visible").all():
        tab.click()
        page.wait_for_timeout(300)  # a pane that is made when it is selected first
        assert page.evaluate(SMALL) == [], tab.inner_text()
        assert view.axe(node_modules, "html") == [], tab.inner_text()
    page.emulate_media(media="print")
    assert view.axe(node_modules, "html") == []
    view.clean()


@pytest.mark.parametrize("pane", [ConceptGallery, LayerSlider, SampleAttribution])
def test_every_pane_stands_alone(open_page, study, node_modules, tmp_path, pane):
    view = open_page(pane(study).to_html(tmp_path / "pane.html"), bypass_csp=True)
    view.page.wait_for_selector(
        {ConceptGallery: ".nbt-card", LayerSlider: ".nbt-chart", SampleAttribution: ".nbt-response mark"}[pane]
    )
    assert view.axe(node_modules) == []
    view.clean()


@pytest.mark.parametrize("width", [320, 1100])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_two_dictionaries_side_by_side(open_page, study, node_modules, tmp_path, width, theme):
    comparison = DictionaryComparison(study, layers=(2, 4), threshold=0.3)
    view = open_page(comparison.to_html(tmp_path / "two.html"), width=width, theme=theme, bypass_csp=True)
    page = view.page
    page.wait_for_selector(".nbt-thumb:not(.nbt-waiting)")
    shared = sum(p[2] >= 0.3 for p in comparison._meta["pairs"])
    assert page.locator(".nbt-pair").count() == 16 - shared
    assert f"{shared} shared, {8 - shared} only in A, {8 - shared} only in B" in page.locator(".nbt-two").inner_text()
    page.locator('.nbt-pair[tabindex="0"]').focus()
    page.keyboard.press("End")
    assert state(page, "pair")[0] is None or state(page, "pair")[1] is not None
    page.get_by_role("slider").fill("1")
    assert page.locator(".nbt-pair").count() == 16
    assert page.evaluate("document.documentElement.scrollWidth") <= width and view.axe(node_modules, "html") == []
    view.clean()


def test_a_lesson_goes_on_in_a_page_without_a_kernel(open_page, study, tmp_path):
    lesson = [
        {"say": "Go to layer 5.", "set": {"layer": 2, "concept": 0}, "check": {"layer": 5}, "at": "layer"},
        {"say": "Select concept 3.", "check": {"concept": [3]}, "at": "concept", "hint": "Look for the third."},
        {"say": "That is all."},
    ]
    view = open_page(nbt.explore(study, steps=lesson).to_html(tmp_path / "lesson.html"))
    page, guide = view.page, view.page.locator(".nbt-guide")
    assert "Step 1 of 3" in guide.inner_text() and state(page, "layer") == 2
    assert page.locator(".nbt-pointed input[type=range]").is_visible()
    page.get_by_role("slider").fill("3")
    assert "Layer 4 is not the one." in guide.inner_text()
    page.get_by_role("slider").fill("4")
    assert "Step 2 of 3" in guide.inner_text() and "Select concept 3." in guide.inner_text()
    assert "is not the one" not in guide.inner_text() and page.locator(".nbt-pointed .nbt-card").count()
    page.locator('.nbt-card[data-concept="2"]').click()
    assert "is not the one. Look for the third." in guide.inner_text()
    page.set_viewport_size({"width": 700, "height": 400})
    page.evaluate("scrollTo(0, 300)")
    page.wait_for_function("Math.abs(document.querySelector('.nbt-guide').getBoundingClientRect().top) < 1")
    page.locator('.nbt-card[data-concept="3"]').click()
    guide.get_by_role("button", name="Done").click()
    assert "All 3 steps done" in guide.inner_text() and state(page, "step") == 3
    guide.get_by_role("button", name="Start again").click()
    assert "Step 1 of 3" in guide.inner_text() and state(page, "layer") == 2
    view.clean()


def test_charts_are_saved_as_files(open_page, page_file, tmp_path):
    view = open_page(page_file)
    page = view.page
    page.locator(".nbt-bar").first.wait_for()
    page.locator(".nbt-spark").click()
    for button, name, kind in (
        (".nbt-figure .nbt-save", "clip_score", "svg"),
        (".nbt-bars-head .nbt-save", "concepts", "svg"),
    ):
        with page.expect_download() as found:
            page.locator(button).first.click()
        assert found.value.suggested_filename == f"{name}.{kind}"
        found.value.save_as(tmp_path / name)
        root = ElementTree.fromstring((tmp_path / name).read_text("utf-8"))
        texts = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and len(texts) >= 5
        about = {"clip_score": ["“dog” in toy: CLIPScore", "Layer", "CLIPScore", "– – random words  · · token alone"]}
        assert {*about.get(name, ["Concepts at “dog”, layer 4 · activation · toy"])} <= {*texts}
        assert all(e.get("fill") for e in root.iter("{http://www.w3.org/2000/svg}text"))
    with page.expect_download() as found:
        page.locator(".nbt-spark").click()  # a click elsewhere has closed the charts
        page.locator(".nbt-figure .nbt-save").nth(1).click()
    found.value.save_as(tmp_path / "chart.png")
    for box in [button.bounding_box() for button in page.locator(".nbt-save:visible").all()]:
        assert min(box["width"], box["height"]) >= 24
    picture = Image.open(tmp_path / "chart.png")
    assert picture.size == (954, 462) and len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 50
    page.evaluate("() => { navigator.clipboard.write = () => Promise.reject(new Error('forbidden')) }")
    with page.expect_download() as found:
        page.get_by_role("button", name="More").click()
        page.get_by_role("button", name="Copy image").click()
    found.value.save_as(tmp_path / "view.png")
    assert found.value.suggested_filename == "dog layer 4.png" and Image.open(tmp_path / "view.png").size == (1200, 630)
    view.clean()


def test_scores_are_chosen(open_page, page_file):
    page = open_page(page_file).page
    shown = page.locator(".nbt-charts .nbt-figure:visible")
    assert shown.count() == 0
    spark = page.get_by_role("button", name="Scores per layer. CLIPScore, layer 4: ")
    assert "random words" in spark.get_attribute("aria-label")
    spark.click()
    assert shown.count() == 2
    chooser = page.get_by_role("combobox", name="Score per layer")
    chooser.select_option("overlap")
    assert shown.count() == 1 and "Word overlap" in shown.inner_text() and state(page, "metric") == "overlap"
    chooser.select_option("all")
    assert shown.count() == 4


def test_a_page_shows_where_concepts_lie(open_page, maps_page, study, model, data):
    view = open_page(maps_page)
    page = view.page
    page.get_by_role("combobox", name="Overlay of the exemplars").select_option("heat map")
    page.locator(".nbt-card").first.locator(".nbt-overlay").first.wait_for()
    painted = page.locator(".nbt-card").first.locator(".nbt-overlay").count()
    assert painted >= 4 and page.get_by_text("each image's largest |score|").is_visible()
    k, row = (
        int(page.locator(".nbt-card").first.get_attribute("data-concept")),
        page.locator(".nbt-card .nbt-thumb").first,
    )
    sample = study.samples[int(row.get_attribute("data-row"))]
    highest = nbt.saliency(model, data["image"][data["id"].index(sample.id)], study.dictionary(4), k)[-1].max()
    assert row.get_attribute("title").startswith(sample.caption) and row.get_attribute("title").endswith(
        f"… {highest:.1f}"
    )
    page.get_by_role("combobox", name="Overlay of the selected concept").select_option("contour")
    page.locator(".nbt-sample").get_by_text("patches, scores from").wait_for()
    assert "more than half of" in page.locator(".nbt-sample .nbt-scale").inner_text()
    before = page.locator(".nbt-card .nbt-thumb").first.evaluate("(e) => e.style.backgroundSize")
    page.get_by_role("combobox", name="Overlay of the exemplars").select_option("zoom")
    page.wait_for_timeout(500)
    sizes = page.locator(".nbt-card .nbt-thumb").evaluate_all("(es) => es.map((e) => e.style.backgroundSize)")
    assert page.locator(".nbt-card .nbt-overlay").count() == 0 and len(set(sizes) - {before}) > 2

    # what every word means, and what the token owes to each concept, as the live view tells it
    live = nbt.explore(study, model, data=data, layer=4)._session
    shown = state(page, "sample")
    question = {"sample": shown, "at": 4}
    words, attribution = live.run("concepts_per_token", question), live.run("attribution", question)
    page.get_by_role("button", name="All tokens").click()
    page.locator(".nbt-piece").first.wait_for()
    assert page.locator(".nbt-piece").all_inner_texts() == words["pieces"]
    other = next(i for i in range(len(words["pieces"])) if i != words["position"])
    page.locator(".nbt-piece").nth(other).click()
    page.locator(".nbt-sample-bars h3", has_text=f"Concepts at “{words['pieces'][other].strip()}”").wait_for()
    page.get_by_role("button", name="Attribution", exact=True).click()
    page.locator(".nbt-attribution caption", has_text="Δ logit difference to “").wait_for()
    page.get_by_text("The log-probability of “dog” is saturated").wait_for()
    strongest = int(np.argmax(np.abs(study.dictionary(4).activations[study.rows[shown]])))
    row = page.locator(f'.nbt-attribution tr[data-concept="{strongest}"]')
    assert f"{-attribution['ablation'][strongest]:.3f}".replace("-", "−") in row.inner_text()
    remainder = page.locator(".nbt-sum", has_text="remainder")
    assert f"{-attribution['remainder']['ablation']:.3f}".replace("-", "−") in remainder.inner_text()
    whole = page.locator(".nbt-total").inner_text()
    assert f"{-attribution['leave_all_out']:.3f}".replace("-", "−") in whole

    # of other layers the page says that it has none of this
    page.evaluate("() => window.nbtoolkit.set('layer', 3)")
    page.get_by_text("only for exemplars").first.wait_for()
    view.clean()


def test_a_page_dims_what_the_model_did_not_see(open_page, study, tmp_path):
    model = nbt.load_model("toy")  # its own copy: the processor is changed
    images = model.processor.image_processor
    images.do_center_crop, images.size = True, type(images)(size={"shortest_edge": 64}).size
    images.crop_size = type(images)(crop_size={"height": 64, "width": 64}).crop_size
    samples = []
    for sample in study.samples:
        wide, jpeg = Image.new("RGB", (256, 128), "grey"), io.BytesIO()
        wide.paste(Image.open(io.BytesIO(sample.image)).resize((128, 128)), (64, 0))
        wide.save(jpeg, "JPEG")
        samples.append(dataclasses.replace(sample, image=jpeg.getvalue()))
    cropped = dataclasses.replace(study, samples=samples)
    view = open_page(nbt.explore(cropped, model, layer=4).to_html(tmp_path / "crop.html", maps=True, progress=False))
    page = view.page
    page.get_by_role("combobox", name="Overlay of the exemplars").select_option("heat map")
    page.get_by_text("not seen by the model").wait_for()
    page.get_by_role("combobox", name="Overlay of the selected concept").select_option("heat map")
    page.get_by_text("The model saw the middle 50 % of the image; the dimmed part was cropped.").wait_for()
    frame = page.locator(".nbt-sample .nbt-frame").first
    box, heat = frame.bounding_box(), frame.locator(".nbt-overlay").bounding_box()
    assert heat["x"] - box["x"] == pytest.approx(box["width"] / 4, abs=2)
    assert heat["width"] == pytest.approx(box["width"] / 2, abs=2) and frame.locator(".nbt-unseen").is_visible()
    note = page.locator(".nbt-where").first
    for share, text in (
        (0.1, "The model did not see this part of the image."),
        (0.26, "Row 5, column 1: "),
        (0.74, "Row 5, column 8: "),
    ):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.55 * box["height"])
        page.wait_for_function("([e, text]) => e.textContent.startsWith(text)", arg=[note.element_handle(), text])
    view.clean()


def test_a_map_is_encircled_and_a_concept_has_a_page(open_page, study, tmp_path, node_modules):
    path = nbt.explore(study, layer=4, tab="map", concept=2).to_html(tmp_path / "map.html")
    view = open_page(path, bypass_csp=True)
    page = view.page
    page.wait_for_selector(".nbt-map-tile")
    box = page.locator(".nbt-scatter").bounding_box()
    page.get_by_role("button", name="Lasso").click()
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.down()
    for x, y in ((1, 0), (1, 1), (0, 1)):
        page.mouse.move(box["x"] + 2 + x * (box["width"] - 4), box["y"] + 2 + y * (box["height"] - 4))
    page.mouse.up()
    assert set(state(page, "lasso")) == {s.id for s in study.samples}  # around all
    page.locator(".nbt-scatter").focus()
    page.keyboard.press("Escape")
    assert state(page, "lasso") == []
    before = state(page, "sample")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("Shift+ArrowDown")
    assert state(page, "lasso") and state(page, "sample") in {*state(page, "lasso"), before}
    assert view.axe(node_modules) == []
    # the page of a concept
    page.get_by_role("button", name="Concepts").click()
    page.locator('.nbt-card[data-concept="2"]').focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".nbt-page-row .nbt-thumb")
    V = np.abs(study.dictionary(4).activations[:, 2])
    rows = [
        int(r) for r in page.locator(".nbt-page-row [data-row]").evaluate_all("all => all.map((e) => e.dataset.row)")
    ]
    assert rows[0] == V.argmax() and (np.diff(V[rows]) <= 0).all() and V[rows[-1]] == V[V > 0].min()
    g = study.grounding(4)
    assert f"{g.words[2][0]} {g.logits[2][0]:.2f}" in " ".join(page.locator(".nbt-chip").all_inner_texts()).replace(
        "\n", " "
    )
    assert view.axe(node_modules) == []
    page.keyboard.press("ArrowRight")
    assert state(page, "concept") != 2
    page.keyboard.press("Escape")
    assert state(page, "page") is False and page.locator(".nbt-card:focus").count() == 1
    view.clean()
