"""What leaves a notebook: pages and their languages, addresses, pictures, labels."""

import base64
import dataclasses
import io
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw

import nbtoolkit as nbt
from nbtoolkit.widgets import DictionaryComparison, Explorer, page_images, payloads, picture, threads


def payload(path):
    return json.loads(re.search(r'id="data">(.*?)</script>', path.read_text("utf-8"), re.DOTALL)[1])


@pytest.mark.parametrize("view", [Explorer, DictionaryComparison])
def test_chinese_texts_come_by_request_and_are_in_every_page(study, tmp_path, view):
    w, sent = view(study), []
    w.send = lambda content, buffers=None: sent.append(content)
    w._channel.receive(w, {"kind": "request", "id": 1, "op": "texts"}, [])
    texts = sent[0]["data"]
    assert len(texts) > 200 and "回答" in texts.values()
    assert payload(w.to_html(tmp_path / "x.html"))["data"]["texts"] == texts
    assert "回答" not in w._esm and len(json.dumps(w._meta)) < 20_000


def test_the_script_of_further_panes_comes_by_request(study):
    w, sent = DictionaryComparison(study, layers=(2, 4)), []
    w.send = lambda content, buffers=None: sent.append(content)
    w._channel.receive(w, {"kind": "request", "id": 1, "op": "panes"}, [])
    code = sent[0]["data"]["code"]
    assert code.startswith("export default function(") and "DictionaryComparison" in code and code.isascii()
    assert "only in A" in code and "only in A" not in w._esm


def written(view, monkeypatch):
    """Texts that the picture of a view writes, and the picture."""
    texts, write = [], ImageDraw.ImageDraw.text
    monkeypatch.setattr(
        ImageDraw.ImageDraw,
        "text",
        lambda pen, place, text, *more: texts.append(text) or write(pen, place, text, *more),
    )
    return texts, picture.draw(view._picture())


def test_the_picture_shows_word_layer_concepts_image_and_bars(study, monkeypatch):
    view = Explorer(study, layer=4, concept=6, sample=study.samples[3].id, labels={"4:6": "mine"})
    texts, image = written(view, monkeypatch)
    assert image.size == (1200, 630) and "“dog”" in texts and "mine" in texts
    assert any("layer 4 of 5 · toy · 40 images · 8 concepts by SemiNMF" in t for t in texts)
    assert any(t.startswith("CLIPScore ") for t in texts)
    V, names = study.dictionary(4).activations[3], threads.names(view.study, 4)
    for k in np.argsort(-np.abs(V))[:3]:
        assert names[k] in texts and f"{V[k]:.2f}" in texts
    assert " ".join(texts).count(study.samples[3].caption.split()[0]) and len(image.getcolors(2**20)) > 5000


def test_the_picture_follows_the_state(study):
    view = Explorer(study, layer=4)
    before = picture.encoded(picture.draw(view._picture()))
    assert picture.encoded(picture.draw(view._picture())) == before
    view.sample = study.samples[7].id
    assert picture.encoded(picture.draw(view._picture())) != before
    view.metric, view.layer, view.concept = "overlap", 2, None
    assert view._picture().score.startswith("Word overlap")


def test_a_snapshot_is_a_picture_that_can_be_saved(study, tmp_path):
    kept = DictionaryComparison(study, layers=(2, 4)).snapshot(2)
    assert Image.open(io.BytesIO(kept._repr_png_())).size == (1200, 630)
    assert Image.open(kept.save(tmp_path / "a.jpg")).format == "JPEG"
    assert Image.open(kept.save(tmp_path / "a.png")).format == "PNG"
    assert kept.save(tmp_path / "a.html").read_text("utf-8") == kept._repr_html_()
    with pytest.raises(nbt.NbtoolkitError, match=r"path is 'a.gif'; expected a name that ends in .png, .jpg, .jpeg or"):
        kept.save("a.gif")


def test_a_snapshot_has_the_colours_of_the_threads_and_the_shares_of_the_cards(study):
    fresh = {layer: dataclasses.replace(d) for layer, d in study.dictionaries.items()}  # without threads yet
    study = dataclasses.replace(study, dictionaries=fresh)
    view = Explorer(study, layer=4)
    assert not threads.is_ready(study)
    view.snapshot()
    assert threads.is_ready(study)
    content = payloads.content(study)["concepts"]["4"]
    for card in view._picture().cards:
        k = next(k for k, name in enumerate(threads.names(study, 4)) if name == card.name)
        share = 100 * content[k]["share"]
        assert card.colour == threads.colour(study, 4, k) and card.value == f"{share:.{int(share < 10)}f} %"


def outputs(view, monkeypatch, kernel):
    shell = SimpleNamespace(kernel=kernel)
    monkeypatch.setattr("nbtoolkit.widgets.base.get_ipython", lambda: shell)
    sent = []
    monkeypatch.setattr("nbtoolkit.widgets.reopening.display", lambda data, **more: sent.append(data))
    view._ipython_display_()
    return sent


