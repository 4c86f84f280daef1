"""A model behind the views: results equal the core's, run on a thread, report progress, and can be cancelled."""

import dataclasses
import io
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

import nbtoolkit as nbt
import nbtoolkit.live
from nbtoolkit.attribution import contributions, mentions
from nbtoolkit.data import read_image
from nbtoolkit.interventions import ablate
from nbtoolkit.live import Live, Session, concept_operations, operations, registry
from nbtoolkit.studies import extend
from nbtoolkit.widgets import Explorer
from nbtoolkit.widgets.channel import Channel


@pytest.fixture(scope="module")
def live(model, study, data):
    return Session(model, study, data)


@pytest.fixture
def sample(study):
    return study.samples[0].id


def layers(*which, **options):
    return {"op": "ablate", "layers": list(which), **options}


def concept(layer, row):
    return {"op": "ablate", "layer": layer, "concept": row}


def image_of(data, sample):
    return data["image"][data["id"].index(sample)]


def test_ablation_is_the_cores(live, model, study, data, sample):
    target = mentions(model, [image_of(data, sample)], study.token)
    before, _ = target.read()
    with ablate(model, [1, 2], part="mlp"):
        after, _ = target.read()
    result = operations.ablate(live, sample=sample, edits=[layers(1, 2, part="mlp")], at=3)
    assert result["before"] == pytest.approx(float(before[0]), abs=1e-5)
    assert result["after"] == pytest.approx(float(after[0]), abs=1e-5)
    assert result["layer"] == 3 and np.shape(result["activations"]) == (2, study.dictionary(3).n_concepts)
    for edits in ([], [layers(part="mlp")]):
        nothing = operations.ablate(live, sample=sample, edits=edits)
        assert nothing["before"] == nothing["after"] and nothing["difference"] == [("same", target.captions[0])]


def test_heads_means_and_concepts(live, study, sample):
    def effect(*edits, at=-1):
        return operations.ablate(live, sample=sample, edits=edits, at=at)

    heads = effect(layers(1, part="attention", heads=[0]))
    whole = effect(layers(1, part="attention"))
    mean = effect(layers(1, part="attention", how="mean"))
    assert len({heads["after"], whole["after"], mean["after"]}) == 3
    strongest = int(np.argmax(effect(at=4)["activations"][0]))
    alone = effect(concept(4, strongest), at=4)
    assert strongest in alone["vanished"]
    both = effect(concept(4, strongest), layers(1, part="attention"), at=4)
    assert both["after"] not in (alone["after"], whole["after"])
    with pytest.raises(nbt.NbtoolkitError, match=r"edits\[0\] is {'op': 'steer'}; expected"):
        effect({"op": "steer"})


def test_responses_are_as_long_as_those_of_the_study(model, data, tmp_path):
    method = nbt.SemiNMF(3, random_state=0)
    study = nbt.study(model, data, "dog", method=method, layers=[4], max_new_tokens=4, progress=False)
    study = nbt.open_study(study.save(tmp_path / "dog.study"))
    live, longest = Session(model, study, data), max(study.samples, key=lambda s: len(s.caption))
    result = live.run("ablate", {"sample": longest.id, "at": 4})
    assert study.source.max_new_tokens == 4
    assert result["response"] == longest.caption and result["difference"] == [("same", longest.caption)]
    assert len(live.run("concepts_per_token", {"sample": longest.id, "at": 4})["pieces"]) == 4


def test_given_captions_are_not_compared_with_generated_responses(model, data, study, sample):
    source = dataclasses.replace(study.source, decoding="given captions")
    caption = "a dog that a person saw"
    samples = [dataclasses.replace(s, caption=caption) if s.id == sample else s for s in study.samples]
    live = Session(model, dataclasses.replace(study, samples=samples, source=source), data)
    assert live.given_captions and live.response(sample).captions[0] == caption
    result = operations.ablate(live, sample=sample)
    assert result["response"] != caption and result["difference"] == [("same", result["response"])]


def test_concepts_of_every_token_of_the_response(live, study, sample):
    result = operations.concepts_per_token(live, sample=sample, at=4)
    cd = study.dictionary(4)
    row = list(cd.sample_ids).index(sample)
    assert "".join(result["pieces"]).strip() == study.samples[row].caption
    assert result["pieces"][result["position"]].strip() == study.token
    np.testing.assert_allclose(result["activations"][result["position"]], cd.activations[row], atol=1e-4)
    assert result["unexplained"][result["position"]] == pytest.approx(float(cd.unexplained[row]), abs=1e-4)
    assert np.ptp([np.sum(a) for a in result["activations"]]) > 0
    assert len(result["unexplained"]) == len(result["pieces"])


