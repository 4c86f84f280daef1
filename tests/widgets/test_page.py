"""Hostile texts and numbers: no NaN reaches a page, and what cannot be shown is a replacement character, everywhere."""

import dataclasses
import html
import json
import re

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit import plots
from nbtoolkit.strict_json import visible
from nbtoolkit.widgets import DictionaryComparison, Explorer, payloads

from ..hostile import TEXTS, poisoned, undefined

MORE = ["lone \ud800", "\udfff", "a bell \a", "nul \0", "delete \x7f", "next line \x85", "escape \x1b[31m"]


def strict(text):
    """Value of JSON as browsers read it."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def payload(page):
    return strict(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S).group(1))


def unprintable(text):
    return re.search("[\ud800-\udfff\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", text)


@pytest.fixture(scope="module")
def evil(study):
    """The poisoned study with more texts, which no file can hold or no page can show."""
    evil = poisoned(study)
    text = dict(zip([s.id for s in evil.samples], [*MORE, *TEXTS] * 40, strict=False))
    name = {i: f"{t}#{k}" for k, (i, t) in enumerate(text.items())}
    samples = [
        dataclasses.replace(s, id=name[s.id], caption=text[s.id], captions=(text[s.id],), pieces=("", text[s.id], ""))
        for s in evil.samples
    ]
    dictionaries = {
        k: dataclasses.replace(d, sample_ids=[name[i] for i in d.sample_ids]) for k, d in evil.dictionaries.items()
    }
    groundings = {
        k: nbt.Grounding([[*MORE, *words] for words in g.words], [[name[i] for i in group] for group in g.exemplars])
        for k, g in evil.groundings.items()
    }
    reps = evil.representations
    reps = dataclasses.replace(reps, sample_ids=[name[i] for i in reps.sample_ids], captions=[*text.values()])
    labels = {f"{layer}:{k}": MORE[k % 7] for layer in evil.layers for k in range(8)}
    return nbt.Study(MORE[0], dictionaries, groundings, samples, reps, evil.scores, evil.source, labels)


@pytest.mark.parametrize("text", [*TEXTS, *MORE], ids=ascii)
def test_text_to_show_has_no_control_character_and_keeps_the_rest(text):
    shown = visible(text)
    assert len(shown) == len(text) and not unprintable(shown)
    assert all(a == b or b == "\ufffd" for a, b in zip(text, shown, strict=True))
    assert visible("tab\tline\nreturn\r寿司🍣\u202e") == "tab\tline\nreturn\r寿司🍣\u202e"


def test_a_study_of_such_texts_is_saved_and_opens(evil, tmp_path):
    opened = nbt.open_study(evil.save(tmp_path / "evil.study"))
    assert opened.token == "lone \ufffd" and opened.labels["4:1"] == "\ufffd"
    assert nbt.explore(opened).layer in opened.layers


def test_a_page_and_a_preview_of_such_texts_are_utf_8(evil, tmp_path):
    page = Explorer(evil).to_html(tmp_path / "evil.html").read_text("utf-8")
    data = payload(page)
    assert data["state"]["_meta"]["token"] == "lone \ufffd"
    assert "lone \ufffd" in re.search("<title>(.*)</title>", page).group(1)
    for view in (Explorer(evil), DictionaryComparison(evil, layers=(3, 4))):
        preview = view.snapshot(8).html
        assert not unprintable(html.unescape(preview)) and "\ufffd" in preview
        preview.encode("utf-8")


def test_every_message_of_a_live_view_can_be_sent(evil):
    view, sent = Explorer(evil), []
    view.send = lambda content, buffers=None: sent.append(content)
    requests = [("ids", {}), ("layer", {"layer": 4}), ("thumbs", {"rows": list(range(40))}), ("sample", {"row": 0})]
    for k, (op, args) in enumerate([*requests, ("search", {"layer": 4, "query": "lone \ud800"})]):
        view._channel.receive(view, {"kind": "request", "id": k, "op": op, "args": args}, [])
    assert len(sent) == 5 and not [message for message in sent if "error" in message]
    for message in [*sent, view.get_state()]:
        json.dumps(message, ensure_ascii=False, allow_nan=False, default=str).encode("utf-8")


def test_a_page_selects_a_sample_whose_id_no_message_can_hold(evil):
    view = Explorer(evil)
    ids = view.get_state(["sample"]), view._requests.quick()["ids"]()[0]["ids"]
    assert ids[1][0] == "lone \ud800#0"
    view.set_state({"sample": "lone \ufffd#0"})
    assert view.sample == "lone \ud800#0" and view.get_state("sample")["sample"] == "lone \ufffd#0"
    assert nbt.Study.sample(evil, view.sample).caption == "lone \ud800"


def test_figures_of_such_texts_are_drawn(evil, tmp_path):
    figure = plots.concept_cards(evil, layer=4, concepts=[0, 1], n_images=1)
    figure.savefig(tmp_path / "cards.png")
    texts = [text.get_text() for place in (figure, *figure.axes) for text in place.texts]
    assert texts and not any(map(unprintable, texts)) and any("lone \ufffd" in text for text in texts)
    assert max(map(len, texts)) < 500


def test_numbers_that_are_not_finite_reach_no_page(study, tmp_path):
    view = Explorer(undefined(study))
    data = payload(view.to_html(tmp_path / "nan.html").read_text("utf-8"))
    curves = {curve["name"]: curve["values"] for curve in data["state"]["_meta"]["metrics"]}
    assert curves["clip_score"][-1] is None and curves["clip_score"][0] is not None
    strict(json.dumps(view.get_state(["_meta"])))
    opened = nbt.open_study(view.study.save(tmp_path / "nan.study"))
    strict((tmp_path / "nan.study" / "study.json").read_text("utf-8"))
    payload(Explorer(opened).to_html(tmp_path / "again.html").read_text("utf-8"))


def test_a_reply_holds_no_number_that_is_not_finite():
    from nbtoolkit.widgets.channel import Channel

    sent = []
    values = {"a": float("nan"), "b": [float("inf"), 1.0], "c": [[-np.inf]]}
    channel = Channel(lambda content, buffers=None: sent.append(content), {"ask": lambda: (values, [])}, {})
    channel.receive(None, {"kind": "request", "id": 1, "op": "ask"}, [])
    assert sent == [{"kind": "reply", "id": 1, "data": {"a": None, "b": [None, 1.0], "c": [[None]]}}]


def test_shares_that_are_undefined_are_nan_in_bytes_and_null_in_replies(study, model, monkeypatch):
    cd = study.dictionary(4)
    rest = np.array(cd.unexplained, np.float64)
    rest[:3] = np.nan, np.inf, -np.inf
    _, (values, shares) = payloads.activations(dataclasses.replace(cd, unexplained=rest))
    shares = np.frombuffer(shares, "<f4")
    assert (
        np.isnan(shares[:3]).all() and np.isfinite(shares[3:]).all() and np.isfinite(np.frombuffer(values, "<f4")).all()
    )

    view, sent = nbt.explore(study, model), []
    view.send = lambda content, buffers=None: sent.append(content)
    run = view._session.run
    monkeypatch.setattr(view._session, "run", lambda *args, **more: run(*args, **more) | {"unexplained": [np.inf]})
    question = {"sample": study.samples[0].id, "at": 4}
    message = {"kind": "request", "id": 1, "op": "concepts_per_token", "args": question}
    view._channel.receive(view, message, [])
    view._channel._pool.shutdown()
    (reply,) = [message for message in sent if message["kind"] == "reply"]
    assert reply["data"]["unexplained"] == [None]
    strict(json.dumps(sent))
    view.close()


def test_traits_hold_no_number_that_is_not_finite_for_the_page(study):
    nan, inf = float("nan"), float("inf")
    view = Explorer(study, steps=[{"say": "Look.", "set": {}, "check": {"token": nan}}])
    assert view.get_state(["steps"])["steps"][0]["check"] == {"token": None}
    view._meta = {**view._meta, "metrics": [{"name": "x", "values": [nan, [inf]]}]}
    view._send = lambda message, buffers=None: strict(json.dumps(message))
    view.send_state()
    view.close()
