"""Views without a browser: state after construction, linked traits, requests, refusals, text that stays text."""

import dataclasses
import io
import json
import re

import numpy as np
import pytest
import traitlets
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit.data import square
from nbtoolkit.errors import NothingFoundError
from nbtoolkit.widgets import (
    ConceptGallery,
    ConceptMap,
    ConceptRiver,
    Explorer,
    LayerSlider,
    SampleAttribution,
    concept_lists,
    page_images,
    payloads,
    requests,
    thumbnails,
)

VIEWS = [Explorer, ConceptGallery, ConceptMap, ConceptRiver, LayerSlider, SampleAttribution]


def ask(view, op, **args):
    """Send a request as the page does, and give the reply."""
    sent = []
    view.send = lambda content, buffers=None: sent.append((content, buffers))
    view._channel.receive(view, {"kind": "request", "id": 7, "op": op, "args": args}, [])
    (content, buffers) = sent[0]
    assert content["kind"] == "reply" and content["id"] == 7
    return content, buffers


@pytest.mark.parametrize("view", VIEWS)
def test_state_after_construction(study, view):
    w = view(study)
    best = max(study.layers, key=lambda i: study.scores[i]["clip_score"])
    assert (w.layer, w.concept) == (best, 0)
    assert w.sample == study.grounding(best).exemplars[0][0]
    assert len(json.dumps(w._meta)) < 300_000 and w.study is study
    assert view(study, layer=2, concept=3, sample=study.samples[1].id).layer == 2
    assert view.__name__ in repr(w)


def test_explore_is_the_explorer(study):
    assert isinstance(nbt.explore(study, layer=3), Explorer)


@pytest.mark.parametrize("trait", ["layer", "concept", "sample"])
def test_any_two_views_can_be_linked(study, trait):
    a, b = Explorer(study, layer=1), ConceptGallery(study, layer=1)
    traitlets.link((a, trait), (b, trait))
    value = {"layer": 2, "concept": 3, "sample": study.samples[5].id}[trait]
    setattr(a, trait, value)
    assert getattr(b, trait) == value


def test_impossible_state_is_refused(study):
    w = Explorer(study)
    with pytest.raises(traitlets.TraitError, match=r"layer is 99; this study has the layers \[1, 2, 3, 4, 5\]"):
        w.layer = 99
    with pytest.raises(traitlets.TraitError, match="concept is 8; expected None or 0 … 7"):
        w.concept = 8
    with pytest.raises(traitlets.TraitError, match="No sample 'x' in this study"):
        w.sample = "x"
    with pytest.raises(traitlets.TraitError, match="concept is 99; expected None or 0 … 7"):
        Explorer(study, concept=99)
    w.concept = None
    assert w.concept is None


def test_state_opens_the_view_again(study):
    w = Explorer(study, layer=2, concept=3, sample=study.samples[4].id, pinned=["2:1"])
    w.set_label(3, "mine")
    again = Explorer(study, **json.loads(json.dumps(w.state())))
    assert again.state() == w.state() and again.labels == {"2:3": "mine"} and again.pinned == ["2:1"]


def test_labels_are_kept_in_the_study(study, tmp_path):
    w = ConceptGallery(study, layer=4)
    w.set_label(2, " wet dogs ")
    w.set_label(0, "x", layer=-1)
    w.set_label(0, "", layer=-1)
    assert w.labels == {"4:2": "wet dogs"} and study.labels == {}
    kept = nbt.open_study(w.study.save(tmp_path / "dog.study"))
    assert dict(kept.labels) == {"4:2": "wet dogs"} and Explorer(kept).labels == {"4:2": "wet dogs"}
    with pytest.raises(nbt.NbtoolkitError, match="no concept 99"):
        w.set_label(99, "x")


