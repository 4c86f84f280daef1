"""Targets of the zoo: one word in one response, for every family and both attention functions."""

import functools
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

import nbtoolkit as nbt
from nbtoolkit.targets import Target, target
from nbtoolkit.targets.roles import other_image

from .models.test_zoo import load, pictures
from .zoo import FAMILIES, build

EVERY = [
    pytest.param(name, how, marks=[pytest.mark.slow] if how == "eager" else [])
    for name in FAMILIES
    for how in ("sdpa", "eager")
]
NO_POSITIONS = ("blip-2-t5", "mllama", "florence-2")  # the image is no part of the residual stream
RESPONSE = "a red dog sits"


@functools.cache
def zoo_model(name, how="sdpa"):
    model = load(name)  # skips with the reason where it cannot be loaded
    if how == "sdpa" or name == "git":  # whose attention is its own
        return model
    hf, processor = build(name)
    hf.set_attn_implementation(how)
    return nbt.load_model(hf, processor=processor)


def zoo_target(name, how="sdpa", image=None, **quantity):
    quantity = quantity or {"foil": "cat"}
    return target(zoo_model(name, how), image or pictures()[0], "dog", response=RESPONSE, **quantity)


def pair(name, how="sdpa"):
    """Two targets that differ in the image only; skips where a family has no image positions."""
    t = zoo_target(name, how)
    if t.image_span is None:
        pytest.skip(f"{name} has no image positions in its decoder")
    return t, t.again(other_image(t.image))


@functools.cache
def telling_pair(name, how="sdpa"):
    """Two targets that differ in the image only: of seven images, the one that changes the word most."""
    t, other = pair(name, how)
    others = [other, *(t.again(p.resize(t.image.size)) for p in pictures()[1:])]
    far = max(others, key=lambda o: abs(o.value - t.value))
    assert abs(far.value - t.value) > 2e-3, name
    return t, far


class Additive(Target):
    """A target whose quantity is a sum over positions, with one coefficient each."""

    coefficients = np.zeros(0)
    replayed_from = 0

    @property
    def value(self):
        return float(self.replay(0, self.recording.stream[0])[0])

    def replay(self, layer, states, *, gradient=False, start=0):
        states = torch.as_tensor(states)
        sums = (states.double().sum(-1) * torch.as_tensor(self.coefficients)).sum(-1)
        return sums if gradient else sums.numpy()


def additive(t, coefficients):
    kind = type("AdditiveTarget", (Additive,), {"coefficients": np.asarray(coefficients, float)})
    toy = kind(**{f.name: getattr(t, f.name) for f in fields(t)})
    toy.__dict__["recording"] = replace(t.recording, between={})  # no deepstack: it would be no part of the sum
    return toy


def sums_of(t, layer=0):
    """Sum over the entries of each state."""
    return t.residual(layer).astype(float).sum(-1)
