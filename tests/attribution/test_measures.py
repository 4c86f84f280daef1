"""Attribution that adds up: sums, remainders, agreements, and the quantity that is attributed."""

import numpy as np
import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.attribution import Contributions, contributions, mentions
from nbtoolkit.attribution import concepts as module
from nbtoolkit.targets import Quantity, Targets, continuations

MEASURES = ("integrated_gradients", "ablation", "gradient")


@pytest.fixture(scope="module")
def dogs(model, data):
    return mentions(model, data["image"][:40], "dog")


@pytest.fixture(scope="module")
def concepts(reps):
    return nbt.decompose(reps, nbt.SemiNMF(6, random_state=0), layer=4)


@pytest.mark.parametrize("quantity", ["log_prob", "logit", "logit_difference"])
def test_integrated_gradients_are_complete(quantity, dogs, concepts):
    result = contributions(dogs, concepts, quantity=quantity, n_steps=24)
    measured = dogs.quantity(quantity)
    Z = dogs.piece_states(4)
    C = concepts.coefficients_of(concepts.encode(Z))
    forward = dogs.from_layer(4, measured)
    whole = forward(Z) - forward(Z - C @ concepts.concepts)
    np.testing.assert_allclose(result.leave_all_out, whole, atol=1e-3)
    np.testing.assert_allclose(result.integrated_gradients.sum(1), whole, atol=0.02 * np.abs(whole).max())
    for measure in MEASURES:
        parts = result.values(measure).sum(1) + result.remainder(measure)
        np.testing.assert_allclose(parts, result.leave_all_out, atol=1e-6)
        np.testing.assert_allclose(result.ratio(measure), result.values(measure).sum(1) / result.leave_all_out)


def test_a_saturated_log_probability_is_not_attributed_unless_it_is_requested(dogs, concepts):
    """The gradient of log p vanishes where p is 1, and the effect of all concepts does not."""
    plain = contributions(dogs, concepts, quantity="log_prob", n_steps=1)
    assert plain.quantity.probability > 0.99 and not plain.quantity.switched and plain.quantity.note == ""
    assert abs(plain.total("gradient").mean()) < 0.05 * plain.leave_all_out.mean()
    default = contributions(dogs, concepts, n_steps=1)
    assert default.quantity.kind == "logit_difference" and default.quantity.switched
    assert len(default.quantity.foils) == len(dogs) and not any("dog" in foil for foil in default.quantity.foils)
    text = repr(default)
    assert "The log-probability is saturated (median p = 0.99" in text and "remainder" in text
    assert "logit difference" in text and "rank correlation" in text and "ratio of sums" in text
    frame = default.to_frame()
    assert list(frame.columns) == ["sum", "remainder", "ratio", "rank_correlation"] and len(frame) == 3


def test_a_logit_difference_is_a_difference_of_log_probabilities(model, dogs):
    own, states = dogs.read([model.n_layers])
    other = int(model.tokenizer(" cat", add_special_tokens=False)["input_ids"][0])
    log_p = torch.log_softmax(torch.tensor(model.unembed(states[:, 0])), -1)[:, other].numpy()
    for layer in (2, model.n_layers):
        found = dogs.from_layer(layer, dogs.quantity(foil="cat"))(dogs.piece_states(layer))
        np.testing.assert_allclose(found, own - log_p, atol=1e-3)
    assert str(dogs.quantity(foil="cat")) == "logit difference to 'cat'" and not dogs.quantity(foil="cat").switched


def test_the_strongest_competitor_is_the_next_word(model, dogs):
    _, states = dogs.read([model.n_layers])
    quantity = dogs.quantity()
    logits = model.unembed(states[:, 0])
    for row, foil in zip(logits, quantity.foils, strict=True):
        words = [model.tokenizer.decode([i]).strip() for i in np.argsort(-row)]
        others = [w for w in words if w.isalpha() and not "dogs".startswith(w.lower())]
        assert foil == others[0]


def _not_continued(*_):
    raise nbt.errors.ModelError("whole passes only")