def test_near_duplicates_name_each_other(study):
    cd = study.dictionary(4)
    U = np.array(cd.concepts)
    U[3] = 2 * U[1]
    twin = nbt.ConceptDictionary(U, cd.activations, cd.sample_ids, 4, cd.method)
    g = nbt.Grounding(study.grounding(4).words, [[s.id] for s in study.samples[:8]])
    found = concept_lists._twins(twin, g, np.arange(8))
    assert found[1] == 3 and found[3] == 1
    same = nbt.Grounding(g.words, [*g.exemplars[:7], g.exemplars[0]])
    eye = nbt.ConceptDictionary(np.eye(8, 128), cd.activations, cd.sample_ids, 4, cd.method)
    assert concept_lists._twins(eye, same, np.arange(8)) == [7, *[None] * 6, 0]


def test_near_duplicates_have_a_cosine_above_nine_tenths(study):
    """Concepts 0 and 1 have a cosine of 0.95, concepts 2 and 3 one of 0.85; no two share an exemplar."""
    U = np.eye(4, 128)
    U[1, :2], U[3, 2:4] = (0.95, np.sqrt(1 - 0.95**2)), (0.85, np.sqrt(1 - 0.85**2))
    ids = [s.id for s in study.samples]
    cd = nbt.ConceptDictionary(U, np.ones((len(ids), 4)), ids, 4, "PCA")
    g = nbt.Grounding([["w"]] * 4, [[i] for i in ids[:4]])
    content, _ = ask(
        Explorer(dataclasses.replace(study, dictionaries={4: cd}, groundings={4: g}, scores={})), "layer", layer=4
    )
    assert [c["twin"] for c in content["data"]["concepts"]] == [1, 0, None, None]


def test_the_share_of_a_concept_is_its_activation_times_its_norm(study):
    """Totals of absolute activation 1, 2 and 1 per sample and norms 8, 1 and 2 give 8, 2 and 2 of 12."""
    U, n = np.diag([8.0, 1.0, 2.0]) @ np.eye(3, 128), len(study.samples)
    ids = [s.id for s in study.samples]
    cd = nbt.ConceptDictionary(U, np.tile([1.0, -2.0, 1.0], (n, 1)), ids, 4, "PCA")
    g = nbt.Grounding([["a"], ["b"], ["c"]], [ids[:1]] * 3)
    view = Explorer(dataclasses.replace(study, dictionaries={4: cd}, groundings={4: g}, scores={}))
    content, _ = ask(view, "layer", layer=4)
    assert [c["share"] for c in content["data"]["concepts"]] == [0.6667, 0.1667, 0.1667]
    assert [k for k, _ in view._meta["tops"]["4"]] == [0, 1, 2]


def test_cards_have_names_values_and_the_null_of_their_score(study):
    cd, g, scores = study.dictionary(4), study.grounding(4), study.scores[4].per_concept
    concepts = payloads.one_layer(study, 4)["concepts"]
    assert [c["name"] for c in concepts] == study.names(4) and len(set(study.names(4))) == 8
    for k, c in enumerate(concepts):
        rows = [study.rows[i] for i in g.exemplars[k]]
        assert c["exemplars"] == rows and c["values"] == pytest.approx(cd.activations[rows, k], rel=1e-3)
        assert c["clip_null"] == pytest.approx(scores["clip_score_random"][k], abs=1e-3)
        assert c["top"] == pytest.approx(np.abs(cd.activations).max(), rel=1e-3) and "signed" not in c
    V = np.array(cd.activations)
    V[study.rows[g.exemplars[2][0]], 2] *= -1
    signed = nbt.ConceptDictionary(cd.concepts, V, cd.sample_ids, 4, "PCA")
    other = dataclasses.replace(study, dictionaries={4: signed}, groundings={4: g}, scores={}, labels={"4:2": "MINE"})
    concepts = payloads.one_layer(other, 4)["concepts"]
    assert concepts[2]["signed"] and concepts[2]["values"][0] < 0 and "signed" not in concepts[1]
    assert concepts[2]["clip_score"] is concepts[2]["clip_null"] is None  # no scorer, no score
    assert other.names(4)[2] == "MINE" and concepts[2]["name"] == study.names(4)[2]  # given names are the view's
    assert ">MINE</b>" in Explorer(other, layer=4).snapshot()._repr_html_()


