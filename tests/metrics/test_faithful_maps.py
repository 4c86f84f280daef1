"""Faithfulness of maps: a planted order is extreme, the reversed one is the other extreme, random ones lie between."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray

import nbtoolkit as nbt
from nbtoolkit.types.measurement import Identity

from ..zoo_targets import EVERY, additive, pair

SIDE, N = 4, 16


class Additive:
    """A target whose quantity is a weighted sum of the first coordinate of its patches' states; two text positions follow."""

    word = "dog"
    provenance = {"image": "x", "word": "dog"}  # noqa: RUF012 - never changed
    quantity = SimpleNamespace(unit="nats")
    image = SimpleNamespace(size=(40, 40))

    def __init__(self, weights):
        rng = np.random.default_rng(0)
        self.weights = np.concatenate([weights, [0.3, 0.1]])
        self.states = rng.normal(size=(N + 2, 3))
        self.states[:N, 0] = 1 + (np.arange(N) % 2)  # their mean is 1.5
        self.value = float(self.weights @ self.states[:, 0])
        self.n_positions = N + 2
        self.recording = SimpleNamespace(stream=[torch.tensor(self.states)[None]], between={})

    def replay_edits(self, layer, edits, base, between):
        assert layer == 0 and not between
        values = []
        for positions in edits:
            states = self.states.copy()
            states[positions] = base.numpy()[positions]
            values.append(float(states[:, 0] @ self.weights))
        return np.array(values)


def a_map(values, name="planted"):
    rows, columns = np.divmod(np.arange(N), SIDE)
    coords = {"position": ("patch", np.arange(N))} | {
        k: ("patch", v * 10.0) for k, v in (("x0", columns), ("y0", rows), ("x1", columns + 1), ("y1", rows + 1))
    }
    array = xarray.DataArray(np.asarray(values, float), coords, "patch", name)
    return nbt.Measurement(array, "nats", Identity("planted", 0, 0), provenance={"image": "x", "word": "dog"})


def test_the_planted_order_is_extreme():
    t = Additive(np.random.default_rng(1).normal(size=N) + 0.5)
    truth = t.weights[:N] * (t.states[:N, 0] - t.states[:N, 0].mean())  # what each patch adds over the mean patch
    results = {sign: nbt.metrics.faithfulness(a_map(sign * truth), t, n_random=50) for sign in (1, -1)}
    best, worst = (results[s].details["auc"] for s in (1, -1))
    null = results[1].details["null_auc"]
    sign = np.sign(t.value - float(results[1].values.sel(curve="deletion")[-1]))
    assert (sign * (null.sel(curve="deletion") - best.sel(curve="deletion")) > 0).all()
    assert (sign * (best.sel(curve="insertion") - null.sel(curve="insertion")) > 0).all()
    assert (sign * (worst.sel(curve="deletion") - null.sel(curve="deletion")) > 0).all()
    assert float(null.sel(curve="insertion").mean()) == pytest.approx(0.5, abs=0.1 + 3 * float(null.std()))
    curve = results[1].values
    assert float(curve.sel(curve="deletion")[0]) == pytest.approx(t.value) == float(curve.sel(curve="insertion")[-1])


def test_pointing_and_overlap_with_a_mask():
    t, mask = Additive(np.ones(N)), np.zeros((40, 40), bool)
    mask[10:20, 20:40] = True  # patches 6 and 7
    right = np.zeros(N)
    right[[6, 7]] = 2, 1
    hit = nbt.metrics.faithfulness(a_map(right), t, mask=mask, n_random=2).details
    assert float(hit["pointing"]) == 1 and float(hit["iou"]) == 1
    miss = nbt.metrics.faithfulness(a_map(np.roll(right, 1)), t, mask=mask, n_random=2).details
    assert float(miss["pointing"]) == 1 and float(miss["iou"]) == pytest.approx(1 / 3)
    assert float(nbt.metrics.faithfulness(a_map(np.roll(right, 8)), t, mask=mask, n_random=2).details["pointing"]) == 0
    assert float(hit["null_pointing"]) == 2 / N
    assert float(hit["centre_pointing"]) == 0  # of equally near patches the first, 5; of two, 5 and 6
    inside = np.zeros((40, 40), bool)
    inside[10:30, 10:30] = True
    middle = nbt.metrics.faithfulness(a_map(right), t, mask=inside, n_random=2).details
    assert float(middle["centre_pointing"]) == 1 and float(middle["centre_iou"]) == 1