def test_maps_are_the_saliencies(live, model, study, data, sample):
    result = operations.concept_maps(live, sample=sample, at=4)
    k, height, width = result["shape"]
    grids = np.frombuffer(result["bytes"], np.uint8).reshape(k, height, width) / 255
    low, high = np.array(result["low"]), np.array(result["high"])
    for row in (0, 5):
        expected = nbt.saliency(model, image_of(data, sample), study.dictionary(4), row)[-1]
        grid = low[row] + (high[row] - low[row]) * grids[row]
        np.testing.assert_allclose(grid, expected, atol=(high[row] - low[row]) / 250)
        assert (low[row], high[row]) == pytest.approx((expected.min(), expected.max()), abs=1e-4)


def test_of_a_large_dictionary_come_the_maps_that_a_view_can_show(live, model, study, data, sample, monkeypatch):
    """The strongest concepts, those of the response, and the one that was selected; activations likewise."""
    monkeypatch.setattr(concept_operations, "N_LISTED", 4)
    monkeypatch.setattr(concept_operations, "strongest", lambda cd: [2, 5])
    cd, tokens = study.dictionary(4), operations.concepts_per_token(live, sample=sample, at=4)
    full = np.zeros((len(tokens["pieces"]), tokens["n_concepts"]))
    full[:, tokens["concepts"]] = tokens["activations"]
    np.testing.assert_allclose(full[tokens["position"]], cd.activations[list(cd.sample_ids).index(sample)], atol=1e-4)
    absent = next((k for k in range(cd.n_concepts) if k not in {2, 5, *tokens["concepts"]}), 0)
    result = operations.concept_maps(live, sample=sample, at=4, concept=absent)
    assert (
        result["concepts"] == sorted({2, 5, absent, *tokens["concepts"]}) and len(result["low"]) == result["shape"][0]
    )
    expected = nbt.saliency(model, image_of(data, sample), cd, absent)[-1]
    assert result["low"][result["concepts"].index(absent)] == pytest.approx(expected.min(), abs=1e-4)
    for concept in (cd.n_concepts, -1, True, "0"):
        with pytest.raises(nbt.NbtoolkitError, match="expected a concept of the dictionary"):
            operations.concept_maps(live, sample=sample, at=4, concept=concept)


def test_maps_say_what_the_model_saw(live, study, sample):
    result = operations.concept_maps(live, sample=sample, at=4)
    assert result["frame"] == result["seen"] == [0, 0, 1, 1] and result["tiles"] == 1


def test_maps_of_cropped_images_lie_on_the_crop(study):
    model = nbt.load_model("toy")  # its own copy: the processor is changed
    images = model.processor.image_processor
    images.do_center_crop, images.size = True, type(images)(size={"shortest_edge": 64}).size
    images.crop_size = type(images)(crop_size={"height": 64, "width": 64}).crop_size
    wide = Image.new("RGB", (256, 128))
    wide.paste(read_image({"bytes": study.samples[0].image}).resize((128, 128)), (64, 0))
    samples = [dataclasses.replace(study.samples[0], image=png(wide)), *study.samples[1:]]
    live = Session(model, dataclasses.replace(study, samples=samples))
    result = live.run("concept_maps", {"sample": samples[0].id, "at": 4})
    np.testing.assert_allclose(result["seen"], [0.25, 0, 0.75, 1], atol=0.01)
    np.testing.assert_allclose(result["frame"], result["seen"], atol=1e-4)


def test_attribution_is_the_cores(live, model, study, data, sample):
    result = operations.attribution(live, sample=sample, at=4)
    expected = contributions(mentions(model, [image_of(data, sample)], "dog"), study.dictionary(4))
    np.testing.assert_allclose(result["ablation"], expected.ablation[0], atol=1e-5)
    np.testing.assert_allclose(result["gradient"], expected.gradient[0], atol=1e-5)
    np.testing.assert_allclose(result["integrated_gradients"], expected.integrated_gradients[0], atol=1e-4)
    assert result["agreement"] is None or -1 <= result["agreement"] <= 1
    assert result["quantity"] == "logit_difference" and result["saturated"] and result["probability"] > 0.9
    assert result["foil"] == expected.quantity.foil and result["unit"] == "nats"
    for measure in ("ablation", "integrated_gradients", "gradient"):
        assert sum(result[measure]) + result["remainder"][measure] == pytest.approx(result["leave_all_out"], abs=1e-5)
        assert result["ratio"][measure] == pytest.approx(sum(result[measure]) / result["leave_all_out"], abs=1e-3)
    cat = live.run("attribution", {"sample": sample, "at": 4, "foil": "cat"})
    assert cat["foil"] == "cat" and not cat["saturated"]
    plain = live.run("attribution", {"sample": sample, "at": 4, "quantity": "log_prob"})
    assert (plain["quantity"], plain["foil"], plain["unit"]) == ("log_prob", "", "nats")
    with pytest.raises(nbt.NbtoolkitError, match="quantity is 'p'; expected 'auto'"):
        live.run("attribution", {"sample": sample, "at": 4, "quantity": "p"})


