"""The shipped weights: plain Hugging Face folders, small, and as good as the model card says."""

import numpy as np
import pytest
from transformers import AutoModel, AutoModelForImageTextToText, AutoProcessor

import nbtoolkit as nbt
from nbtoolkit.models.loading import TOY
from nbtoolkit.toy.evaluation import caption_all, factor_f1

from .test_smollm2 import ABSENT


def test_folders_open_with_the_auto_classes_and_are_small():
    assert AutoModelForImageTextToText.from_pretrained(TOY / "captioner").config.model_type == "llava"
    assert AutoModel.from_pretrained(TOY / "scorer").config.model_type == "clip"
    assert type(AutoProcessor.from_pretrained(TOY / "captioner")).__name__ == "LlavaProcessor"
    assert type(AutoProcessor.from_pretrained(TOY / "scorer")).__name__ == "CLIPProcessor"
    assert sum(f.stat().st_size for f in TOY.rglob("*") if f.is_file()) < 14.5e6  # four models


@pytest.mark.parametrize(("split", "floor"), [("test", 0.95), ("heldout", 0.88)])
def test_captions_state_the_factors(model, split, floor):
    scenes = nbt.load_data("toy", split=split, n=160)
    f1 = factor_f1(caption_all(model, scenes), scenes["factors"])
    assert f1["micro"] >= floor, f1
    assert f1["background"] >= 0.95 and f1["weather"] >= 0.95, f1


@pytest.mark.parametrize(("split", "floor"), [("test", 0.94), ("heldout", 0.92), ("shifted", 0.94)])
def test_captions_of_the_plain_captioner_state_the_facts(split, floor):
    scenes = nbt.load_data("toy-second", split=split, n=80)
    f1 = factor_f1(caption_all(nbt.load_model("toy-plain"), scenes), scenes["factors"], "second")
    assert f1["micro"] >= floor, f1
    assert f1["place"] >= 0.97, f1


def test_in_the_second_world_the_upper_level_alone_misses_the_lower_one():
    row = nbt.toy.scenes(1, 3, world="second")[0]
    truth = row["factors"] | {"subject": "dog", "background": "snow", "place": "outdoors"}
    whole, upper = (factor_f1([f"a dog {where}"], [truth], "second") for where in ("in the snow", "outdoors"))
    assert whole["background"] == whole["place"] == upper["place"] == 1.0 and upper["background"] == 0.0


@pytest.mark.slow
@pytest.mark.skipif(bool(ABSENT), reason=f"{', '.join(ABSENT)} not installed (extra real)")
def test_captions_of_smollm2_state_most_facts():
    scenes = nbt.load_data("toy-second", split="test", n=40)
    f1 = factor_f1(caption_all(nbt.load_model("toy-smollm2"), scenes, 20), scenes["factors"], "second")
    assert f1["micro"] >= 0.7 and f1["subject"] >= 0.8, f1


def test_factor_f1_on_known_answers():
    truth = [
        {
            "subject": "dog",
            "colour": "brown",
            "action": "sitting",
            "background": "grass",
            "weather": "none",
            "prop": "none",
            "count": "one",
        }
    ]
    assert factor_f1(["a brown dog sitting on the grass"], truth)["micro"] == 1.0
    wrong = factor_f1(["a brown cat sitting on the grass at night"], truth)
    assert wrong["subject"] == 0.0 and wrong["weather"] == 0.0 and wrong["colour"] == 1.0
    assert wrong["micro"] == pytest.approx(2 * 4 / (2 * 4 + 2 + 1))


def test_scorer_prefers_the_true_words(scorer):
    scenes = nbt.load_data("toy", split="test", n=60)
    lists = [f"{f['subject']}, {f['background']}, {f['colour']}" for f in scenes["factors"]]
    cosines = scorer(list(scenes["image"]), lists)
    assert cosines.shape == (60, 60)
    own = np.diag(cosines)
    differs = np.array([[a != b for b in lists] for a in lists])
    assert ((own[:, None] > cosines) | ~differs).mean() > 0.95
