"""Adapters of PEFT: from a folder with its base model, from safetensors only; named in provenance and in shards folders."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.models import peft_adapters
from nbtoolkit.models.peft_adapters import active_adapters

from ..zoo import build
from .test_zoo import NEW, pictures, told

peft = pytest.importorskip("peft", reason="peft is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing", "ignore::FutureWarning:transformers")


def with_lora(hf, base=""):
    torch.manual_seed(1)
    config = peft.LoraConfig(target_modules=["q_proj", "v_proj"], r=4, init_lora_weights=False)
    model = peft.get_peft_model(hf, config)
    model.peft_config["default"].base_model_name_or_path = str(base)
    return model


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A base model, an adapter on it, and the adapted model as a person has it in memory."""
    root = tmp_path_factory.mktemp("peft")
    hf, processor = build("llava")
    hf.save_pretrained(root / "base")
    processor.save_pretrained(root / "base")
    adapted = with_lora(hf, root / "base")
    adapted.save_pretrained(root / "adapter")
    return root / "base", root / "adapter", adapted, processor


def logits(model):
    return model.forward(model.extend(model.inputs(pictures(2)), [[30], [31]])).logits


def test_an_adapter_is_loaded_with_its_base_model(folders):
    base, folder, adapted, processor = folders
    own = nbt.load_model(adapted, processor=processor)
    for source in (folder, str(folder)):
        model = nbt.load_model(source)
        assert torch.equal(logits(model), logits(own)) and model.name == str(folder) == model.origin[0]
        assert active_adapters(model.hf) == ("default (LORA)",) and nbt.check_model(model).ok
    assert (logits(nbt.load_model(base)) - logits(own)).abs().max() > 1e-2
    assert not model.hf.training
    data, word, _ = told(model)
    source = nbt.extract(model, data, word, max_new_tokens=NEW, progress=False).source
    assert source.adapters == ("default (LORA)",) and source.model == str(folder)


def test_the_processor_beside_the_adapter_comes_first(folders, tmp_path):
    _, folder, _, processor = folders
    shutil.copytree(folder, tmp_path / "own")
    template, processor.chat_template = processor.chat_template, "<image>{{ messages[0]['content'][1]['text'] }} !"
    processor.save_pretrained(tmp_path / "own")
    processor.chat_template = template
    assert nbt.load_model(tmp_path / "own").text("dog").endswith("dog !")
    assert not nbt.load_model(folder).text("dog").endswith("!")


def test_an_adapter_of_the_hub(folders, monkeypatch):
    _, folder, _, _ = folders

    def cached(source, name, **options):
        assert (source, options.get("revision")) == ("org/adapter", "v1")
        return str(folder / name) if (folder / name).exists() else None

    monkeypatch.setattr(peft_adapters, "cached_file", cached)
    model = nbt.load_model("org/adapter@v1", check=False)
    assert model.name == "org/adapter" and active_adapters(model.hf) == ("default (LORA)",)


def altered(folder, target, **settings):
    shutil.copytree(folder, target)
    path = target / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    return target


def test_pickled_weights_are_never_read(folders, tmp_path):
    _, folder, _, _ = folders
    pickled = altered(folder, tmp_path / "pickled")
    (pickled / "adapter_model.safetensors").rename(pickled / "adapter_model.bin")
    with pytest.raises(
        nbt.NbtoolkitError, match="has no adapter_model.safetensors; expected one: pickled weights .* are never read"
    ):
        nbt.load_model(pickled)


def test_adapters_that_cannot_be_loaded_say_why(folders, tmp_path, monkeypatch):
    _, folder, _, _ = folders
    for number, (settings, message) in enumerate([
        ({"base_model_name_or_path": None}, "names the base model None; expected a folder or hub id"),
        ({"base_model_name_or_path": "no-such/base"}, "The base model of the adapter .* cannot be loaded: 'no-such/base' holds no"),
        ({"base_model_name_or_path": str(folder)}, "is .*, an adapter itself; expected a model. Merge that adapter first"),
        ({"peft_type": "XLORA"}, "of the kind XLORA, which loads further adapters"),
        ({"target_modules": ["nowhere"]}, "cannot be put on"),
    ]):  # fmt: skip
        with pytest.raises(nbt.NbtoolkitError, match=message):
            nbt.load_model(altered(folder, tmp_path / str(number), **settings))
    (tmp_path / "0" / "adapter_config.json").write_text("[")
    with pytest.raises(nbt.NbtoolkitError, match="adapter_config.json of .* cannot be read"):
        nbt.load_model(tmp_path / "0")
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(nbt.NbtoolkitError, match="is an adapter of PEFT, and peft is not installed.*pip install peft"):
        nbt.load_model(folder)


def test_shards_of_the_base_model_are_not_given_back_for_the_adapted_one(tmp_path):
    hf, processor = build("llava")
    adapted = with_lora(hf)
    model = nbt.load_model(adapted, processor=processor)
    data, word, _ = told(model)
    data = data.map(lambda _: {"captions": [word]}, keep_in_memory=True)
    settings = {"captions": "given", "progress": False}
    with adapted.disable_adapter():
        assert active_adapters(adapted) == ()
        plain = nbt.extract(model, data, word, out=tmp_path / "a", **settings)
    with pytest.raises(nbt.NbtoolkitError, match=r"adapters: \[\] there, \['default \(LORA\)'\] now"):
        nbt.extract(model, data, word, out=tmp_path / "a", **settings)
    states = nbt.extract(model, data, word, out=tmp_path / "b", **settings).states
    assert np.abs(states - plain.states).max() > 1e-2
    with torch.no_grad():  # another state of the same adapter, of the same name
        for name, p in adapted.named_parameters():
            if "lora_B" in name:
                p.view(-1)[1::2] *= 1.5
    with pytest.raises(nbt.NbtoolkitError, match="weights: |made by a model whose states differ"):
        nbt.extract(model, data, word, out=tmp_path / "b", **settings)