def test_unknown_options_and_wrong_types_are_refused(study):
    with pytest.raises(TypeError, match=r"Explorer has no option 'layers'. Did you mean 'layer'\?"):
        Explorer(study, layers=3)
    with pytest.raises(nbt.NbtoolkitError, match="LayerSlider was given a str; expected a Study"):
        LayerSlider("dog.study")


def test_requests_are_answered(study):
    w = Explorer(study)
    content, buffers = ask(w, "thumbs", rows=[0, 3, 5])
    strip = Image.open(io.BytesIO(buffers[0]))
    captions = [study.samples[i].caption for i in (0, 3, 5)]
    assert strip.size == (3 * thumbnails.TILE, thumbnails.TILE) and content["data"] == {
        "rows": [0, 3, 5],
        "captions": captions,
        "aspects": [1.0] * 3,
    }
    content, buffers = ask(w, "sample", row=2)
    facts = content["data"]
    assert (
        facts["id"] == study.samples[2].id
        and facts["pieces"][facts["position"]] == "dog"
        and buffers[0] == thumbnails.encoded(study.samples[2])  # encoded again, as for every page
    )
    content, (values, rest) = ask(w, "activations", layer=4)
    cd = study.dictionary(4)
    np.testing.assert_array_equal(np.frombuffer(values, "<f4").reshape(content["data"]["shape"]), cd.activations)
    np.testing.assert_array_equal(np.frombuffer(rest, "<f4"), cd.unexplained)


def test_no_message_is_long(study):
    """Activations come in parts of 2 MB at most."""
    n, k = 5000, 200
    rng, ids = np.random.default_rng(0), [f"s{i}" for i in range(n)]
    cd = nbt.ConceptDictionary(rng.normal(size=(k, 4)), rng.random((n, k)).astype(np.float32), ids, 4, "SemiNMF")
    words = nbt.Grounding([["a"]] * k, [ids[:1]] * k)
    samples = [dataclasses.replace(study.samples[0], id=i) for i in ids]
    large = dataclasses.replace(study, dictionaries={4: cd}, groundings={4: words}, scores={}, samples=samples)
    w, rows, sizes = Explorer(large), [], []
    while sum(map(len, rows)) < n:
        content, (values, rest) = ask(w, "activations", layer=4, start=sum(map(len, rows)))
        rows.append(np.frombuffer(values, "<f4").reshape(-1, k))
        sizes.append(len(values) + len(rest))
        assert content["data"]["shape"] == [n, k] and len(rest) == 4 * len(rows[-1])
    np.testing.assert_array_equal(np.concatenate(rows), cd.activations)
    assert len(sizes) == 2 and max(sizes) < 2_100_000


def test_a_view_opens_with_a_small_message_and_the_rest_is_asked_for(study):
    w = Explorer(study, layer=2)
    assert w._meta["concepts"] == {} and "ids" not in w._meta and set(w._meta["tops"]) == {str(i) for i in study.layers}
    assert len(json.dumps(w._meta)) < 10_000
    assert ask(w, "ids")[0]["data"]["ids"] == [s.id for s in study.samples]
    content, _ = ask(w, "layer", layer=4)
    assert content["data"]["concepts"] == payloads.content(study)["concepts"]["4"]
    shown = {i for group in study.grounding(4).exemplars for i in group}
    assert {study.samples[int(i)].id: c for i, c in content["data"]["captions"].items()} == {
        s.id: s.caption for s in study.samples if s.id in shown
    }


def test_a_lesson_goes_on_as_its_steps_are_reached(study):
    lesson = [
        {"say": "Go to layer 4.", "set": {"layer": 2, "concept": 0}, "check": {"layer": 4}},
        {"say": "Select concept 3 or 5.", "check": {"concept": [3, 5]}},
        {"say": "The end.", "set": {"layer": 1}},
    ]
    w = Explorer(study, layer=4, steps=lesson)
    assert w.layer == 2 and w.progress == (0, 3)
    w.concept = 3  # it is not asked for yet
    assert w.progress == (0, 3)
    w.layer = 4
    assert w.progress == (1, 3)
    w.concept = 4
    w.concept = 5
    assert w.progress == (2, 3) and w.layer == 1
    w.step = 3  # what the page's button does
    assert w.progress == (3, 3)
    w.step = 0
    assert (w.layer, w.concept) == (2, 0)