def test_a_linear_model_has_no_remainder(dogs, concepts, monkeypatch):
    """After the last layer comes the final norm; where the rest of the model is linear, all measures are equal."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=128).astype(np.float32)

    class Linear(Targets):
        token, rows, piece_rows, last_pieces = "dog", dogs.rows, np.arange(len(dogs)), np.arange(len(dogs))
        states = dogs.piece_states(4)

        def __init__(self):  # no model, no responses
            pass

        def __len__(self):
            return len(dogs)

        def quantity(self, kind, foil, states):
            return Quantity("logit")

        def from_layer(self, layer, quantity, *, pieces):
            return lambda states: states @ weights

        def piece_gradient(self, layer, states, quantity):
            return np.tile(weights, (len(states), 1))

    monkeypatch.setattr(module, "continuations", _not_continued)
    monkeypatch.setattr(module, "piece_streams", lambda targets, layer: (targets.states, []))
    result = contributions(Linear(), concepts)
    scale = np.abs(result.leave_all_out).max()
    for measure in MEASURES:
        np.testing.assert_allclose(result.values(measure), result.ablation, atol=1e-4 * scale)
        np.testing.assert_allclose(result.remainder(measure), 0, atol=1e-4 * scale)
        np.testing.assert_allclose(result.ratio(measure), 1, atol=1e-3)
    assert np.nanmin(result.rank_correlation("integrated_gradients")) > 0.99


def test_only_used_concepts_cost_passes(dogs, concepts, monkeypatch):
    passes, copies = [], []
    values = continuations.Continuation.values
    forward = type(dogs).from_layer

    def counted(self, *args, **options):
        function = forward(self, *args, **options)
        return lambda states: passes.append(1) or function(states)

    sae = nbt.ConceptDictionary(
        np.eye(100, 128), np.zeros((1, 100)), ["a"], 4, "sparse", encoder=Sparse(), parameters={}
    )
    monkeypatch.setattr(type(dogs), "from_layer", counted)
    monkeypatch.setattr(
        continuations.Continuation, "values", lambda self, states: copies.append(len(states)) or values(self, states)
    )
    result = contributions(dogs, sae, n_steps=1)
    assert (result.coefficients != 0).sum(1).tolist() == [2] * len(dogs)
    assert (
        copies == [2 + 2] * len(dogs) and not passes
    )  # two concepts, the states themselves, and all concepts together
    monkeypatch.setattr(module, "continuations", _not_continued)
    contributions(dogs, sae, n_steps=1)
    assert len(passes) == 2 + 2


class Sparse:
    """Two other concepts for every row."""

    def transform(self, X):
        V = np.zeros((len(X), 100))
        for i in range(len(X)):
            V[i, [2 * i, 2 * i + 1]] = 1, 2
        return V


def test_both_agreements_are_given():
    V = np.array([[1.0, 2.0, 3.0]])
    result = Contributions(V, V, V[:, ::-1] / 100, None, 2 * V, np.array([6.0]))
    assert result.ratio("ablation")[0] == 1 and result.ratio("gradient")[0] == pytest.approx(0.01)
    assert result.rank_correlation("gradient")[0] == -1 == result.agreement[0]
    assert result.agreements["integrated_gradients"] == {"ratio": [2.0], "rank_correlation": [pytest.approx(1)]}
    assert result.remainder("integrated_gradients")[0] == -6
    with pytest.raises(nbt.NbtoolkitError, match="measure is 'ablations'; expected one of 'integrated_gradients'"):
        result.values("ablations")
    old = Contributions(V, V, V)  # as in release 0.1
    assert np.isnan(old.leave_all_out).all() and old.integrated_gradients.shape == (1, 3) and "log p" in repr(old)
    assert np.isnan(Contributions(V, V, V, None, V, np.zeros(1)).ratio("ablation")[0])  # nothing changes


def test_bad_quantities_and_states_are_refused(dogs, concepts, model, monkeypatch):
    for options, message in [
        ({"quantity": "probability"}, "quantity is 'probability'; expected 'auto', 'log_prob', 'logit', 'logit_difference'"),
        ({"foil": "Dog"}, "foil is 'Dog', which counts as the token; expected another word"),
        ({"foil": "  "}, "foil is '  '; expected a word to compare the token with"),
        ({"foil": 3}, "foil is 3; expected a text or None"),
        ({"foil": "cat", "quantity": "logit"}, "foil is 'cat' with quantity='logit'; expected quantity='logit_difference'"),
        ({"n_steps": 0}, "n_steps is 0; expected a whole number of at least 1"),
        ({"n_steps": True}, "n_steps is True; expected a whole number"),
    ]:  # fmt: skip
        with pytest.raises(nbt.errors.MethodError, match=message):
            contributions(dogs, concepts, **options)
    broken = dogs.piece_states(4)
    broken[1, 3] = np.nan
    with pytest.raises(nbt.errors.MethodError, match="NaN or infinite values in row 1; expected finite numbers"):
        dogs.from_layer(4)(broken)
    monkeypatch.setattr(module, "piece_streams", lambda targets, layer: (broken, []))
    with pytest.raises(nbt.errors.MethodError, match=f"image {dogs.rows[1]} at layer 4 have NaN or infinite values"):
        contributions(dogs, concepts)