def test_a_notebook_keeps_the_picture_beside_the_widget(study, monkeypatch):
    view = Explorer(study)
    widget, still = outputs(view, monkeypatch, kernel=True)
    assert widget.keys() == {"application/vnd.jupyter.widget-view+json", "text/plain"}
    assert f":root:has(.nbt-live-{view._view})" in still["text/html"] and "<script" not in still["text/html"]
    assert "Run the cell again for the interactive view." in still["text/html"] and len(still["text/html"]) < 130_000
    assert view._view != Explorer(study)._view
    with pytest.raises(NotImplementedError):  # IPython then displays a view as any object
        outputs(view, monkeypatch, kernel=None)
    monkeypatch.setattr(nbt.options, "preview", False)
    with pytest.raises(NotImplementedError):
        outputs(view, monkeypatch, kernel=True)


def test_a_page_has_a_title_and_says_how_to_read_it(study, tmp_path):
    text = Explorer(study).to_html(tmp_path / "x.html").read_text("utf-8")
    about = re.search('<meta name="description" content="(.*?)">', text)[1]
    assert about.startswith("A card is a concept") and f"<p>{about}</p>" in text
    assert text.count("<h1>“dog” in toy</h1>") == 1 and '<meta property="og:title" content="“dog” in toy">' in text
    assert f'<meta property="og:description" content="{about}">' in text


def test_the_address_of_a_page_may_hold_what_its_rules_allow(study, tmp_path):
    steps = [{"say": "Look.", "check": {"layer": 5}}]
    data = payload(Explorer(study, steps=steps).to_html(tmp_path / "x.html"))["data"]
    rules = data["rules"]
    assert rules["layer"] == {"kind": "choice", "values": [1, 2, 3, 4, 5]}
    assert rules["concept"] == {"kind": "int", "min": 0, "max": 7, "none": True}
    assert rules["sample"] == {"kind": "id", "none": True} and "clip_score" in rules["metric"]["values"]
    assert rules["query"] == {"kind": "text", "max": 200} and rules["all_tokens"] == {"kind": "bool"}
    assert rules["tab"]["values"] == list(Explorer.class_traits()["tab"].values)
    assert not {"labels", "pinned", "edits", "steps", "step", "_meta"} & rules.keys()
    two = DictionaryComparison(study, layers=(2, 4)).to_html(tmp_path / "y.html")
    assert payload(two)["data"]["rules"] == {"threshold": {"kind": "float"}}
    other = payload(Explorer(study, labels={"4:1": "x"}).to_html(tmp_path / "z.html"))["data"]
    assert other["key"] != payload(two)["data"]["key"] and len(other["key"]) == 16


def test_a_closed_view_has_its_page_and_picture(study, tmp_path):
    view = Explorer(study, layer=4)
    before = payload(view.to_html(tmp_path / "a.html"))["data"]["rules"]
    view.close()
    assert payload(view.to_html(tmp_path / "b.html"))["data"]["rules"] == before
    assert view.snapshot(1).html.startswith("<div><img alt=")


def test_names_of_a_page_are_names_of_a_view(study):
    view = Explorer(study)
    view.labels = json.loads('{"4:5": "mine", "2:0": "<b>x</b>"}')  # what "Save names" writes
    assert view.study.labels == {"4:5": "mine", "2:0": "<b>x</b>"}


def test_images_of_a_large_page_have_the_size_of_their_use(study, tmp_path, monkeypatch):
    samples = []
    for i, sample in enumerate(study.samples):
        noise, jpeg = np.random.default_rng(i).integers(0, 255, (200, 300, 3), dtype=np.uint8), io.BytesIO()
        Image.fromarray(noise).save(jpeg, "JPEG")
        samples.append(dataclasses.replace(sample, image=jpeg.getvalue()))
    large = dataclasses.replace(study, samples=samples)
    monkeypatch.setattr(page_images, "PAGE", 800_000)
    monkeypatch.setattr(page_images, "LEAST", 200_000)
    with pytest.warns(
        UserWarning, match=r"images of the page take 0\.\d MB of 0\.\d MB; \d+ of 40 are left out\. Exemplars"
    ):
        path = Explorer(large).to_html(tmp_path / "x.html")
    data = payload(path)["data"]
    sizes = {int(i): Image.open(io.BytesIO(base64.b64decode(text))).size[0] for i, text in data["images"].items()}
    first = {study.rows[ids[0]] for g in study.groundings.values() for ids in g.exemplars if ids}
    n, n_all, side = data["lacks"]
    assert n == len(sizes) <= n_all == 40 and side in {s[0] for s in page_images.SIZES[1:]}
    assert 740_000 < path.stat().st_size < 820_000  # script and style are counted
    assert max(sizes.values()) == side == min(sizes[i] for i in first) > max(sizes[i] for i in sizes if i not in first)
    small = payload(Explorer(study).to_html(tmp_path / "y.html"))["data"]  # all fit as they are
    assert small["lacks"] is None and len(small["images"]) == 40


def test_a_study_of_an_earlier_release_has_a_page(study, tmp_path):
    """Its negative words have no logits."""
    old = {
        k: dataclasses.replace(g, logits=[], negative=[["not"] for _ in g.words], negative_logits=[])
        for k, g in study.groundings.items()
    }
    path = Explorer(dataclasses.replace(study, groundings=old)).to_html(tmp_path / "x.html")
    assert payload(path)["data"]["images"]