def test_a_study_with_variants_finds_them_again(model, data):
    method = nbt.SemiNMF(3, random_state=0)
    study = nbt.study(model, data, "dog", method=method, layers=[4], variants=["cat"], progress=False)
    live = Session(model, study, data)
    cats = [s.id for s in study.samples if "cat" in s.caption.split()]
    assert cats and live.response(cats[0]).spellings[0] == "dog"
    assert len(live.run("attribution", {"sample": cats[0], "at": 4})["ablation"]) == 3


def test_an_image_outside_the_study(live, model, study):
    test = nbt.load_data("toy", split="test", n=40)
    cd, g = study.dictionary(4), study.grounding(4)
    expected = next(one for one in nbt.interpret(model, test["image"], cd, g, token="dog", r=8, ids=test["id"]) if one)
    result = operations.explain(live, at=4, image=png(image_of(test, expected.sample_id)))
    assert "".join(result["pieces"]) == expected.caption and result["pieces"][1] == "dog"
    assert result["unexplained"] == pytest.approx(expected.unexplained, abs=1e-4)
    for part in expected.parts:
        assert result["activations"][part.concept] == pytest.approx(part.activation, rel=1e-3)
    bus = next(p for p, c in zip(test["image"], test["captions"], strict=True) if "bus" in c[0])
    with pytest.raises(nbt.errors.NothingFoundError, match="'dog' is in none of 1"):
        operations.explain(live, at=4, image=png(bus))
    with pytest.raises(nbt.NbtoolkitError, match="image is a NoneType; expected the bytes of a JPEG or PNG"):
        operations.explain(live, at=4)


def png(cell):
    buffer = io.BytesIO()
    read_image(cell).save(buffer, "PNG")
    return buffer.getvalue()


def test_layer_effects_are_reported_and_stopped(live, study):
    ids = [s.id for s in study.samples[:3]]
    done = []
    result = live.run("layer_effects", {"samples": ids}, progress=lambda d, n: done.append((d, n)))
    assert result["samples"] == ids and np.shape(result["change"]) == np.shape(result["null"]) == (3, 5)
    assert done[-1] == (3, 3)
    stop = threading.Event()
    stop.set()
    with pytest.raises(nbt.errors.Cancelled, match="Stopped after 0 of 3 images"):
        live.run("layer_effects", {"samples": ids}, cancel=stop)


def test_operations_are_a_registry(live, study, monkeypatch):
    """A new operation is one function; sessions and pages can ask for it at once."""
    names = [
        "concept_effect",
        "concept_maps",
        "concept_maps_of",
        "concepts_per_token",
        "photograph",
        "full_image",
        "explain",
        "steer",
        "interventions_of",
        "edits_as_python",
        "ablate",
        "layer_effects",
        "attribution",
        "extend",
    ]
    assert list(live.operations) == names
    with pytest.raises(
        nbt.NbtoolkitError,
        match="There is no operation 'sweep'; expected one of concept_effect, concept_maps, concept_maps_of",
    ):
        live.run("sweep", {})
    monkeypatch.setitem(registry.OPERATIONS, "norm", lambda session, *, at: {"layer": at, "bytes": b"1"})
    assert live.run("norm", {"at": 3}) == {"layer": 3, "bytes": b"1"}
    assert "norm" in Explorer(study, session=live)._requests.slow()


def test_the_former_name_and_torch():
    assert Live is Session
    code = "import sys; from nbtoolkit.live import explore; assert 'torch' not in sys.modules and explore.__doc__"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="has no attribute 'Lives'"):
        nbtoolkit.live.Lives  # noqa: B018 - the access is the test


def test_thumbnails_stand_in_for_the_data(model, study, sample):
    assert operations.ablate(Session(model, study), sample=sample)["difference"][0][0] == "same"


def test_a_study_with_a_question_per_image_asks_each_its_own():
    from ..models.test_prompts import QUESTIONS, data_of
    from ..models.test_zoo import NEW, load

    model = load("llava")
    data, word = data_of(model)
    reading = {"prompt": QUESTIONS, "max_new_tokens": NEW, "stop_early": False, "progress": False}
    reps = nbt.extract(model, data, word, **reading)
    cd = nbt.decompose(reps, nbt.LargestNorm(2), layer=2)
    g = nbt.Grounding([["a"], ["b"]], [[reps.sample_ids[0]], [reps.sample_ids[0]]])
    samples = [
        nbt.types.Sample(i, c, p) for i, c, p in zip(reps.sample_ids, reps.captions, reps.positions, strict=True)
    ]
    session = Session(model, nbt.Study(word, {2: cd}, {2: g}, samples, reps, source=reps.source), data)
    for sample, caption in zip(reps.sample_ids, reps.captions, strict=True):
        assert session.response(sample).captions == (caption,)
    assert set(session.means("block")) == {1, 2, 3, 4}