def test_a_step_points_at_a_control_and_answers_wrong_choices(study):
    step = {"say": "Go.", "check": {"layer": 4}, "at": "layer", "hint": {3: "Go on.", True: "?", "else": "Higher."}}
    others = [{"say": "Look.", "at": place} for place in ("tab:river", "search", "concept")]
    steps = Explorer(study, steps=[step, *others, {"say": "Find.", "check": {"query": "sea"}, "hint": "Water."}]).steps
    assert steps[0]["at"] == "layer" and steps[0]["hint"] == {"3": "Go on.", "true": "?", "else": "Higher."}
    assert [s["at"] for s in steps[1:4]] == ["tab:river", "search", "concept"] and steps[4]["hint"] == {
        "else": "Water."
    }
    assert set(steps[1]) == {"say", "set", "check", "at"} and set(steps[4]) == {"say", "set", "check", "hint"}


@pytest.mark.parametrize(
    ("step", "message"),
    [({"say": "x", "check": {"pane": 1}}, "'pane' in 'check'"), ({"check": {}}, "no text"), ({"say": "x", "sett": {}}, "'sett'"),
     ("x", "Step 0 has 'x'; expected a dict"), ({"say": "x", "check": ["layer"]}, r"Step 0 has \['layer'\]; expected a dict"),
     ({"say": "x", "at": "#layer"}, "points at '#layer'; expected 'search', 'image', a tab"), ({"say": "x", "at": "tab:"}, "points at"),
     ({"say": "x", "hint": "No."}, "Only what is checked can be wrong"), ({"say": "x", "check": {"layer": 4}, "hint": {3: 4}}, "a text per value")],
)  # fmt: skip
def test_a_wrong_lesson_is_refused(study, step, message):
    with pytest.raises(nbt.NbtoolkitError, match=message):
        Explorer(study, steps=[step])


def test_an_observers_error_is_shown_in_the_view(study):
    w, sent = Explorer(study), []
    w.send = lambda content, buffers=None: sent.append(content)
    w.observe(lambda change: 1 / 0, "concept")
    with pytest.raises(ZeroDivisionError):
        w.concept = 3
    assert sent == [{"kind": "failure", "text": "ZeroDivisionError: division by zero"}] and w.concept == 3


def test_scores_are_chosen(study):
    w = Explorer(study, metric="overlap")
    assert w.state()["metric"] == "overlap"
    with pytest.raises(traitlets.TraitError, match=r"metric is 'beauty'; expected one of \['', 'all', 'clip_score'"):
        w.metric = "beauty"


def test_a_page_says_what_it_leaves_out(study, tmp_path):
    with pytest.warns(UserWarning, match=r"images of the page .* max_mb=0\.01; \d+ of \d+ are left out"):
        Explorer(study).to_html(tmp_path / "small.html", max_mb=0.01)
    with pytest.raises(nbt.NbtoolkitError, match="maps needs a model"):
        Explorer(study).to_html(tmp_path / "maps.html", maps=True)


@pytest.mark.slow
def test_a_page_is_made_although_a_response_lacks_the_token(study, model, data, tmp_path, monkeypatch):
    monkeypatch.setattr(requests, "AHEAD", 3)
    layer = study.layers[0]
    g = study.grounding(layer)
    few = dataclasses.replace(g, exemplars=[ids[:1] for ids in g.exemplars])
    view = nbt.explore(dataclasses.replace(study, groundings=study.groundings | {layer: few}), model, data=data)
    exemplars = {i for group in few.exemplars for i in group}
    assert len(exemplars) > 3
    silent, progress = min(exemplars), []
    run = view._session.run

    def failing(name, question, **control):
        if name != "concept_maps" and question["sample"] == silent:
            raise NothingFoundError("the token is not in the response")
        return run(name, question, **control)

    view._session.run = failing
    report = lambda done, total: progress.append((done, total))  # noqa: E731
    path = view.to_html(tmp_path / "maps.html", maps=[layer], progress=report)
    data = json.loads(re.search(r'id="data">(.*?)</script>', path.read_text("utf-8"), re.DOTALL)[1])["data"]["results"]
    everything = {f"{layer}:{study.rows[i]}" for i in exemplars}
    assert data["concept_maps"].keys() == everything
    assert (
        data["concepts_per_token"].keys()
        == data["attribution"].keys()
        == everything - {f"{layer}:{study.rows[silent]}"}
    )
    assert data["interventions_of"].keys() == data["attribution"].keys()
    assert progress[-1] == (len(exemplars), len(exemplars))


