"""DictionaryComparison: a view like the others."""

import json
import re

import pytest
import traitlets

import nbtoolkit as nbt
from nbtoolkit.widgets import DictionaryComparison


def test_the_view_of_two_layers(study):
    w = DictionaryComparison(study, layers=(2, 4))
    assert w.agreement.measure == "activation" and len(json.dumps(w._meta)) < 300_000
    assert [len(side["concepts"]) for side in w._meta["sides"]] == [8, 8] and w.pair == w._meta["pairs"][0][:2]
    values = [p[2] for p in w._meta["pairs"]]
    assert values == sorted(values, reverse=True) and "layer 2" in repr(w)
    same = DictionaryComparison(study, study, layers=(3, 3))
    assert same.agreement.score.mean == pytest.approx(1) and len(same._meta["samples"]) == 2 * len(study.samples)
    assert repr(DictionaryComparison(study)) == repr(DictionaryComparison(study, layers=(study.layers[-1],) * 2))
    with pytest.raises(nbt.NbtoolkitError, match="was given a str; expected studies"):
        DictionaryComparison(study, "other")


def test_thumbnails_of_both_sides(study):
    w = DictionaryComparison(study, study)
    sent = []
    w.send = lambda content, buffers=None: sent.append((content, buffers))
    w._channel.receive(w, {"kind": "request", "id": 3, "op": "thumbs", "args": {"rows": [0, len(study.samples)]}}, [])
    (content, buffers) = sent[0]
    caption = study.samples[0].caption
    expected = {"rows": [0, len(study.samples)], "captions": [caption, caption], "aspects": [1.0, 1.0]}
    assert content["data"] == expected and len(buffers) == 1


def test_the_comparison_is_a_view_like_the_others(study, tmp_path):
    w = DictionaryComparison(study, layers=(2, 4), threshold=0.3, names=("two", "four"))
    w.pair = [None, 5]
    again = DictionaryComparison(study, **json.loads(json.dumps(w.state())))
    assert again.state() == w.state() and again._meta == w._meta
    page = w.to_html(tmp_path / "two.html").read_text("utf-8")
    state = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])["state"]
    assert state["pair"] == [None, 5] and state["threshold"] == 0.3
    traitlets.link((w, "pair"), (again, "pair"))
    w.pair = [1, 1]
    assert again.pair == [1, 1]
    still = w.snapshot(2)._repr_html_()
    assert still.count("<img") == 1 + 2 and "two and four" in still and "<script" not in still
    bundle = w._repr_mimebundle_()[0]
    assert bundle["text/plain"] == repr(w) and len(bundle["text/html"]) < 60_000
    sent = []
    w.send = lambda content, buffers=None: sent.append(content)
    w.observe(lambda change: 1 / 0, "threshold")
    with pytest.raises(ZeroDivisionError):
        w.threshold = 0.5
    assert sent == [{"kind": "failure", "text": "ZeroDivisionError: division by zero"}]
    w.close()
    assert w._meta == {} and w._samples == [] and "closed" in repr(w)
    for late in (w.snapshot, lambda: w.to_html(tmp_path / "late.html")):
        with pytest.raises(nbt.NbtoolkitError, match="The view is closed. Run the cell again."):
            late()


def test_wrong_options_of_the_comparison_are_refused(study):
    with pytest.raises(TypeError, match=r"DictionaryComparison has no option 'layer'. Did you mean 'layers'\?"):
        DictionaryComparison(study, layer=3)
    with pytest.raises(nbt.NbtoolkitError, match=r"layers is \(1,\); expected a layer of each study, or None."):
        DictionaryComparison(study, layers=(1,))
    with pytest.raises(nbt.NbtoolkitError, match="names is 'ab'; expected a title for each study, or None."):
        DictionaryComparison(study, names="ab")
    with pytest.raises(nbt.NbtoolkitError, match="was given a NoneType; expected studies"):
        DictionaryComparison(None)
    w = DictionaryComparison(study)
    with pytest.raises(traitlets.TraitError, match=r"pair is \[8, 0\]; expected a row of A \(0 … 7\)"):
        w.pair = [8, 0]
    with pytest.raises(traitlets.TraitError, match="threshold is 2.0; expected a number from -1 to 1"):
        w.threshold = 2


def test_rows_of_the_comparison_are_checked(study):
    view, sent = DictionaryComparison(study, layers=(2, 4)), []
    view.send = lambda content, buffers=None: sent.append(content)
    for number, rows in enumerate([[0, 40], [-1], ["0"]]):
        view._channel.receive(view, {"kind": "request", "id": number, "op": "thumbs", "args": {"rows": rows}}, [])
    assert [reply["error"].partition(": ")[2] for reply in sent] == [
        "row is 40; expected 0 … 39.",
        "row is -1; expected 0 … 39.",
        "An entry of rows is a str; expected an integer.",
    ]


def test_a_page_in_chinese_can_make_the_titles_itself(study):
    facts = [side["facts"] for side in DictionaryComparison(study, layers=(2, 4))._meta["sides"]]
    assert facts == [["dog", 2, "SemiNMF"], ["dog", 4, "SemiNMF"]]
    view = DictionaryComparison(study, names=("first", "second"))
    assert [(side["title"], side["facts"]) for side in view._meta["sides"]] == [("first", None), ("second", None)]
