"""The shipped weights: plain Hugging Face folders, small, and as good as the model card says."""

import numpy as np
import pytest
from transformers import AutoModel, AutoModelForImageTextToText, AutoProcessor

import nbtoolkit as nbt
from nbtoolkit.data import images_by_id, vocabulary
from nbtoolkit.models.loading import TOY
from nbtoolkit.toy.evaluation import caption_all, factor_f1
from nbtoolkit.toy.scorer_evaluation import order_shares, text_scores
from nbtoolkit.toy.training.lists import LONGEST
from nbtoolkit.toy.training.worlds import FIRST, SECOND

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


# Floors, with the figures of 1,000 scenes per split in the model card of nbtoolkit.toy.
@pytest.mark.parametrize(
    ("data", "world", "split"),
    [
        ("toy", "first", "test"),
        ("toy", "first", "heldout"),
        ("toy-second", "second", "test"),
        ("toy-second", "second", "heldout"),
    ],
)
def test_the_scorer_orders_texts_by_what_they_state(scorer, data, world, split):
    """The constant list [token] is far from the captions; true facts raise the score, false ones lower it."""
    rows = nbt.load_data(data, split=split, n=80)
    result = text_scores(scorer, rows, world)
    mean = {kind: values.mean() for kind, values in result["scores"].items()}
    assert 1.15 <= mean["caption"] <= 1.35 and 0.1 <= mean["token"] <= 0.2 * mean["caption"], mean
    assert mean["1 true word"] < mean["3 true words"] < mean["5 true words"] < mean["10 true words"], mean
    assert mean["10 random words"] < mean["token"] < mean["10 words, half false"] < mean["10 true words"], mean
    assert mean["wrong token"] < 0.03 and mean["10 false words"] < 0.03, mean
    shares = order_shares(result["scores"], result["grades"])
    assert shares.pop(("token", "10 random words")) >= 0.93 and min(shares.values()) >= 0.96, shares
    assert result["retrieved"].mean() >= 0.95 and result["rank_correlation"].mean() >= 0.96


@pytest.mark.parametrize(("data", "world"), [("toy", FIRST), ("toy-second", SECOND)])
def test_the_scorer_asks_for_facts_not_for_words(scorer, data, world):
    """Synonyms of the token add nothing to a list, the same number of other true words do; order and commas do not matter."""
    rows, rng = nbt.load_data(data, split="test", n=60), np.random.default_rng(0)
    images = scorer.images(list(rows["image"]))

    def mean(texts):
        return nbt.metrics.clip_score((images * scorer.texts(texts)).sum(1)).mean()

    facts = [dict(f) for f in rows["factors"]]
    synonyms = [
        ", ".join(w for w, fact in world.words.items() if fact == ("background", f["background"])) for f in facts
    ]
    others = [", ".join([f["background"], f["colour"], f["subject"]]) for f in facts]
    assert abs(mean(synonyms) - mean([f["background"] for f in facts])) < 0.1 < 0.25 < mean(others) - mean(synonyms)
    words = [list(rng.permutation(list(world.words))[:LONGEST]) for _ in facts]
    straight, shuffled = (scorer.texts([", ".join(w[::step]) for w in words]) for step in (1, -1))
    assert np.abs(images @ (straight - shuffled).T).mean() < 0.02
    np.testing.assert_allclose(scorer.texts(["Dog, SNOW,two"]), scorer.texts(["dog snow two"]), atol=1e-6)


def test_every_content_word_of_both_worlds_is_one_token_of_the_scorer(scorer):
    tokens = scorer.processor.tokenizer
    assert {w: len(tokens(w).input_ids) for w in (*FIRST.words, *SECOND.words)} == dict.fromkeys(
        (*FIRST.words, *SECOND.words), 3
    )
    assert len(tokens(", ".join(list(SECOND.words)[:LONGEST])).input_ids) == LONGEST + 2


def test_words_of_semi_nmf_fit_better_than_those_of_random_directions_and_than_the_token(model, scorer, data, reps):
    """The floor is 1.6 times the random directions (measured: see the model card)."""
    images = dict(zip(reps.sample_ids, scorer.images(images_by_id(data, reps.sample_ids)), strict=True))
    scores = {}
    for method in (nbt.SemiNMF(12, random_state=0), nbt.RandomDirections(12, random_state=0)):
        cd = nbt.decompose(reps, method, layer=4)
        g = nbt.ground(cd, model, vocabulary=vocabulary(data["captions"]))
        s = nbt.evaluate(cd, g, images=lambda ids: np.stack([images[i] for i in ids]), texts=scorer.texts, n_words=5)
        scores[type(method).__name__] = s
    own, random = (scores[name]["clip_score"] for name in ("SemiNMF", "RandomDirections"))
    assert own >= 1.6 * random and own > scores["SemiNMF"]["clip_score_token"], scores
    assert own > 1.5 * scores["SemiNMF"].baseline["clip_score"]