def test_a_path_from_a_page_is_no_image(study, model, tmp_path):
    view, sent = nbt.explore(study, model), []
    (tmp_path / "secret.jpg").write_bytes(study.samples[0].image)
    view.send = lambda content, buffers=None: sent.append(content)
    question = {"at": 4, "image": str(tmp_path / "secret.jpg")}
    view._channel.receive(view, {"kind": "request", "id": 1, "op": "explain", "args": question}, [])
    view._channel._pool.shutdown(wait=True)
    assert "image is a str; expected the bytes of a JPEG or PNG" in sent[-1]["error"]


STATE = {
    "map_items": "concepts",
    "map_colour": "unexplained",
    "map_thumbs": False,
    "map_window": [-1.0, -1.0, 1.5, 1.0],
    "map_filter": {"lacking": True, "unexplained": 0.25},
    "lasso_concepts": ["4:1", "4:0"],
    "table_sort": "activation",
    "layer": 2,
    "concept": 3,
    "metric": "overlap",
    "labels": {"2:3": "mine"},
    "pinned": ["2:1"],
    "query": "grass",
    "sort": "rarity",
    "examples": "range",
    "exemplar_overlay": "contour",
    "overlay": "heat map",
    "all_tokens": True,
    "token": 2,
    "attribution": True,
    "edits": [
        {"op": "ablate", "layers": [2, 3], "part": "mlp", "how": "zero", "heads": None},
        {"op": "ablate", "layer": 4, "concept": 3},
        {"op": "steer", "layer": 4, "word": "snow", "strength": -1.25, "positions": "image"},
    ],
    "steer_by": "word:snow",
    "steer_at": "image",
    "tab": "image",
    "other_layer": 3,
    "page": True,
}


@pytest.mark.parametrize("view", VIEWS)
def test_every_state_opens_the_view_again_and_links(study, view):
    state = {name: value for name, value in STATE.items() if name in view.state_names()}
    assert set(view.state_names()) - {"sample", "lasso", "factors", "photos", "steps", "step", "thread"} == set(state)
    state["thread"] = nbt.metrics.threads(study).thread(2, 3)
    w = view(study, **state)
    assert {name: w.state()[name] for name in state} == state
    again = view(study, **json.loads(json.dumps(w.state())))
    assert again.state() == w.state()
    other = view(study)
    for name in view.state_names():
        assert view.class_traits()[name].help, name
        traitlets.link((other, name), (w, name))
    for name, value in again.state().items():
        setattr(other, name, value)
    assert w.state() == other.state() == again.state()


def test_the_pane_of_interventions_has_the_name_of_earlier_releases_too(study, tmp_path):
    steps = [{"say": "Ablate.", "check": {"tab": "ablation"}}]
    view = Explorer(study, tab="ablation")
    assert view.tab == "intervene" and "'intervene'" in view.to_html(tmp_path / "x.html").read_text().replace('"', "'")
    lesson = Explorer(study, steps=steps)
    lesson.set_state({"tab": "ablation"})
    assert lesson.progress == (1, 1)


@pytest.mark.parametrize("name", sorted(STATE))
def test_an_exported_page_begins_with_the_state(study, tmp_path, name):
    path = Explorer(study, **{name: STATE[name]}).to_html(tmp_path / "x.html")
    state = json.loads(re.search(r'id="data">(.*?)</script>', path.read_text("utf-8"), re.DOTALL)[1])["state"]
    assert state[name] == STATE[name]


