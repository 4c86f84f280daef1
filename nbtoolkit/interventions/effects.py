"""Effects of interventions on a token: its log-probability per layer, the new response, the concepts that vanish."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import MethodError
from ..metrics import Score
from ..targets import Targets
from ..types import ConceptDictionary, resolve_layers
from .residual import ablate

Array = np.ndarray
USED = 0.05  # share of the strongest activation below which a concept counts as unused


@dataclass(frozen=True, eq=False)
class LayerEffects:
    """Change of the token's log-probability when each layer is ablated, in nats.

    Attributes
    ----------
    layers
        The ablated layers.
    change : (n, n_layers)
        After minus before; negative where the layer supports the token.
    null : (n, n_layers)
        Random-direction baseline: the mean over random directions projected out of the states after the layer.
    """

    layers: tuple[int, ...]
    change: Array
    null: Array

    def score(self, layer: int) -> Score:
        """Change of one layer, a value per sample, in nats.

        Parameters
        ----------
        layer
            One of ``layers``.
        """
        return Score(self.change[:, self.layers.index(layer)], f"change without layer {layer}")


def layer_effects(
    targets: Targets,
    layers: str | int | Sequence[int] | None = None,
    *,
    part: str = "block",
    how: str = "zero",
    means: Mapping[int, Any] | None = None,
    direction: Any = None,
    n_random: int = 4,
    random_state: Any = 0,
    progress: Callable[[int, int], None] | None = None,
) -> LayerEffects:
    """Ablate each layer in turn.

    Parameters
    ----------
    targets
        Of :func:`nbtoolkit.attribution.mentions`.
    layers
        Layers 1 … n_layers; all of them where None or ``"all"``.
    part, how, means, direction
        As for :func:`nbtoolkit.interventions.ablate`.
    n_random
        Number of random directions of the baseline.
    random_state
        Seed of the random directions.
    progress
        Called with the number of layers that are done, and of all.

    Raises
    ------
    LayerError
        A layer that the model does not have.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> targets = nbt.attribution.mentions(nbt.load_model("toy"), nbt.load_data("toy", n=40)["image"], "dog")
    >>> layer_effects(targets).change.shape
    (5, 5)
    """
    model = targets.model
    chosen = resolve_layers("all" if layers is None else layers, model.n_layers, first=1)
    rng = np.random.default_rng(random_state)
    before, _ = targets.read()
    change, null = np.zeros((len(targets), len(chosen))), np.zeros((len(targets), len(chosen)))
    for j, layer in enumerate(chosen):
        with ablate(model, layer, part=part, how=how, means=means, direction=direction):
            change[:, j] = targets.read()[0] - before
        for _ in range(n_random):
            with ablate(model, layer, direction=rng.normal(size=model.d_model)):
                null[:, j] += (targets.read()[0] - before) / n_random
        if progress is not None:
            progress(j + 1, len(chosen))
    return LayerEffects(chosen, change, null)


@dataclass(frozen=True, eq=False)
class Effect:
    """Effect of an intervention on one response.

    Attributes
    ----------
    before, after
        The responses.
    log_probability
        Of the token at its position in the first response, in nats: before, and after.
    activations : (2, n_concepts)
        Of the concepts at that position: before, and after.
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
        """The responses word by word, as (``"same"``, ``"gone"`` or ``"new"``, words)."""
        return word_difference(self.before, self.after)

    @property
    def vanished(self) -> list[int]:
        """Concepts that the response used and no longer uses, strongest first."""
        return _lost(*self.activations)

    @property
    def appeared(self) -> list[int]:
        """Concepts that it uses only now, strongest first."""
        return _lost(*self.activations[::-1])

    def __repr__(self) -> str:
        return f"Effect: {self.change:+.3g} nats; {self.before!r} becomes {self.after!r}; {len(self.vanished)} concepts vanish"


def effect(
    targets: Targets,
    cd: ConceptDictionary,
    intervention: Callable[[], AbstractContextManager[Any]],
    *,
    max_new_tokens: int = 40,
) -> Effect:
    """Generate the response again under an intervention.

    Parameters
    ----------
    targets
        Of one image, from :func:`nbtoolkit.attribution.mentions`.
    cd
        Dictionary whose activations are compared.
    intervention
        Makes the intervention, for example ``lambda: ablate(model, 3)``.
    max_new_tokens
        Longest response, in sub-tokens.

    Raises
    ------
    MethodError
        There are several targets.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=100)
    >>> cd = nbt.decompose(nbt.extract(model, data, "dog", progress=False), nbt.SemiNMF(3, random_state=0), layer=3)
    >>> effect(nbt.attribution.mentions(model, data["image"][22:23], "dog"), cd, lambda: ablate(model, [])).change
    0.0
    """
    if len(targets) != 1:
        raise MethodError(
            f"There are {len(targets)} targets; expected that of one image: mentions(model, [image], token)."
        )
    (before,), states = targets.read([cd.layer])
    with intervention():
        (after,), changed = targets.read([cd.layer])
        (response,) = targets.responses(max_new_tokens)
    activations = cd.encode(np.concatenate([states[:, 0], changed[:, 0]]))
    return Effect(targets.captions[0], response, (float(before), float(after)), activations)


def word_difference(before: str, after: str) -> list[tuple[str, str]]:
    """Difference of two texts, word by word.

    Parameters
    ----------
    before, after
        The texts.

    Examples
    --------
    >>> word_difference("a brown dog", "a brown cat here")
    [('same', 'a brown'), ('gone', 'dog'), ('new', 'cat here')]
    """
    a, b = before.split(), after.split()
    parts = []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            parts.append(("same", " ".join(a[i:j])))
            continue
        parts += [(kind, " ".join(words)) for kind, words in (("gone", a[i:j]), ("new", b[k:m])) if words]
    return parts


def _lost(before: Array, after: Array) -> list[int]:
    a, b = np.abs(before), np.abs(after)
    top = max(float(a.max()), float(b.max()), 1e-30)
    return [int(k) for k in np.argsort(-a, kind="stable") if a[k] > USED * top >= b[k]]
