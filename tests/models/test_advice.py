"""A checkpoint that cannot be loaded: its native twin, the right function, or the package to install."""

import json

import pytest
from transformers import CLIPConfig, LlamaConfig

import nbtoolkit as nbt
from nbtoolkit.models import loading
from nbtoolkit.models.advice import PACKAGES, TWINS, to_install


@pytest.mark.parametrize("kind", [kind for kind in TWINS if kind != "florence2"])
def test_a_checkpoint_with_code_of_its_own_names_the_native_twin(kind, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind, "auto_map": {"AutoConfig": "own.C"}}))
    with pytest.raises(nbt.NbtoolkitError, match="needs Python files that come with the weights") as error:
        nbt.load_model(tmp_path)
    assert f"Load {TWINS[kind]}." in str(error.value) and "load_model(model, processor=processor)" in str(error.value)


def test_one_without_a_twin_says_how_to_go_on(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "strange", "auto_map": {"AutoConfig": "own.C"}}))
    with pytest.raises(nbt.NbtoolkitError, match="never run here. Or load it yourself"):
        nbt.load_model(tmp_path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (LlamaConfig(), "is a 'llama' model, which reads text only"),
        (
            CLIPConfig(),
            "is a 'clip' model, which scores texts against images and writes none; .* Load it with load_scorer",
        ),
    ],
)
def test_another_kind_of_model_is_told_to_be_one(config, message, tmp_path):
    config.save_pretrained(tmp_path)
    with pytest.raises(nbt.NbtoolkitError, match=message):
        nbt.load_model(tmp_path)


@pytest.mark.parametrize("package", PACKAGES.values())
def test_a_missing_package_is_named(package, tmp_path, monkeypatch):
    def fail(*_args, **_options):
        raise ImportError(f"Something requires the {package} library but it was not found in your environment.")

    monkeypatch.setattr(loading, "load_processor", fail)
    with pytest.raises(nbt.NbtoolkitError, match=f"Install what is missing: pip install {package}"):
        nbt.load_model("toy")


def test_other_errors_name_no_package():
    assert to_install(ValueError("the tiktoken vocabulary has 3 entries")) == ""
