"""What switching something off does to a token: its log-probability layer by layer, the new caption, the concepts that vanish."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from .attribution import Mentions
from .errors import MethodError
from .interventions import ablate, at_layers
from .metrics import Score
from .types import ConceptDictionary

Array = np.ndarray
USED = 0.05  # of the strongest activation: what is below does not count as used


@dataclass(frozen=True, eq=False)
class LayerEffects:
    """What each layer does for a token: the change of its log-probability when the layer is switched off, in nats.

    Attributes
    ----------
    layers
        1 … n_layers, or those that were asked for.
    change : (n, n_layers)
        After less before; negative where the layer was needed.
    null : (n, n_layers)
        The same for a random direction taken out of the states after the layer, the mean of several.
    """

    layers: tuple[int, ...]
    change: Array
    null: Array

    def score(self, layer: int) -> Score:
        """Change of one layer, a value a sample."""
        return Score(self.change[:, self.layers.index(layer)], f"change without layer {layer}")


def layer_effects(said: Mentions, layers: Sequence[int] | None = None, *, part: str = "block", how: str = "zero",
                  means: Mapping[int, Any] | None = None, direction: Any = None, n_random: int = 4, random_state: Any = 0,
                  progress: Callable[[int, int], None] | None = None) -> LayerEffects:  # fmt: skip
    """Switch off one layer after the other.

    Parameters
    ----------
    said
        From :func:`nbtoolkit.attribution.mentions`.
    layers
        All of 1 … n_layers where not given.
    part, how, means, direction
        As for :func:`nbtoolkit.interventions.ablate`.
    n_random
        Random directions of the null.
    progress
        Called with how many layers are done, of how many.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> from nbtoolkit.attribution import mentions
    >>> said = mentions(nbt.load_model("toy"), nbt.load_data("toy", n=40)["image"], "dog")
    >>> layer_effects(said).change.shape
    (5, 5)
    """
    model = said.model
    chosen = at_layers(model, range(1, model.n_layers + 1) if layers is None else layers, first=1)
    rng = np.random.default_rng(random_state)
    before, _ = said.read()
    change, null = np.zeros((len(said), len(chosen))), np.zeros((len(said), len(chosen)))
    for j, layer in enumerate(chosen):
        with ablate(model, layer, part=part, how=how, means=means, direction=direction):
            change[:, j] = said.read()[0] - before
        for _ in range(n_random):
            with ablate(model, layer, direction=rng.normal(size=model.d_model)):
                null[:, j] += (said.read()[0] - before) / n_random
        if progress is not None:
            progress(j + 1, len(chosen))
    return LayerEffects(tuple(chosen), change, null)


@dataclass(frozen=True, eq=False)
class Effect:
    """What an intervention does to one answer.

    Attributes
    ----------
    before, after
        The captions.
    log_probability
        Of the token at its place in the first caption, in nats: before, and after.
    activations : (2, n_concepts)
        Of the concepts at that place: before, and after.
    """

    before: str
    after: str
    log_probability: tuple[float, float]
    activations: Array

    @property
    def change(self) -> float:
        """Change of the token's log-probability, in nats."""
        return self.log_probability[1] - self.log_probability[0]

    @property
    def difference(self) -> list[tuple[str, str]]:
        """The captions word by word, as (``"same"``, ``"gone"`` or ``"new"``, words)."""
        return word_difference(self.before, self.after)

    @property
    def vanished(self) -> list[int]:
        """Concepts that the answer used and no longer uses, strongest first."""
        return _lost(*self.activations)

    @property
    def appeared(self) -> list[int]:
        """Concepts that it uses only now, strongest first."""
        return _lost(*self.activations[::-1])

    def __repr__(self) -> str:
        return f"Effect: {self.change:+.3g} nats; {self.before!r} becomes {self.after!r}; {len(self.vanished)} concepts vanish"


def effect(
    said: Mentions,
    cd: ConceptDictionary,
    change: Callable[[], AbstractContextManager[Any]],
    *,
    max_new_tokens: int = 40,
) -> Effect:
    """Answer again while something is changed.

    Parameters
    ----------
    said
        Of one picture, from :func:`nbtoolkit.attribution.mentions`.
    cd
        Dictionary whose concepts are watched.
    change
        Makes the intervention, for example ``lambda: ablate(model, 3)``.

    Raises
    ------
    MethodError
        There are several mentions.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> from nbtoolkit.attribution import mentions
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=100)
    >>> cd = nbt.decompose(nbt.extract(model, data, "dog", progress=False), nbt.SemiNMF(3, random_state=0), layer=3)
    >>> effect(mentions(model, data["image"][22:23], "dog"), cd, lambda: ablate(model, [])).change
    0.0
    """
    if len(said) != 1:
        raise MethodError(
            f"There are {len(said)} mentions; expected that of one picture: mentions(model, [picture], token)."
        )
    (p,), states = said.read([cd.layer])
    with change():
        (q,), changed = said.read([cd.layer])
        (after,) = said.answers(max_new_tokens)
    activations = cd.encode(np.concatenate([states[:, 0], changed[:, 0]]))
    return Effect(said.captions[0], after, (float(p), float(q)), activations)


def word_difference(before: str, after: str) -> list[tuple[str, str]]:
    """Two texts word by word.

    Examples
    --------
    >>> word_difference("a brown dog", "a brown cat here")
    [('same', 'a brown'), ('gone', 'dog'), ('new', 'cat here')]
    """
    a, b = before.split(), after.split()
    out = []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            out.append(("same", " ".join(a[i:j])))
            continue
        out += [(kind, " ".join(words)) for kind, words in (("gone", a[i:j]), ("new", b[k:m])) if words]
    return out


def _lost(before: Array, after: Array) -> list[int]:
    a, b = np.abs(before), np.abs(after)
    top = max(float(a.max()), float(b.max()), 1e-30)
    return [int(k) for k in np.argsort(-a, kind="stable") if a[k] > USED * top >= b[k]]
