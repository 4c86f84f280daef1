"""Words of several sub-tokens, and further words that count as the token."""

import numpy as np
import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.attribution import contributions, mentions
from nbtoolkit.interventions.layers import layer_effects
from nbtoolkit.text.tokens import Span, spell_in_place, tokenize_response

CAPTION = "a person near a stop sign on grass"


@pytest.fixture(scope="module")
def sign(model, data):
    return mentions(model, data["image"][:2], "stop sign", answers=[CAPTION, "a dog near a stop sign"])


def by_hand(model, image, before, pieces):
    """Logits at every piece of a word, each from a pass over the ids before it."""
    rows = []
    inputs = model.inputs([image])
    for j in range(len(pieces)):
        full = model.extend(inputs, [[*before, *pieces[:j]]])
        rows.append(model.hf(**full).logits[0, -1])
    return torch.stack(rows)


@torch.inference_mode()
def test_the_log_probability_of_a_word_is_the_sum_of_its_pieces(model, data, sign):
    ids = model.tokenizer(CAPTION, add_special_tokens=False)["input_ids"]
    pieces = model.tokenizer(" stop sign", add_special_tokens=False)["input_ids"]
    at = next(i for i in range(len(ids)) if ids[i : i + 2] == pieces)
    logits = by_hand(model, nbt.data.read_image(data["image"][0]), ids[:at], pieces)
    log_p = torch.log_softmax(logits, -1)[range(2), pieces]
    assert sign.read()[0][0] == pytest.approx(float(log_p.sum()), abs=1e-4)
    assert float(log_p.sum()) < float(log_p[1]) - 0.1  # that of the last piece alone is near zero
    Z = sign.piece_states(3)
    assert sign.piece_rows.tolist() == [0, 0, 1, 1] and sign.last_pieces.tolist() == [1, 3]
    logit = sign.from_layer(3, sign.quantity("logit"), pieces=True)(Z)[0]
    assert logit == pytest.approx(float(logits[range(2), pieces].sum()), abs=1e-3)
    foil = sign.quantity(foil="bus")
    bus = model.tokenizer(" bus", add_special_tokens=False)["input_ids"][0]
    difference = sign.from_layer(3, foil, pieces=True)(Z)[0]  # at the first piece, where the two words part
    assert foil.parting[0] == (0, bus) and difference == pytest.approx(
        float(logits[0, pieces[0]] - logits[0, bus]), abs=1e-3
    )
    np.testing.assert_allclose(layer_effects(sign, [2], n_random=0).change[0].shape, (1,))


def test_states_of_all_pieces_or_of_the_last_one(model, sign):
    own, states = sign.read([2, model.n_layers])
    for j, layer in enumerate((2, model.n_layers)):
        every = sign.piece_states(layer)
        np.testing.assert_allclose(every[sign.last_pieces], states[:, j], atol=1e-5)
        np.testing.assert_allclose(sign.from_layer(layer)(states[:, j]), own, atol=1e-4)
        np.testing.assert_allclose(sign.from_layer(layer, pieces=True)(every), own, atol=1e-4)
        assert sign.gradient(layer).shape == (2, model.d_model)
        with pytest.raises(nbt.NbtoolkitError, match=r"expected \(4, 128\), a row per piece of the words"):
            sign.from_layer(layer, pieces=True)(states[:, j])


def test_concepts_are_left_out_of_all_pieces(model, data, sign):
    reps = nbt.extract(model, data, "dog", layers=[3], progress=False)
    cd = nbt.decompose(reps, nbt.SemiNMF(4, random_state=0), layer=3)
    result = contributions(sign, cd, quantity="log_prob")
    Z = sign.piece_states(3)
    C = cd.coefficients_of(cd.encode(Z))
    forward = sign.from_layer(3, pieces=True)
    k = int(C.sum(0).argmax())
    np.testing.assert_allclose(result.ablation[:, k], forward(Z) - forward(Z - C[:, [k]] * cd.concepts[k]), atol=1e-4)
    np.testing.assert_allclose(result.leave_all_out, forward(Z) - forward(Z - C @ cd.concepts), atol=1e-4)
    np.testing.assert_allclose(result.total("integrated_gradients"), result.leave_all_out, atol=0.05)
    np.testing.assert_array_equal(result.coefficients, C[sign.last_pieces])


def test_mentions_count_the_variants_that_extraction_counts(model, data):
    answers = ["a dog on grass", "two dogs on grass", "a puppy on grass", "a bus"]
    images = data["image"][:4]
    plain = mentions(model, images, "dog", answers=answers)
    assert plain.rows == (0,)
    assert mentions(model, images, "dog", variants="plural", answers=answers).rows == (0, 1)
    both = mentions(model, images, "dog", variants=["dogs", "puppy"], answers=answers)
    assert both.rows == (0, 1, 2) and both.spellings == ("dog", "dogs", "puppy")
    with pytest.raises(nbt.NbtoolkitError, match="foil is 'puppy', which counts as the token"):
        both.quantity(foil="puppy")
    given = data.select(range(4)).remove_columns("captions").add_column("captions", [[a] for a in answers])
    reps = nbt.extract(model, given, "dog", variants=["dogs", "puppy"], captions="given", layers=[3], progress=False)
    assert list(reps.sample_ids) == data["id"][:3]
    np.testing.assert_allclose(both.read([3])[1][:, 0], reps.layer(3), atol=1e-4)


def test_a_foil_must_part_from_the_word(sign, model, data):
    with pytest.raises(
        nbt.errors.MethodError, match="foil is 'stop', whose sub-tokens begin as those of 'stop sign' do"
    ):
        sign.quantity(foil="stop")
    same_start = sign.quantity(foil="stop bus")
    assert [piece for piece, _ in same_start.parting] == [1, 1]
    first = mentions(model, data["image"][:1], "dog", answers=["Dog on grass"])  # at the start, capitalised: in pieces
    quantity = first.quantity(foil="cat")
    assert quantity.parting[0] == (0, tokenize_response(model.tokenizer, "Cat")[0])
    assert len(first.piece_rows) > 1 and not any(
        f.lower().startswith("d") for f in first.quantity("logit_difference").foils
    )


def test_a_foil_that_the_tokenizer_cannot_spell_is_refused():
    class Tokenizer:
        unk_token_id = 0

        def __call__(self, text, add_special_tokens):
            return {"input_ids": [1 if word == "a" else 0 for word in text.split()]}

        def decode(self, ids):
            return " ".join("a" if i == 1 else "cat" for i in ids)

    with pytest.raises(nbt.errors.TokenError, match="tokenizer cannot spell 'cat'; choose a word of its language"):
        spell_in_place(Tokenizer(), "cat", Span(3, 3, " ", "dog"))
