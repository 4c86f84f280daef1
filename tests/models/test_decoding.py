"""Greedy is greedy: responses are the argmax of the logits, whatever the generation configuration of a checkpoint asks for."""

import copy

import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.models.decoding import argmax_decoding, generation_overrides
from nbtoolkit.models.generation import greedy, respond, teacher_forced
from nbtoolkit.models.hooks import LastPosition

from ..zoo import build
from ..zoo.parts import END
from .test_zoo import load, pictures

STEPS = 8
HOSTILE = {
    "sampling": {"do_sample": True, "temperature": 5.0, "top_k": 0, "top_p": 0.9},
    "beams": {"num_beams": 3, "length_penalty": 2.0, "early_stopping": True},
    "several responses": {"num_beams": 2, "num_return_sequences": 2},
    "beam sampling": {"do_sample": True, "num_beams": 2},
    "repetition penalty": {"repetition_penalty": 1.3},
    "encoder repetition penalty": {"encoder_repetition_penalty": 1.5},
    "no repeated n-gram": {"no_repeat_ngram_size": 1},
    "guidance": {"guidance_scale": 1.5},
    "shortest response": {"min_new_tokens": STEPS},
    "shortest sequence": {"min_length": 60},
    "length limits": {"max_length": 3, "max_new_tokens": 2},
    "length penalty": {"exponential_decay_length_penalty": (1, 50.0)},
    "first token": {"forced_bos_token_id": 7},
    "last token": {"forced_eos_token_id": 7},
    "suppressed": {"suppress_tokens": list(range(4, 80))},
    "suppressed at first": {"begin_suppress_tokens": list(range(4, 80))},
    "bad words": {"bad_words_ids": [[i] for i in range(4, 80)]},
    "biased": {"sequence_bias": [[[9], 100.0]]},
    "stop strings": {"stop_strings": ["a"]},
    "time limit": {"max_time": 1e-9},
    "prompt look-up": {"prompt_lookup_num_tokens": 3},
    "a dictionary": {"return_dict_in_generate": True, "output_scores": True, "output_logits": True},
    "hidden states": {"return_dict_in_generate": True, "output_hidden_states": True, "output_attentions": True},
    "another name": {"custom_entry": 3},
}


@pytest.fixture(scope="module")
def small():
    hf, processor = build("llava")
    return nbt.load_model(hf, processor=processor)


def argmax_loop(model, image):
    """New ids and the states that predict them, by a loop over whole forward passes without a cache."""
    inputs, ids, states = model.inputs([image]), [], []
    with torch.inference_mode():
        for _ in range(STEPS):
            out = model.hf(**model.extend(inputs, [ids]), output_hidden_states=True, use_cache=False)
            states.append(torch.stack([h[0, -1] for h in out.hidden_states[:-1]]))  # the last one is normalised
            ids.append(int(out.logits[0, -1].argmax()))
            if ids[-1] == END:
                break
    return ids, torch.stack(states, 1)


@pytest.mark.parametrize("name", list(HOSTILE))
def test_a_generation_configuration_changes_no_response_and_no_state(small, name, monkeypatch):
    model, image = small, pictures(1)[0]
    ids, states = argmax_loop(model, image)
    assert len(ids) == STEPS and 1 < len(set(ids)) < STEPS  # several tokens, one of them again
    hostile = copy.deepcopy(model.hf.generation_config)
    hostile.update(**HOSTILE[name])
    for key, value in HOSTILE[name].items():
        setattr(hostile, key, value)
    monkeypatch.setattr(model.hf, "generation_config", hostile)
    before = copy.deepcopy(hostile.to_dict())
    inputs = model.inputs([image])
    keep = LastPosition(range(model.n_layers + 1), STEPS)
    new = greedy(model, inputs, keep)[0]
    assert new == ids
    torch.testing.assert_close(keep.buffer[:-1, : keep.steps, 0], states, atol=1e-5, rtol=1e-5)
    forced = teacher_forced(model, inputs, [ids], range(model.n_layers + 1))[:, : len(ids), 0]
    torch.testing.assert_close(forced, keep.buffer[:, : keep.steps, 0], atol=1e-5, rtol=1e-5)
    assert model.hf.generation_config is hostile and hostile.to_dict() == before
    report = nbt.check_model(model)
    assert report.ok, report
    for key in set(HOSTILE[name]) - {"max_length", "max_new_tokens"}:
        assert any(text.startswith(f"{key}=") for text in generation_overrides(model.hf))
        assert f"{key}=" in repr(report)


