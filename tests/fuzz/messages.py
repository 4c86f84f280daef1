"""What a page sends to Python, and what Python puts into pages: malformed messages, hostile texts and numbers."""

import dataclasses
import html
import json
import re
from html.parser import HTMLParser

import numpy as np

import nbtoolkit as nbt
from nbtoolkit import plots
from nbtoolkit.attribution import Interpretation, Part
from nbtoolkit.storage.example import noise_study
from nbtoolkit.widgets import DictionaryComparison

from ..hostile import TEXTS, undefined
from ..widgets.test_channel import PATHS, Spy, malformed, update
from ..widgets.test_page import MORE
from .run import Silent, attack

NAN = float("nan")
VALUES = [None, True, -1, 0, 5, 10**9, 2**70, NAN, float("inf"), 1.5, "", "x", "x" * 2000, "\ud800", "../x", [], [[[]]], {}, {"a": {}}, [NAN],
          [-1] * 65, [0], ["/etc"], b"x", [{}], {"op": "ablate"}, [{"op": "ablate", "layers": [1]}]]  # fmt: skip
ARGUMENTS = (
    "rows",
    "row",
    "layer",
    "layers",
    "numbers",
    "query",
    "at",
    "sample",
    "samples",
    "image",
    "edits",
    "session",
    "start",
    "part",
    "x",
)
NOISE_TEXTS = [*TEXTS, *MORE, "W" * 100_000, "a dog " * 17_000, "\n" * 10_000]


def live():
    """A live view of the embedded model, its messages in a list."""
    model = nbt.load_model("toy")
    study = nbt.study(model, nbt.load_data("toy", n=80), "dog", method=nbt.LargestNorm(4), layers=[4], progress=False)
    view, sent = nbt.explore(study, model), []
    view._send = lambda message, buffers=None: sent.append(message)
    return view, sent


def _check(view, before, message):
    def check():
        view._handle_msg(message)
        if (view._meta, view._esm, view._css, view._kind) != before:
            raise Silent("the page wrote a trait that it may not write")
        return "answered or ignored"

    return check


def _request(op, args, number=1):
    content = {"kind": "request", "id": number, "op": op, "args": args}
    return {"content": {"data": {"method": "custom", "content": content}}, "buffers": []}


@attack("messages to Python: malformed, wrong types, negative rows, too many", 3000, 10_000)
def messages(rng, n, place):
    view, sent = live()
    view._handle_msg(_request("ids", {}))
    assert any("ids" in str(message) for message in sent), "the channel is not connected"
    before = view._meta, view._esm, view._css, view._kind
    names = [*view._channel._quick, *view._channel._slow]
    for k, message in enumerate(malformed(n)):
        if k % 2:  # the other half: each operation with values at random
            args = {rng.choice(ARGUMENTS): rng.choice(VALUES) for _ in range(rng.randrange(4))}
            message = _request(rng.choice(names), args, k)
        yield f"message {k}: {str(message)[:200]}", _check(view, before, message)
        sent.clear()

    def alive():
        view._handle_msg(_request("ids", {}, 2**40))
        assert any("ids" in str(message) for message in sent)
        return "answered or ignored"

    yield "a request afterwards", alive
    view.close()


@attack("messages to Python: paths", 150, 400)
def paths(rng, n, place):
    view, _ = live()
    opened = []

    def checking(op, args):
        def check():
            opened.clear()
            with Spy(opened):
                view._handle_msg(_request(op, args) if op else update(**args))
            if opened:
                raise Silent(f"opened {opened}")
            return "no file opened"

        return f"{op} {args}"[:200], check

    sample = view.study.samples[0].id
    cases = [
        checking(None, {name: path}) for name in ("sample", "_image", "labels", "_kind", "edits") for path in PATHS
    ]
    for op in [*view._channel._quick, *view._channel._slow]:
        cases += [checking(op, {"at": 4, "sample": sample, name: path}) for name in ARGUMENTS for path in PATHS]
    yield from rng.sample(cases, min(n, len(cases)))
    view.close()


@attack("state that a page sets: every trait, every kind of value", 150, 600)
def state(rng, n, place):
    view, _ = live()
    before = view._meta, view._esm, view._css, view._kind
    cases = [(name, value) for name in view.keys for value in VALUES]
    for name, value in rng.sample(cases, min(n, len(cases))):
        yield f"{name} = {str(value)[:40]!a}", _check(view, before, update(**{name: value}))

    def page():
        strict(json.dumps(view.get_state(["_meta", "labels", "edits", "sample", "layer", "concept"]), default=str))
        return "answered or ignored"

    yield "the state afterwards", page
    view.close()


