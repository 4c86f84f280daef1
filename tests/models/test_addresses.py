"""A model's address: a folder, an id, ``id@revision``, or what the browser shows."""

import pytest
from huggingface_hub.errors import OfflineModeIsEnabled

import nbtoolkit as nbt
from nbtoolkit.models import loading
from nbtoolkit.models.addresses import hub_address

from ..zoo import build


@pytest.mark.parametrize(
    ("source", "revision", "expected"),
    [
        ("toy", None, ("toy", None)),
        ("org/name", "v1", ("org/name", "v1")),
        ("org/name@main", None, ("org/name", "main")),
        ("org/name@refs/pr/70", None, ("org/name", "refs/pr/70")),
        ("https://huggingface.co/org/na-me.1", None, ("org/na-me.1", None)),
        ("https://huggingface.co/org/name/", "v1", ("org/name", "v1")),
        ("huggingface.co/org/name/tree/refs%2Fpr%2F70", None, ("org/name", "refs/pr/70")),
        ("https://hf.co/org/name/blob/abc/config.json?download=true", None, ("org/name", "abc")),
        ("org/name@v1", "v1", ("org/name", "v1")),
        ("/some/folder@2", None, ("/some/folder@2", None)),
        ("a folder", None, ("a folder", None)),
    ],
)
def test_addresses(source, revision, expected):
    assert hub_address(source, revision) == expected


def test_a_folder_with_such_a_name_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "name@2").mkdir()
    assert hub_address("name@2", None) == ("name@2", None)


@pytest.mark.parametrize(
    ("source", "revision", "message"),
    [
        ("org/name@v1", "v2", "names the revision 'v1', and revision is 'v2'; expected one of them"),
        ("https://huggingface.co/datasets/org/name", None, "is no address of a model"),
    ],
)
def test_other_addresses_are_refused(source, revision, message):
    with pytest.raises(nbt.NbtoolkitError, match=message):
        nbt.load_model(source, revision=revision)


def test_the_revision_reaches_every_file(monkeypatch, tmp_path):
    hf, processor = build("llava")
    hf.save_pretrained(tmp_path)
    calls = []

    def config(source, **options):
        calls.append(("config", source, options.get("revision")))
        return hf.config

    def weights(source, **options):
        calls.append(("weights", source, options.get("revision")))
        return hf

    def beside(source, **version):
        calls.append(("processor", source, version.get("revision")))
        return processor

    monkeypatch.setattr(loading.AutoConfig, "from_pretrained", config)
    monkeypatch.setattr(loading.AutoModelForImageTextToText, "from_pretrained", weights)
    monkeypatch.setattr(loading, "load_processor", beside)
    monkeypatch.setattr(
        loading, "adapter_config", lambda source, **version: calls.append(("adapter", source, version.get("revision")))
    )
    model = nbt.load_model("https://huggingface.co/org/name/tree/v1")
    assert {call[1:] for call in calls} == {("org/name", "v1")} and len(calls) == 4
    assert model.name == "org/name" and model.origin[1]["revision"] == "v1"


def test_offline_is_said_in_a_plain_sentence(monkeypatch):
    with pytest.raises(
        nbt.NbtoolkitError, match="The hub is out of reach .offline., and its cache here has no 'org/name'. Download it"
    ):
        nbt.load_model("org/name@main")  # tests are offline

    def fail(*_args, **_options):
        raise OSError("org/name is not the path to a directory") from OfflineModeIsEnabled("no")

    monkeypatch.setattr(loading.AutoConfig, "from_pretrained", fail)
    with pytest.raises(nbt.NbtoolkitError, match="The hub is out of reach"):
        nbt.load_model("org/name")


def test_folders_may_begin_with_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", str(loading.TOY))
    assert nbt.load_model("~/captioner").n_layers == 5
    assert nbt.load_scorer("~/scorer").texts(["a dog"]).shape == (1, 128)
    with pytest.raises(nbt.NbtoolkitError, match=f"{loading.TOY}/nowhere"):
        nbt.load_model("~/nowhere")
