"""The second world: its parser, planted rates, senses, masks and scenes that are drawn again."""

import hashlib
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbtoolkit as nbt
from nbtoolkit.toy.world.props import ON_SUBJECT
from nbtoolkit.toy.world.second import grammar, vocabulary
from nbtoolkit.toy.world.second.drawing import draw
from nbtoolkit.toy.world.second.scenes import masks, render

# SHA-256 of the JPEG files, captions and facts of the first world's first 40 scenes of each split
FIRST_WORLD = {
    "train": "e1eb8b2139be2506e58298b6e4afd67f1c94f06d400d06af67c348c0ebd3fd46",
    "test": "b6adef04f741be9635bd4c3a2475efe2c924f6a37d5845ad4f8883aae27239fc",
    "heldout": "5358c19613ff7f3b3fe25fb95f583d78c13e1afd18ac08d0bdd47ce6b0f9a39d",
}


def digest(data):
    total = hashlib.sha256()
    for row in data.data["image"].to_pylist():
        total.update(row["bytes"])
    total.update(repr([data["captions"][:], data["factors"][:]]).encode())
    return total.hexdigest()


@pytest.fixture(scope="module")
def rows():
    return list(nbt.toy.scenes(40, 1, world="second"))


def sampled(n, split="train", random_state=0):
    rng = np.random.default_rng(random_state)
    return [grammar.sample_scene(rng, split) for _ in range(n)]


@pytest.mark.parametrize("split", FIRST_WORLD)
def test_the_first_worlds_scenes_are_what_they_were(split):
    assert digest(nbt.toy.scenes(40, 0, split)) == FIRST_WORLD[split]


def test_the_parser_recovers_what_thousands_of_captions_state():
    rng = np.random.default_rng(0)
    for split in grammar.SPLITS:
        for _ in range(1500):
            factors = grammar.sample_scene(rng, split).factors
            text, facts = grammar.compose(factors, rng)
            assert nbt.toy.parse(text, "second") == facts, text
            assert facts.items() <= grammar.stated(factors).items()


@given(st.integers(0, 2**32 - 1), st.sampled_from(grammar.SPLITS))
def test_captions_leave_out_a_lower_level_only(seed, split):
    rng = np.random.default_rng(seed)
    factors = grammar.sample_scene(rng, split).factors
    absent = grammar.stated(factors).keys() - nbt.toy.parse(grammar.caption(factors, rng), "second").keys()
    assert absent <= {"background", "action"}


def test_the_lower_level_is_stated_in_four_of_five_captions_and_implies_the_upper_one():
    rng = np.random.default_rng(0)
    facts = [grammar.compose(s.factors, rng)[1] for s in sampled(2000)]
    assert 0.77 < np.mean(["background" in f for f in facts]) < 0.83
    assert all("place" in f for f in facts)
    assert nbt.toy.parse("a dog running in the snow", "second").items() >= {("motion", "moving"), ("place", "outdoors")}
    assert nbt.toy.parse("a dog outdoors", "second") == {"subject": "dog", "place": "outdoors", "count": "one"}


def test_every_value_has_a_word_and_no_word_tells_a_distractor_or_a_sense():
    pairs = set(vocabulary.WORDS.values())
    for domain in vocabulary.DOMAIN.values():
        for factor, values in domain.items():
            assert {(factor, v) for v in values if v != "none"} <= pairs
    assert not {f for f, _ in pairs} & {"sense", "shade", "position"}


@pytest.mark.parametrize(("split", "rate"), [("train", 0.95), ("test", 0.95), ("shifted", 0.5)])
@pytest.mark.parametrize(("prop", "background"), vocabulary.SPURIOUS.items())
def test_spurious_pairs_have_their_rates(prop, background, split, rate):
    hits = [s.factors["background"] == background for s in sampled(9000, split) if s.factors["prop"] == prop]
    assert len(hits) > 500
    assert np.mean(hits) == pytest.approx(rate, abs=4 * np.sqrt(rate * (1 - rate) / len(hits)) + 0.005)


def test_held_out_combinations_never_occur_elsewhere():
    for split in grammar.SPLITS:
        assert {grammar.is_heldout(s.factors) for s in sampled(400, split)} == {split == "heldout"}


def test_the_senses_of_bat_are_equally_frequent_and_differ_in_pixels_not_in_words():
    scenes = [s for s in sampled(6000) if s.factors["subject"] == "bat"]
    animals = [s.factors["sense"] == "animal" for s in scenes]
    assert 0.44 < np.mean(animals) < 0.56
    other = grammar.change(
        scenes[0], sense="club" if animals[0] else "animal", action="lying" if animals[0] else "flying"
    )
    pixels = [np.asarray(draw(s), float) for s in (scenes[0], other)]
    assert np.abs(pixels[0] - pixels[1]).max() > 60
    assert nbt.toy.parse("a black bat in the snow", "second")["subject"] == "bat"


def test_words_tell_the_extremes_of_graded_factors():
    for s in sampled(300):
        size, light = s.factors["size"], s.factors["light"]
        assert (size == "small") == (s.numbers["size"] < 0.25) and (size == "large") == (s.numbers["size"] > 0.75)
        assert (light == "bright") == (s.numbers["darkness"] < 0.25) and (light == "dim") == (
            s.numbers["darkness"] > 0.75
        )


