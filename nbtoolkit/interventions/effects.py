"""Effects of interventions on a response: its words, its log-probability, the concepts that vanish."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import MethodError
from ..targets import Targets
from ..types import ConceptDictionary
from ..types.arguments import checked
from ..types.rules import Count, described
from .layers import LayerEffects as LayerEffects
from .layers import layer_effects as layer_effects

Array = np.ndarray
USED = 0.05  # share of the strongest activation below which a concept counts as unused


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


@checked
def effect(
    targets: Targets,
    cd: ConceptDictionary,
    intervention: Callable[[], AbstractContextManager[Any]],
    *,
    max_new_tokens: Count = 40,
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
    >>> effect(nbt.attribution.mentions(model, data["image"][22:23], "dog"), cd, lambda: nbt.interventions.ablate(model, [])).change
    0.0
    """
    if len(targets) != 1:
        raise MethodError(
            f"There are {len(targets)} targets; expected that of one image: mentions(model, [image], token)."
        )
    context = intervention()
    if not isinstance(context, AbstractContextManager):
        raise MethodError(
            f"intervention gives {described(context)}; expected a with block, as of lambda: ablate(model, 3)."
        )
    (before,), states = targets.read([cd.layer])
    with context:
        # first: a decoder of its own begins with one position, which would continue the count of a pass before
        (response,) = targets.responses(max_new_tokens)
        (after,), changed = targets.read([cd.layer])
    activations = cd.encode(np.concatenate([states[:, 0], changed[:, 0]]))
    return Effect(targets.captions[0], response, (float(before), float(after)), activations)


@checked
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