REFUSED = [
    ("overlay", "rainbow", "overlay"),
    ("sort", "beauty", "sort"),
    ("examples", "worst", "examples"),
    ("token", -1, "token is -1; expected None or the index of a token of the response."),
    ("query", "x" * 201, "query has 201 characters; expected at most 200."),
    ("tab", "gallery", "tab"),
    ("other_layer", 9, r"other_layer is 9; expected None or one of the layers \[1, 2, 3, 4, 5\]."),
    ("edits", [{"op": "patch"}], r"edits\[0\] is {'op': 'patch'}; expected {\"op\": \"ablate\", \"layers\""),
    ("edits", [{"op": "ablate", "layers": [2], "path": "/etc"}], r"edits\[0\] is .*'path': '/etc'.*; expected"),
    ("edits", [{"op": "ablate", "layers": [9]}], r"layers of edits\[0\] is \[9\]; expected integers of 1 … 5."),
    ("edits", [{"op": "ablate", "layers": "23"}], r"layers of edits\[0\] is '23'; expected integers"),
    ("edits", [{"op": "ablate", "layers": [True]}], r"layers of edits\[0\] is \[True\]; expected integers"),
    (
        "edits",
        [{"op": "ablate", "layers": [1], "part": "nose"}],
        r"part of edits\[0\] is 'nose'; expected one of 'block'",
    ),
    ("edits", [{"op": "ablate", "layers": [1], "how": "half"}], r"how of edits\[0\] is 'half'; expected one of 'zero'"),
    (
        "edits",
        [{"op": "ablate", "layers": [1], "heads": [0]}],
        r"heads of edits\[0\] is \[0\]; expected None without part",
    ),
    (
        "edits",
        [{"op": "ablate", "layer": 7, "concept": 0}],
        r"layer of edits\[0\] is 7; expected one of \[1, 2, 3, 4, 5\].",
    ),
    ("edits", [{"op": "ablate", "layer": 4, "concept": 8}], r"concept of edits\[0\] is 8; expected 0 … 7."),
    ("edits", [{"op": "ablate", "layers": []}] * 33, "edits is 33 entries; expected a list of at most 32 dicts."),
]


@pytest.mark.parametrize(("name", "value", "message"), REFUSED)
def test_wrong_state_is_refused(study, name, value, message):
    w = Explorer(study)
    before = w.state()
    with pytest.raises(traitlets.TraitError, match=message):
        setattr(w, name, value)
    assert w.state() == before


def test_edits_are_brought_into_one_form(study, model):
    w = nbt.explore(study, model, edits=[{"op": "ablate", "layers": [3, 1, 3], "part": "attention", "heads": [1, 0]}])
    assert w.edits == [{"op": "ablate", "layers": [1, 3], "part": "attention", "how": "zero", "heads": [0, 1]}]
    with pytest.raises(traitlets.TraitError, match=rf"heads of edits\[0\] .* 0 … {model.n_heads - 1}"):
        w.edits = [{"op": "ablate", "layers": [1], "part": "attention", "heads": [99]}]


def test_a_lesson_is_part_of_the_state(study):
    lesson = [{"say": "Go.", "set": {"layer": 2}, "check": {"layer": 4}}, {"say": "Search.", "check": {"query": "dog"}}]
    w = Explorer(study, steps=lesson)
    w.layer = 4
    again = Explorer(study, **w.state())
    assert again.state() == w.state() and again.progress == (1, 2) and again.layer == 4
    again.query = "dog"
    assert again.progress == (2, 2)
    with pytest.raises(traitlets.TraitError, match="step is 3; expected 0 … 2"):
        again.step = 3


def test_the_preview_can_be_left_out(study, monkeypatch):
    assert len(Explorer(study)._repr_mimebundle_()[0]["text/html"]) < 40_000
    monkeypatch.setattr(nbt.options, "preview", False)
    assert "text/html" not in Explorer(study)._repr_mimebundle_()[0]


def test_a_failing_request_is_answered_with_its_error(study, caplog):
    content, _ = ask(Explorer(study), "activations", layer=99)
    assert content["error"].startswith("LayerError: layer is 99; expected one of the layers")
    assert "request 'activations' failed" in caplog.text