def test_graded_factors_are_graded_in_pixels(rows):
    row = next(r for r in rows if r["factors"]["count"] == "one" and r["factors"]["prop"] == "none")
    areas = [masks(row, size=v)["subject"].sum() for v in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert all(a < b for a, b in itertools.pairwise(areas)), areas
    outside = ~masks(row)["subject"]
    light = [np.asarray(render(row, darkness=v), float)[outside].mean() for v in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert all(a > b for a, b in itertools.pairwise(light)), light


def _alternatives(row):
    """One change of every factor that this scene allows."""
    domain = vocabulary.DOMAIN[row["factors"]["subject"], row["factors"]["sense"]]
    outdoors = row["factors"]["place"] == "outdoors"
    options = {**domain, "weather": ("none", "sunny", "night", "rain") if outdoors else (), "count": ("one", "two")}
    options["background"] = [b for b in domain["background"] if (vocabulary.PLACES[b] == "outdoors") == outdoors]
    for factor, values in options.items():
        for value in [v for v in values if v != row["factors"][factor]][:2]:
            yield factor, value
    yield from {"shade": 0.0, "darkness": 0.5, "size": 0.5, "position": 1 - row["numbers"]["position"]}.items()


def test_a_scene_drawn_again_differs_only_where_the_masks_of_the_factor_are(rows):
    """The prop moves with the subject where it is worn, and stands at its other side when the position changes."""
    for row in rows:
        before, covered = np.asarray(render(row)), masks(row)
        for factor, value in _alternatives(row):
            after, now = np.asarray(render(row, **{factor: value})), masks(row, **{factor: value})
            free = covered[factor] | now[factor]
            if factor == "position" or (row["factors"]["prop"] in ON_SUBJECT and factor in ("action", "count", "size")):
                free = free | covered["prop"] | now["prop"]
            differs = (before != after).any(-1)
            assert differs.any() or factor == "shade", (factor, value)  # black stays black
            assert not (differs & ~free).any(), (factor, value, row["factors"])


def test_no_change_draws_the_same_pixels_and_the_data_set_shows_them(rows):
    for row in rows[:5]:
        assert np.array_equal(np.asarray(render(row)), np.asarray(render(row, size=row["numbers"]["size"])))
        gap = np.abs(np.asarray(render(row), float) - np.asarray(row["image"], float))
        assert gap.mean() < 3  # JPEG


def test_masks_part_the_image(rows):
    for row in rows:
        regions = masks(row)
        whole = regions["subject"] | regions["prop"] | regions["background"] | regions["weather"]
        assert whole.all()
        assert regions["prop"].any() == (row["factors"]["prop"] != "none")
        assert regions["subject"].sum() > 100


def test_scenes_have_truth_columns_and_are_reproducible():
    once, again = (nbt.toy.scenes(6, 1, "shifted", world="second") for _ in range(2))
    assert once.column_names == ["id", "image", "captions", "factors", "numbers", "seed"]
    assert once.data["image"].to_pylist() == again.data["image"].to_pylist()
    assert list(once["factors"][0]) == list(vocabulary.FACTORS) and list(once["numbers"][0]) == list(vocabulary.NUMBERS)
    assert len({nbt.toy.scenes(1, 1, s, world="second")[0]["seed"] for s in grammar.SPLITS}) == 4


def test_load_data_gives_the_second_world():
    data = nbt.load_data("toy-second", split="shifted", n=3)
    assert data["captions"][:] == nbt.toy.scenes(3, split="shifted", world="second")["captions"][:]
    assert len(nbt.load_data("toy-second", split="heldout")) == 800


def test_bad_input_is_refused(rows):
    with pytest.raises(nbt.NbtoolkitError, match="world is 'third'; expected one of first, second"):
        nbt.toy.scenes(1, world="third")
    with pytest.raises(nbt.NbtoolkitError, match="world is 'third'; expected one of first, second"):
        nbt.toy.parse("a dog", world="third")
    with pytest.raises(nbt.NbtoolkitError, match="split is 'dev'; expected one of train, test, heldout, shifted"):
        nbt.toy.scenes(1, split="dev", world="second")
    with pytest.raises(nbt.NbtoolkitError, match="split is 'shifted'; expected one of train, test, heldout"):
        nbt.toy.scenes(1, split="shifted")
    with pytest.raises(nbt.NbtoolkitError, match="The row has no numbers, seed"):
        nbt.toy.render(nbt.toy.scenes(1)[0])
    row = next(r for r in rows if r["factors"]["subject"] == "bus")
    with pytest.raises(nbt.NbtoolkitError, match="'motion' is no factor that can be changed; expected one of action"):
        nbt.toy.render(row, motion="moving")
    with pytest.raises(nbt.NbtoolkitError, match="size is 2; expected a number between 0 and 1"):
        nbt.toy.masks(row, size=2)
    with pytest.raises(nbt.NbtoolkitError, match="action is 'sitting'; a scene with bus"):
        nbt.toy.render(row, action="sitting")
    with pytest.raises(nbt.NbtoolkitError, match="subject is 'bat' with sense 'none'; expected one of"):
        nbt.toy.render(row, subject="bat")
