"""Lists of words that the scorer is trained on, and the grade of a text and a scene."""

import numpy as np
import pytest

from nbtoolkit.toy.training.lists import LONGEST, LOWEST, grades, sample_list, scene_facts, text_facts
from nbtoolkit.toy.training.worlds import FIRST, SECOND, WORLDS

DOG = {"subject": "dog", "colour": "brown", "action": "sitting", "background": "snow", "weather": "none",
       "prop": "ball", "count": "one"}  # fmt: skip


def _scenes(world, n=40):
    rng = np.random.default_rng(3)
    return [world.facts(world.sample(rng)) for _ in range(n)], rng


def test_a_grade_is_the_share_of_the_facts_less_a_quarter_for_each_false_one():
    texts = ["dog", "a dog", "dog, dogs", "dog, snow, snowy, winter", "snow, Dog, brown", "dog, beach", "cat", ""]
    by_hand = [1 / 5, 1 / 5, 1 / 5, 2 / 5, 3 / 5, 0.75 / 5, -0.25 / 5, 0]
    np.testing.assert_allclose(grades(texts, [DOG], FIRST)[:, 0], by_hand, rtol=1e-6)
    assert grades(["dog sitting in the snow with a ball, brown"], [DOG], FIRST)[0, 0] == 1
    wrong = "cat, bear, red, blue, running, beach, grass, rain, night, hat"
    assert grades([wrong], [DOG], FIRST)[0, 0] == LOWEST


def test_contradictory_words_both_count_and_the_lower_level_implies_the_upper_one():
    assert text_facts("snow, beach", FIRST) == {("background", "snow"), ("background", "beach")}
    assert text_facts("snow", SECOND) == {("background", "snow"), ("place", "outdoors")}
    beach = SECOND.facts(SECOND.sample(np.random.default_rng(0))) | {"background": "beach", "place": "outdoors"}
    n = len(scene_facts(beach, SECOND))
    assert grades(["snow"], [beach], SECOND)[0, 0] == pytest.approx((1 - 0.25) / n)


@pytest.mark.parametrize("name", list(WORLDS))
def test_captions_state_their_scene_and_nothing_false(name):
    world = WORLDS[name]
    scenes, rng = _scenes(world)
    for scene in scenes:
        text = world.caption(scene, rng)
        stated = text_facts(text, world)
        assert stated <= scene_facts(scene, world)
        assert name == "second" or stated == scene_facts(scene, world)


@pytest.mark.parametrize("name", list(WORLDS))
def test_lists_have_1_to_15_words_with_synonyms_and_every_share_of_false_ones(name):
    world = WORLDS[name]
    scenes, rng = _scenes(world, 400)
    lists = [[w for w in sample_list(s, world, rng).split(", ") if w in world.words] for s in scenes]
    sizes = [len(words) for words in lists]
    assert min(sizes) == 1 and max(sizes) == LONGEST and all(len(set(words)) == len(words) for words in lists)
    false = [
        np.mean([s[world.words[w][0]] != world.words[w][1] for w in words])
        for s, words in zip(scenes, lists, strict=True)
    ]
    assert np.mean(np.equal(false, 0)) > 0.3 and np.mean(np.greater(false, 0.5)) > 0.15
    synonyms = [len(words) - len({world.words[w] for w in words}) for words in lists]
    assert np.mean(np.greater(synonyms, 1)) > 0.3