def test_an_error_gives_the_configuration_back(small):
    own = small.hf.generation_config
    with pytest.raises(ZeroDivisionError), argmax_decoding(small.hf):
        assert small.hf.generation_config is not own
        1 / 0  # noqa: B018 - any error
    assert small.hf.generation_config is own


@pytest.mark.parametrize("name", ["blip-2", "git", "florence-2", "kosmos-2"])
def test_a_configuration_of_an_inner_model_is_overridden_too(name):
    model, images = load(name), pictures(1)
    plain = respond(model, model.inputs(images), 6)
    inner = [m for m in model.hf.modules() if "generation_config" in vars(m)]
    own = [m.generation_config for m in inner]
    try:
        for m in inner:
            m.generation_config = copy.deepcopy(m.generation_config)
            m.generation_config.update(
                no_repeat_ngram_size=1, repetition_penalty=9.0, num_beams=2, suppress_tokens=plain[0]
            )
        assert respond(model, model.inputs(images), 6) == plain
        assert "num_beams=2" in generation_overrides(model.hf)
    finally:
        for m, config in zip(inner, own, strict=True):
            m.generation_config = config


def test_source_and_shards_record_what_was_overridden(model, data, reps, tmp_path):
    few = data.select(range(40))
    plain = nbt.extract(model, few, "dog", out=tmp_path / "plain", progress=False)
    assert plain.source.generation_overrides == ()
    other = nbt.load_model("toy")
    other.hf.generation_config.update(repetition_penalty=1.3, suppress_tokens=list(range(5, 30)))
    hostile = nbt.extract(other, few, "dog", progress=False)
    assert hostile.captions == plain.captions and (hostile.states == plain.states).all()
    assert hostile.source.generation_overrides == (
        "repetition_penalty=1.3",
        "suppress_tokens=[5, 6, 7, 8, 9, 10, 11, 12, …] (25 entries)",
    )
    assert nbt.extract(other, few, "dog", captions="given", progress=False).source.generation_overrides == ()
    with pytest.raises(nbt.NbtoolkitError, match=r"generation overrides: \[\] there, \['repetition_penalty=1.3'"):
        nbt.extract(other, few, "dog", out=tmp_path / "plain", progress=False)
    other.hf.generation_config = copy.deepcopy(model.hf.generation_config)
    other.hf.generation_config.eos_token_id = [3, 9]
    with pytest.raises(nbt.NbtoolkitError, match="end ids: "):
        nbt.extract(other, few, "dog", out=tmp_path / "plain", progress=False)


def test_a_study_keeps_them_and_one_without_opens(study, tmp_path):
    import dataclasses
    import json

    from nbtoolkit.storage.files import sha256

    source = dataclasses.replace(study.source, generation_overrides=("num_beams=3",))
    dataclasses.replace(study, source=source).save(tmp_path / "a.study")
    assert nbt.open_study(tmp_path / "a.study").source.generation_overrides == ("num_beams=3",)
    file, manifest = tmp_path / "a.study" / "study.json", tmp_path / "a.study" / "manifest.json"
    about = json.loads(file.read_text("utf-8"))
    del about["source"]["generation_overrides"]  # as release 0.1 wrote it
    file.write_text(json.dumps(about), "utf-8")
    entries = json.loads(manifest.read_text("utf-8"))
    entries["study.json"] = {"bytes": file.stat().st_size, "sha256": sha256(file)}
    manifest.write_text(json.dumps(entries), "utf-8")
    assert nbt.open_study(tmp_path / "a.study").source.generation_overrides == ()


def test_outputs_that_a_configuration_leaves_out_are_no_overrides():
    hf = nbt.load_model("toy").hf
    hf.generation_config.output_attentions = hf.generation_config.output_hidden_states = False
    assert generation_overrides(hf) == ()
    hf.generation_config.output_hidden_states = True
    assert generation_overrides(hf) == ("output_hidden_states=True",)
