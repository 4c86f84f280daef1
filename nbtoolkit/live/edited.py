"""Edits of a session as interventions: contexts of ablations and steering, vectors and positions of what is steered."""

from __future__ import annotations

import contextlib
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import MethodError, NbtoolkitError
from ..interventions.ablation import ablate
from ..interventions.residual import steer
from ..interventions.unembedding import unembedding_direction
from ..interventions.vectors import concept_unit, typical_coefficient, word_contrast
from ..models.hooks import watching
from ..targets import Targets
from ..types import ConceptDictionary
from .session import Session

Array = np.ndarray
N_WORDS = 64  # units of words in memory: every stop of a slider needs one
N_MEASURED = 200  # concepts whose median norm is that of a typical one

_WORDS: weakref.WeakKeyDictionary[Session, OrderedDict[tuple[int, str], Unit]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Unit:
    """What one unit of strength adds.

    Attributes
    ----------
    vector : (d_model,)
        The vector.
    text
        What it is, for a reader.
    python
        The expression that gives it, of ``study``, ``model`` and ``directions``.
    """

    vector: Array
    text: str
    python: str


def unit(session: Session, edit: Mapping[str, Any]) -> Unit:
    """What one unit of strength of a steering edit adds.

    Parameters
    ----------
    session
        The session.
    edit
        An edit that :func:`nbtoolkit.widgets.edits.checked` has checked.

    Raises
    ------
    MethodError
        The dictionary has no decoder, or no sample uses the concept.
    TokenError
        The model's tokenizer cannot spell the word.
    """
    if "direction" in edit:
        name = edit["direction"]
        if name not in session.directions:
            raise NbtoolkitError(
                f"There is no direction {name!r}; the view has {', '.join(session.directions) or 'none'}."
            )
        return Unit(session.directions[name], "the direction as given", f"directions[{name!r}]")
    cd = session.study.dictionary(edit["layer"])
    if "concept" in edit:
        k = edit["concept"]
        vector = concept_unit(cd, k)
        text = f"the concept at its typical coefficient, {typical_coefficient(cd, k):.2f}"
        return Unit(vector, text, f"concept_unit(study.dictionary({cd.layer}), {k})")
    memory, key = _WORDS.setdefault(session, OrderedDict()), (cd.layer, edit["word"])
    if key not in memory:
        memory[key] = _of_word(session, edit["word"], cd)
        while len(memory) > N_WORDS:
            memory.popitem(last=False)
    return memory[key]


def _of_word(session: Session, word: str, cd: ConceptDictionary) -> Unit:
    """Difference of means where responses of the study contain a word; else its unembedding direction."""
    reps = session.study.representations
    with contextlib.suppress(MethodError):
        vector = word_contrast(reps, word, layer=cd.layer)
        text = f"mean state of the responses with “{word}”, less that of the others"
        return Unit(vector, text, f"word_contrast(study.representations, {word!r}, layer={cd.layer})")
    used = np.flatnonzero(cd.coefficients.any(0) & cd.concepts.any(1))[:N_MEASURED]
    if not len(used):
        raise MethodError(f"No sample uses a concept of layer {cd.layer}; expected one, whose strength the word gets.")
    length = round(float(np.median([np.linalg.norm(concept_unit(cd, k)) for k in used.tolist()])), 3)
    vector = unembedding_direction(session.model, word, reps.layer(session.model.n_layers), length=length)
    text = f"unembedding direction of “{word}”, as long as a typical concept ({length:.2f})"
    last = f"study.representations.layer({session.model.n_layers})"
    return Unit(vector, text, f"unembedding_direction(model, {word!r}, {last}, length={length})")


def n_prompt(targets: Targets) -> int:
    """Positions of the prompt in the residual stream.

    Parameters
    ----------
    targets
        Of one image.
    """
    (batch,) = targets.batches
    sizes: list[int] = []
    with watching(targets.model.blocks, lambda _, hidden: sizes.append(hidden.shape[1])):
        targets.model.forward(targets.model.extend(batch.inputs, [[]]))
    return sizes[0]


def places(targets: Targets, positions: str, length: int) -> Sequence[int] | slice:
    """Positions that an edit steers at.

    Parameters
    ----------
    targets
        Of one image.
    positions
        ``"all"``, ``"image"``, or ``"after"``: from the position on that predicts the token.
    length
        Of :func:`n_prompt`.

    Raises
    ------
    NbtoolkitError
        The image has no positions in the residual stream.
    """
    (batch,) = targets.batches
    if positions == "image":
        image = targets.model.image_mask(batch.inputs)[0].nonzero()[:, 0].tolist()
        if not image:
            raise NbtoolkitError(
                f"The image has no positions in the residual stream of {targets.model.name}; expected positions 'all' or 'after'."
            )
        return [int(p) for p in image]
    return slice(0, None) if positions == "all" else slice(length - 1 + batch.spans[0].first, None)


def ablation(session: Session, edit: Mapping[str, Any]) -> contextlib.AbstractContextManager[None]:
    """The context of an ablation.

    Parameters
    ----------
    session
        The session.
    edit
        A checked edit.
    """
    if "concept" in edit:
        cd = session.study.dictionary(edit["layer"])
        cd.require_decoder("the ablation of a concept")
        return ablate(session.model, cd.layer, direction=cd.concept(edit["concept"]))
    if not edit["layers"]:
        return contextlib.nullcontext()
    means = session.means(edit["part"]) if edit["how"] == "mean" else None
    return ablate(session.model, edit["layers"], part=edit["part"], how=edit["how"], heads=edit["heads"], means=means)


@contextlib.contextmanager
def edited(session: Session, edits: Sequence[Mapping[str, Any]], targets: Targets) -> Iterator[None]:
    """The context of a list of edits: the ablations, then what is added by steering.

    Parameters
    ----------
    session
        The session.
    edits
        Checked edits.
    targets
        Of one image.
    """
    ablations, steers = split(edits)
    length = n_prompt(targets) if any(edit["positions"] == "after" for edit in steers) else 0
    with contextlib.ExitStack() as stack:
        for edit in ablations:
            stack.enter_context(ablation(session, edit))
        for edit in steers:
            where = None if edit["positions"] == "all" else places(targets, edit["positions"], length)
            vector = unit(session, edit).vector
            stack.enter_context(steer(session.model, edit["layer"], vector, edit["strength"], where))
        yield


def split(edits: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Ablations and steering of a list of edits; steering by strength 0 is none.

    Parameters
    ----------
    edits
        Checked edits.
    """
    steers = [edit for edit in edits if edit["op"] == "steer" and edit["strength"]]
    return [edit for edit in edits if edit["op"] == "ablate"], steers
