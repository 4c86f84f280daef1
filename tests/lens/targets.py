"""A target of every family, also of those whose image has no positions in the decoder."""

import contextlib

from nbtoolkit.targets.target import target

from ..models.test_zoo import load, pictures


@contextlib.contextmanager
def family_target(name, how):
    """A target under an attention function; the family's default is restored after the block."""
    model = load(name)
    changed = how == "eager" and name != "git"  # whose attention is its own
    if changed:
        model.hf.set_attn_implementation("eager")
    try:
        yield target(model, pictures()[0], "dog", response="a red dog sits", foil="cat")
    finally:
        if changed:
            model.hf.set_attn_implementation("sdpa")
