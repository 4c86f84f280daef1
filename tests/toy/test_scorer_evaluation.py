"""Texts that the scorer is evaluated on, and what the evaluation makes of a scorer that is right by construction."""

import numpy as np
import pytest
from scipy.stats import ConstantInputWarning

import nbtoolkit as nbt
from nbtoolkit.toy.evaluation import main
from nbtoolkit.toy.scorer_evaluation import ORDERS, order_shares, text_scores, texts_of, true_words
from nbtoolkit.toy.training.lists import scene_facts, text_facts
from nbtoolkit.toy.training.worlds import WORLDS


class _Oracle:
    """A scorer whose embeddings are the facts themselves; wrong in every list if ``constant``."""

    def __init__(self, world, rows, constant=False):
        self.world, self.constant = world, constant
        facts = sorted({(f, v) for f, values in world.values.items() for v in values})
        self.column, self.scenes = {fact: i for i, fact in enumerate(facts)}, [dict(r["factors"]) for r in rows]

    def _vectors(self, sets):
        out = np.zeros((len(sets), len(self.column)))
        for i, facts in enumerate(sets):
            out[i, [self.column[f] for f in facts]] = 1
        return out / np.linalg.norm(out, axis=1, keepdims=True)

    def images(self, images):
        return self._vectors([scene_facts(s, self.world) for s in self.scenes])

    def texts(self, texts):
        return self._vectors([{("subject", "dog")} if self.constant else text_facts(t, self.world) for t in texts])


@pytest.mark.parametrize(("data", "world"), [("toy", "first"), ("toy-second", "second")])
def test_texts_state_what_their_names_say(data, world):
    row, rng = nbt.load_data(data, split="test", n=1)[0], np.random.default_rng(0)
    own, facts = WORLDS[world], scene_facts(dict(row["factors"]), WORLDS[world])
    texts = texts_of(row, own, rng)
    words = {kind: text.split(", ") for kind, text in texts.items()}
    assert (
        texts["token"] == row["factors"]["subject"] != texts["wrong token"] and texts["caption"] == row["captions"][0]
    )
    assert [len(words[f"{n} true word{'s' * (n > 1)}"]) for n in (1, 3, 5, 10)] == [1, 3, 5, 10]
    assert len(text_facts(texts["5 true words"], own)) >= 5 and text_facts(texts["10 true words"], own) <= facts
    assert (
        sum(own.words[w] in facts for w in words["10 words, half false"]) == 5 == len(words["10 words, half false"]) / 2
    )
    assert not any(own.words[w] in facts for w in words["10 false words"]) and len(words["10 random words"]) == 10
    listing = true_words(row["factors"], own, rng)
    assert len(text_facts(", ".join(listing), own)) == len(facts)


def test_a_scorer_that_is_right_orders_all_texts_and_a_constant_one_none():
    rows = list(nbt.load_data("toy", split="test", n=12))
    right = text_scores(_Oracle(WORLDS["first"], rows), rows, "first")
    shares = order_shares(right["scores"], right["grades"])
    assert tuple(shares) == ORDERS and shares["5 true words", "3 true words"] == shares["caption", "token"] == 1
    assert right["retrieved"].all() and right["rank_correlation"].min() > 0.8
    with pytest.warns(ConstantInputWarning):
        wrong = text_scores(_Oracle(WORLDS["first"], rows, constant=True), rows, "first")
    assert set(order_shares(wrong["scores"], wrong["grades"]).values()) == {0.0}


def test_the_command_prints_both_worlds(capsys):
    main(["--model", "scorer", "--n", "2"])
    out = capsys.readouterr().out
    assert "toy, test, 2 scenes" in out and "toy-second, heldout, 2 scenes" in out and "10 words, half false" in out
