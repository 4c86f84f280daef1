"""Knock out attention for as long as a ``with`` block lasts: also while a response is generated."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import MethodError
from ..models.adapter import Model
from ..models.taps import Attention, Cut, Positions, require_layers, tap
from ..types import resolve_layers
from ..types.arguments import checked
from ..types.rules import described
from .places import Places


@checked
@contextlib.contextmanager
def knock_out(
    model: Model,
    sources: Sequence[int] | slice,
    *,
    targets: Sequence[int] | slice | None = None,
    layers: int | Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
) -> Iterator[None]:
    """Knock out attention: target positions no longer read source positions, in every pass and every step of a generation.

    What a head still reads has the attention of the sources too, in proportion; a head that may read nothing adds nothing.

    Parameters
    ----------
    model
        The model; its weights are not changed.
    sources
        Positions that are not read, counted from the first position of the prompt, such as ``t.at("image")``; or a slice of
        them.
    targets
        Positions that do not read them; a slice such as ``slice(70, None)`` holds for all that is generated, too. All that are
        no sources where None.
    layers
        1 … n_layers, or negative; all that have attention where None.
    heads
        The heads, counted from 0; all where None.

    Raises
    ------
    LayerError
        A layer that the model does not have.
    MethodError
        Positions or heads that cannot be.
    ModelError
        From inside the pass: the model has no attention between positions there, or computes it in a way of its own.

    References
    ----------
    Geva et al., "Dissecting recall of factual associations in auto-regressive language models", EMNLP 2023, section 4.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> t = nbt.target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "a", response="a dog")
    >>> with nbt.interventions.knock_out(t.model, t.at("image")):
    ...     blind = t.again().probability
    >>> bool(blind != t.probability)
    True
    """
    needed = [] if layers is None else list(resolve_layers(layers, model.n_layers, first=1))
    chosen = None if heads is None else tuple(int(head) for head in heads)
    if chosen is not None and not all(0 <= head < model.n_heads for head in chosen):
        raise MethodError(f"heads is {described(heads)}; expected heads from 0 to {model.n_heads - 1}.")
    rows = None if targets is None else _positions(targets)
    own = _positions(sources)
    cuts = [Cut(layer, rows, own, chosen) for layer in (range(1, model.n_layers + 1) if layers is None else needed)]
    with contextlib.ExitStack() as stack:
        heard = stack.enter_context(tap(model, cuts=cuts))
        for layer in needed or ([model.n_layers] if cuts else []):
            hook = _requiring(heard, model, [layer] if needed else [])
            stack.callback(model.blocks[layer - 1].register_forward_hook(hook).remove)
        yield


def _positions(positions: Sequence[int] | slice) -> Positions:
    """Positions as a cut has them.

    Raises
    ------
    MethodError
        They are no whole numbers from 0, or a slice with a step or negative ends.
    """
    Places(positions)
    return positions if isinstance(positions, slice) else tuple(int(p) for p in positions)


def _requiring(heard: Attention, model: Model, layers: Sequence[int]) -> Any:
    """Hook that refuses a pass of which the attention of layers, or any where there are none, was not heard."""

    def hook(*_: Any) -> None:
        require_layers(heard, model, layers)

    return hook