def test_another_model_or_prompt_is_refused(model, study):
    from ..models.test_zoo import load

    with pytest.raises(
        nbt.NbtoolkitError,
        match="5 layers of width 128, .* has 4 of width 32; expected the model that the study was made with",
    ):
        nbt.explore(study, load("llava"))
    with pytest.raises(nbt.NbtoolkitError, match="that of the model would be .* Give the same prompt"):
        nbt.explore(dataclasses.replace(study, source=dataclasses.replace(study.source, prompt="What is this?")), model)


def wait(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.01)


def test_the_view_answers_from_a_thread(model, study, data, sample):
    view = nbt.explore(study, model, data=data)
    sent = []
    view.send = lambda content, buffers=None: sent.append(content)
    view._channel.receive(
        view, {"kind": "request", "id": 1, "op": "ablate", "args": {"sample": sample, "edits": [layers(1)]}}, []
    )
    view._channel.receive(
        view, {"kind": "request", "id": 2, "op": "ablate", "args": {"sample": sample, "edits": [layers(9)]}}, []
    )
    wait(lambda: len(sent) == 2)
    assert (
        sent[0]["data"]["after"] < sent[0]["data"]["before"]
        and "layers of edits[0] is [9]; expected integers of 1 … 5" in sent[1]["error"]
    )
    assert view._meta["live"] == {"n_layers": 5, "n_heads": model.n_heads, "name": "toy", "directions": []}
    view.close()


def test_without_a_model_nothing_is_computed(study):
    view = nbt.explore(study)
    sent = []
    view.send = lambda content, buffers=None: sent.append(content)
    view._channel.receive(view, {"kind": "request", "id": 1, "op": "ablate", "args": {}}, [])
    assert (
        "op is 'ablate'; expected one of thumbs, sample, activations, layer, concepts, search, ids," in sent[0]["error"]
        and view._meta["live"] is None
    )


def test_missing_layers_are_computed(model, study, data):
    """As they would have been from the start; the view gains them, and what is done is kept on cancel."""
    names = ("dictionaries", "groundings", "scores")
    few = dataclasses.replace(study, **{n: {k: v for k, v in getattr(study, n).items() if k in (2, 5)} for n in names})
    view = nbt.explore(few, model, data=data, layer=5)
    assert view._meta["layers"] == [2, 5] and view._meta["slots"] == [1, 2, 3, 4, 5]
    assert [v is None for v in view._meta["metrics"][0]["values"]] == [False, False]
    sent = []
    view.send = lambda content, buffers=None: sent.append(content)
    view._channel.receive(view, {"kind": "request", "id": 1, "op": "extend", "args": {"layers": [1, 3]}}, [])
    wait(lambda: sent and sent[-1]["kind"] == "reply")
    assert sent[-1]["data"] == {"layers": [1, 2, 3, 5]} and view._meta["layers"] == [1, 2, 3, 5]
    np.testing.assert_allclose(view.study.dictionary(3).concepts, study.dictionary(3).concepts, atol=1e-5)
    assert [v is None for v in view._meta["metrics"][0]["values"]] == [
        True,
        False,
        True,
        False,
    ]  # CLIPScore needs a scorer
    view.layer = 3
    stop = threading.Event()
    done = []

    def report(n, _total):
        done.append(n)
        stop.set()

    partly = extend(few, model, [1, 3, 4], progress=report, cancel=stop)
    assert partly.layers == (1, 2, 5) and done == [1]


def test_work_is_cancelled_and_reported_at_most_ten_times_a_second():
    sent = []

    def work(job):
        for i in range(1000):
            if job.cancel.is_set():
                raise nbt.errors.Cancelled(f"after {i}")
            job.progress(i + 1, 1000)
            time.sleep(0.002)
        return {}, []

    channel = Channel(lambda content, buffers=None: sent.append(content), {}, {"work": work})
    channel.receive(None, {"kind": "request", "id": 5, "op": "work"}, [])
    time.sleep(0.35)
    channel.receive(None, {"kind": "cancel", "id": 5}, [])
    wait(lambda: sent and sent[-1]["kind"] == "reply")
    assert sent[-1]["error"].startswith("Cancelled: after") and 1 <= len(sent) - 1 <= 6
    channel.receive(None, {"kind": "cancel", "id": 5}, [])  # it has ended: nothing happens
    channel.close()