def strict(text):
    """Value of JSON as browsers read it."""

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def of(text):
    """A study in which every text is this one."""
    s = noise_study()
    name = {x.id: f"{text}#{k}" for k, x in enumerate(s.samples)}
    samples = [
        dataclasses.replace(x, id=name[x.id], caption=text, captions=(text, text), pieces=(text, text), position=1)
        for x in s.samples
    ]
    dictionaries = {k: dataclasses.replace(d, sample_ids=[*name.values()]) for k, d in s.dictionaries.items()}
    groundings = {
        k: nbt.Grounding([[text, text] for _ in g.words], [[name[i] for i in e] for e in g.exemplars])
        for k, g in s.groundings.items()
    }
    reps = dataclasses.replace(s.representations, sample_ids=[*name.values()], captions=[text] * len(samples))
    source = nbt.Source(text, token=text)
    return nbt.Study(text, dictionaries, groundings, samples, reps, {}, source, {"1:0": text, "2:1": text})


def _printable(text):
    assert not re.search("[\ud800-\udfff\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", text), "control characters or surrogates"


def _page(path):
    page = path.read_text("utf-8")
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    strict(data)
    elements = Elements()
    elements.feed(page)
    if elements.names != ELEMENTS or elements.handlers:
        raise Silent(f"a text became an element: {elements.names}, {elements.handlers}")
    return "shown as text"


HEAD = ["html", "head", *["meta"] * 3, "title", *["meta"] * 4, "style"]
ELEMENTS = [*HEAD, "body", "header", "h1", "p", "main", "noscript", "script", "script"]


class Elements(HTMLParser):
    """Names of the elements of a page, and attributes that run something."""

    def __init__(self):
        super().__init__()
        self.names, self.handlers = [], []

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        runs = [(k, v) for k, v in attrs if k.startswith("on") or (k != "content" and "javascript:" in (v or ""))]
        self.handlers += runs


PLACES = {
    "saved and opened": lambda study, place: nbt.open_study(study.save(place / "x.study")) and "shown as text",
    "page": lambda study, place: _page(nbt.explore(study).to_html(place / "x.html")),
    "page of two": lambda study, place: _page(DictionaryComparison(study, study).to_html(place / "x.html")),
    "preview": lambda study, place: _printable(html.unescape(nbt.explore(study).snapshot(8).html)) or "shown as text",
    "cards": lambda study, place: _drawn(plots.concept_cards(study)),
    "across layers": lambda study, place: _drawn(plots.across_layers(study, 0)),
    "interpretation": lambda study, place: _drawn(plots.local(
        [Interpretation("a", study.samples[0].caption, (Part(0, 2.0, 1.0, (study.token,), ()),), 0.2)], [study.samples[0].image], {})),
    "messages": lambda study, place: _replies(study),
}  # fmt: skip


def _drawn(figure):
    for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text")):
        _printable(text.get_text())
    figure.savefig("/dev/null", format="png")
    return "shown as text"


def _replies(study):
    view, sent = nbt.explore(study), []
    view.send = lambda content, buffers=None: sent.append(content)
    for k, (op, args) in enumerate(
        [
            ("ids", {}),
            ("layer", {"layer": 1}),
            ("sample", {"row": 0}),
            ("search", {"layer": 1, "query": study.token[:100]}),
        ]
    ):
        view._channel.receive(view, {"kind": "request", "id": k, "op": op, "args": args}, [])
    assert len(sent) == 4 and not [message for message in sent if "error" in message], sent
    for message in [*sent, view.get_state()]:
        json.dumps(message, ensure_ascii=False, allow_nan=False, default=str).encode("utf-8")
    view.close()
    return "shown as text"


@attack("hostile texts: save, page, preview, figures, messages", 200, 1000)
def hostile_texts(rng, n, place):
    studies = {}
    cases = [(text, name) for text in NOISE_TEXTS for name in PLACES]
    for text, name in cases[:n] if n >= len(cases) else rng.sample(cases, n):
        if text not in studies:
            studies = {text: of(text)}
        yield f"{name}: {text[:30]!a}", lambda name=name, text=text: PLACES[name](of(text), place)


@attack("pages with NaN, infinity and 3e38", 12, 12)
def numbers(rng, n, place):
    base = noise_study()
    scored = {
        k: nbt.Scores({"clip_score": 0.5, "overlap": 0.5}, {}, {"clip_score": 0.1}, {"overlap": np.array([0.1, 0.9])})
        for k in (1, 2)
    }
    odd = undefined(dataclasses.replace(base, scores=scored))
    cases = {}
    for value in (NAN, np.inf, -np.inf, 3e38):
        d = {k: dataclasses.replace(d, reconstruction_error=value) for k, d in base.dictionaries.items()}
        cases[f"reconstruction error {value}"] = dataclasses.replace(base, dictionaries=d)
    cases["scores"] = odd
    for label, study in cases.items():
        for name in ("page", "saved and opened"):
            yield f"{name}: {label}", lambda study=study, name=name: PLACES[name](study, place)