def test_the_patches_of_a_block_are_replaced_together():
    t, unit = Additive(np.random.default_rng(1).normal(size=N) + 0.5), np.repeat(np.arange(4), 4)
    numbers = xarray.DataArray(np.append(unit, [-1, -1]), {"position": np.arange(N + 2)}, "position", "unit")
    patches = a_map(np.arange(N))
    blocks = dataclasses.replace(patches, values=patches.values[[0, 4, 8, 12]], details={"unit": numbers})
    result = nbt.metrics.faithfulness(blocks, t, n_steps=4, n_random=2).values
    every = nbt.metrics.faithfulness(a_map(np.repeat([0, 1, 2, 3], 4)), t, n_steps=4, n_random=2).values
    np.testing.assert_allclose(result.values, every.values)


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_a_planted_order_is_extreme_in_every_family(name, how):
    t, _ = pair(name, how)
    rng, image = np.random.default_rng(0), list(t.at("image"))
    states = t.residual(0).astype(float)
    toy = additive(t, np.where(np.isin(np.arange(t.n_positions), image), rng.normal(size=t.n_positions), 0))
    own = nbt.attribution.occlusion(t, null="none")
    truth = toy.coefficients[image] * (states[image] - states[image].mean(0)).sum(-1)
    curves = {
        sign: nbt.metrics.faithfulness(
            dataclasses.replace(own, values=own.values.copy(data=sign * truth)), toy, n_steps=4, n_random=5
        )
        for sign in (1, -1)
    }
    best, worst = (curves[sign].values.mean("fraction") for sign in (1, -1))
    null, centre = curves[1].null.mean("fraction"), curves[1].details["centre"].mean("fraction")
    for others in (null.min("draw"), centre):
        assert best.sel(curve="deletion") <= others.sel(curve="deletion") + 1e-6 <= worst.sel(curve="deletion") + 2e-6
        assert best.sel(curve="insertion") >= others.sel(curve="insertion") - 1e-6
    real = nbt.metrics.faithfulness(own, t, n_steps=2, n_random=1)
    assert real.check.holds and {"centre", "centre_auc", "null_auc"} <= set(real.details)


def test_maps_that_do_not_fit_are_refused():
    t, m = Additive(np.ones(N)), a_map(np.arange(N))
    for other, message in (
        (dataclasses.replace(m, values=m.values.expand_dims(head=2)), "expected 'patch' alone"),
        (dataclasses.replace(m, provenance={"image": "y", "word": "dog"}), "is of another image or word"),
        (dataclasses.replace(m, values=m.values * np.nan), "has NaN or infinity"),
    ):
        with pytest.raises(nbt.errors.MethodError, match=message):
            nbt.metrics.faithfulness(other, t)
    with pytest.raises(nbt.errors.MethodError, match="target is None, and the measurement is a copy or from a file"):
        nbt.metrics.faithfulness(m)
    with pytest.raises(nbt.errors.MethodError, match=r"mask has shape \(3, 3\); expected \(40, 40\)"):
        nbt.metrics.faithfulness(m, t, mask=np.ones((3, 3), bool))


def test_a_map_of_blocks_is_one_of_its_patches():
    t = nbt.target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "a", foil="the")
    blocks = nbt.attribution.occlusion(t, unit="block", size=4, null="none")
    mask = np.zeros((128, 128), bool)
    mask[:64, :64] = True  # the first of four blocks
    first = dataclasses.replace(blocks, values=blocks.values.copy(data=[1.0, 0, 0, 0]))
    result = nbt.metrics.faithfulness(first, t, n_steps=4, n_random=1, mask=mask)
    assert float(result.details["iou"]) == 1 == float(result.details["pointing"])
    assert result.values.fraction.values.tolist() == [0, 0.25, 0.5, 0.75, 1]
    bare = blocks.values.drop_vars(["x0", "y0", "x1", "y1"])
    with pytest.raises(nbt.errors.MethodError, match="has no coordinates x0, y0, x1 and y1"):
        nbt.metrics.faithfulness(dataclasses.replace(blocks, values=bare, details={}), t)


def test_patches_are_replaced_by_those_of_another_image_where_one_is_given():
    data = nbt.load_data("toy", n=2)
    t = nbt.target(nbt.load_model("toy"), data[0]["image"], "cars", response="two cars")
    other = t.again(data[1]["image"])
    m = nbt.attribution.occlusion(t, null="none")
    curves = nbt.metrics.faithfulness(m, n_steps=2, n_random=1, baseline=other).values
    assert float(curves.sel(curve="deletion")[-1]) == pytest.approx(other.value, abs=1e-4)
    mean = nbt.metrics.faithfulness(m, n_steps=2, n_random=1).values
    assert abs(float(mean.sel(curve="deletion")[-1]) - other.value) > 1e-2
    with pytest.raises(nbt.errors.MethodError, match="baseline is 'grey'; expected target.again"):
        nbt.metrics.faithfulness(m, baseline="grey")


def test_the_image_is_gone_also_where_the_model_adds_it_again():
    """Qwen3-VL adds the image between its blocks: with all patches of another image, the value is that image's."""
    t, other = pair("qwen3-vl")
    m = nbt.attribution.gradient_x_input(t, layer=t.first_layer)
    curves = nbt.metrics.faithfulness(m, n_steps=1, n_random=1, baseline=other).values
    assert float(curves.sel(curve="deletion")[-1]) == pytest.approx(other.value, abs=1e-5)
