"""A target of every family, and its other half: the same word and response to another image."""

import pytest

from nbtoolkit.targets import target
from nbtoolkit.targets.roles import other_image

from ..models.test_zoo import load, pictures


def pair(name, how="sdpa"):
    """Two targets that differ in the image only; skips where a family has no image positions."""
    model = load(name)
    if how == "eager":
        model.hf.set_attn_implementation("eager")
    t = target(model, pictures()[0], "dog", response="a red dog sits", foil="cat")
    if t.image_span is None:
        pytest.skip(f"{name} has no image positions in its decoder")
    return t, t.again(other_image(t.image))


def restore(t):
    """The attention function that the family has by default."""
    if t.model.hf.config.model_type != "git":
        t.model.hf.set_attn_implementation("sdpa")