def test_description_matches_the_study(study):
    meta = payloads.outline(study) | payloads.content(study)
    for layer in study.layers:
        shares = [c["share"] for c in meta["concepts"][str(layer)]]
        assert sum(shares) == pytest.approx(1, abs=2e-3)
        for k, concept in enumerate(meta["concepts"][str(layer)]):
            assert concept["words"] == study.grounding(layer).words[k]
            assert [study.samples[i].id for i in concept["exemplars"]] == study.grounding(layer).exemplars[k]
            V = study.dictionary(layer).activations
            counts = np.histogram(V[:, k][V[:, k] > 0], bins=concept_lists.N_BINS, range=(0, V.max()))[0]
            assert np.abs(np.subtract(concept["histogram"], counts)).sum() <= 2  # one may lie on an edge
            assert sum(concept["histogram"]) == (V[:, k] > 0).sum()
    assert [c["name"] for c in meta["metrics"]] == ["clip_score", "reconstruction_error", "overlap", "active"]


def test_portrait_pictures_are_cut_to_their_middle():
    picture = Image.new("RGB", (40, 80), "red")
    picture.paste("blue", (0, 20, 40, 60))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    middle = np.asarray(square(buffer.getvalue(), 10))
    assert middle[..., 2].min() > 200 and middle[..., 0].max() < 60


EVIL = "<img src=x onerror=alert(1)></script><script>alert(2)</script> & dog"


@pytest.fixture(scope="module")
def evil(study):
    samples = [
        dataclasses.replace(s, caption=EVIL, captions=(EVIL,), pieces=(EVIL, "dog"), position=1) for s in study.samples
    ]
    groundings = {k: nbt.Grounding([[EVIL, *w] for w in g.words], g.exemplars) for k, g in study.groundings.items()}
    return nbt.Study(
        EVIL,
        study.dictionaries,
        groundings,
        samples,
        study.representations,
        study.scores,
        dataclasses.replace(study.source, model=EVIL),
    )


def test_no_caption_can_leave_its_place_in_the_page(evil, tmp_path):
    page = nbt.explore(evil).to_html(tmp_path / "x.html").read_text()
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S).group(1)
    assert "<" not in data and json.loads(data)["state"]["_meta"]["token"] == EVIL
    assert page.count("<script") == 2 and "<img" not in page and "default-src 'none'" in page.replace("&#x27;", "'")


def test_the_script_free_preview_escapes_text(evil):
    preview = nbt.explore(evil).snapshot(4)._repr_html_()
    assert "<script" not in preview and "onerror=alert" not in preview.replace("&lt;img src=x onerror=alert", "")
    assert len(preview) < 250_000  # most of it the picture


def test_a_snapshot_is_plain_html(evil, study):
    w = ConceptGallery(study, layer=4)
    w.set_label(0, "<i>mine</i>")
    page = w.snapshot()._repr_html_()
    assert page.count("<img") == 1 + sum(bool(e) for e in study.grounding(4).exemplars) and "<script" not in page
    assert "&lt;i&gt;mine&lt;/i&gt;" in page and len(page) < 400_000
    assert "<script" not in ConceptGallery(evil).snapshot(2).html


def test_the_page_is_self_contained_and_replaced_whole(study, tmp_path, monkeypatch):
    path = nbt.explore(study).to_html(tmp_path / "dog.html")
    text = path.read_text()
    assert not re.search(r'(src|href)="?https?:', text) and "default-src" in text
    monkeypatch.setattr("nbtoolkit.widgets.study_view.payloads.embedded", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        nbt.explore(study).to_html(path)
    assert path.read_text() == text


def test_the_picture_budget_keeps_exemplars(study):
    row = {s.id: i for i, s in enumerate(study.samples)}
    rows = [row[i] for layer in study.layers for group in study.grounding(layer).exemplars for i in group]
    result = page_images.page_images(study, rows, 0)
    assert {*map(int, result.images)} == {*rows} and result.n_left_out == len(study.samples) - len({*rows})
    assert result.side == page_images.SIZES[-1][0]
