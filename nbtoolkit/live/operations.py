"""Operations of a live session: functions of (session, **json) that return plain data.

A function with :func:`operation` above it can be run by its name, from Python (:meth:`nbtoolkit.live.Session.run`)
and from a page; no other place lists it. Arguments are keyword-only and come from the page: typed, bounded, never a
path. An argument called ``progress`` or ``cancel`` is filled by the session.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..attribution.concepts import contributions
from ..attribution.measures import MEASURES
from ..errors import NbtoolkitError
from ..interventions.ablation import HOW, PARTS, check_choice
from ..interventions.effects import effect, word_difference
from ..interventions.effects import layer_effects as effects_of_layers
from ..studies.pipeline import extend as extended
from ..targets.joining import joined
from ..types.nulls import RANDOM_DIRECTION
from ..widgets import edits as edit_rules
from ..widgets.concept_lists import N_LISTED
from .concept_effect import concept_effect as concept_effect
from .concept_operations import concept_maps as concept_maps
from .concept_operations import concept_maps_of as concept_maps_of
from .concept_operations import concepts_per_token as concepts_per_token
from .edited import edited
from .photographs import explain as explain
from .photographs import full_image as full_image
from .photographs import photograph as photograph
from .precomputed import interventions_of as interventions_of
from .registry import operation
from .responses import check_samples, chunks, responses
from .session import Session
from .snippets import edits_as_python as edits_as_python
from .steering import steer as steer

N_RANDOM = 2  # random directions of a layer's null


@operation
def ablate(session: Session, *, sample: str, edits: Sequence[dict[str, Any]] = (), at: int = -1) -> dict[str, Any]:
    """Effect of edits on the response to one image.

    Parameters
    ----------
    session
        The session.
    sample
        Id of the sample.
    edits
        Ablations, and steering; see :func:`nbtoolkit.widgets.edits.checked`.
    at
        Layer whose concepts are compared.

    Returns
    -------
    dict
        ``difference`` of the two responses, word by word, and the second one as ``response``; ``before`` and ``after``,
        the log-probability of the token in nats; ``vanished`` and ``appeared``, concepts of ``layer``, and their
        ``activations`` before and after, (2, n_concepts).
    """
    cd = session.study.dictionary(at)
    rules = edit_rules.checked(edits, session.study, session.model.n_heads, session.directions)
    with session.exclusive():
        target, length = session.response(sample), session.study.source.max_new_tokens
        result = effect(target, cd, lambda: edited(session, rules, target), max_new_tokens=length)
        difference = result.difference
        if session.has_given_caption(sample):  # a caption by a person says nothing about what the edit changed
            difference = word_difference(target.responses(length)[0], result.after)
    before, after = result.log_probability
    return {
        "difference": difference,
        "response": result.after,
        "before": before,
        "after": after,
        "layer": cd.layer,
        "vanished": result.vanished,
        "appeared": result.appeared,
        "activations": result.activations.astype(float).tolist(),
    }


@operation
def layer_effects(
    session: Session,
    *,
    samples: Sequence[str],
    part: str = "block",
    how: str = "zero",
    progress: Callable[[int, int], None] | None = None,
    cancel: threading.Event | None = None,
) -> dict[str, Any]:
    """Change of the token's log-probability when each layer is ablated, one after the other.

    Parameters
    ----------
    session, samples
        The session, and the ids of the samples.
    part, how
        As for :func:`nbtoolkit.interventions.ablate`.
    progress, cancel
        Called with (done, total), in images; and the event that stops the operation.

    Returns
    -------
    dict
        ``layers``; ``change`` and ``null``, one list per image in nats; ``preserves``, what the null preserves; ``samples``,
        those whose response contains the token.

    Raises
    ------
    Cancelled
        The event was set.
    """
    most = len(session.study.samples) + len(session.photographs)
    if len(samples) > most:
        raise NbtoolkitError(f"samples has {len(samples)} entries; expected at most {most}.")
    check_samples(session, samples)
    check_choice(how, HOW, "how")
    check_choice(part, PARTS, "part")
    change, null, rows = [], [], []
    for chunk, report in chunks(samples, progress, cancel):
        with session.exclusive():
            means = session.means(part) if how == "mean" else None
            targets = responses(session, chunk)
            if not targets:
                continue
            result = effects_of_layers(
                joined([*targets.values()]),
                part=part,
                how=how,
                means=means,
                n_random=N_RANDOM,
                progress=report,
            )
        change += result.change.astype(float).tolist()
        null += result.null.astype(float).tolist()
        rows += list(targets)
    layers = list(range(1, session.model.n_layers + 1))
    return {"layers": layers, "change": change, "null": null, "preserves": str(RANDOM_DIRECTION), "samples": rows}


@operation
def attribution(
    session: Session, *, sample: str, at: int, quantity: str = "auto", foil: str | None = None
) -> dict[str, Any]:
    """Attribution of the token to the concepts of a layer.

    Parameters
    ----------
    session, sample, at
        The session, the id of the sample, and the layer of the concepts.
    quantity, foil
        What is attributed, as for :func:`nbtoolkit.attribution.contributions`.

    Returns
    -------
    dict
        As :meth:`nbtoolkit.attribution.Contributions.to_dict` gives it; of a large dictionary the values of ``concepts``, which
        some measure is not 0 for, out of ``n_concepts``.
    """
    cd = session.study.dictionary(at)
    with session.exclusive():
        result = contributions(session.response(sample), cd, quantity=quantity, foil=foil).to_dict(0)
    if cd.n_concepts <= N_LISTED:
        return result
    used = np.flatnonzero(np.any([result[measure] for measure in MEASURES], axis=0)).tolist()
    of_used = {measure: [result[measure][k] for k in used] for measure in MEASURES}
    return result | of_used | {"concepts": used, "n_concepts": cd.n_concepts}


@operation
def extend(
    session: Session,
    *,
    layers: Sequence[int],
    progress: Callable[[int, int], None] | None = None,
    cancel: threading.Event | None = None,
) -> dict[str, Any]:
    """Add layers to the study, as :func:`nbtoolkit.studies.extend` does.

    Parameters
    ----------
    session
        The session; its study has the layers from now on.
    layers
        Layers of the model.
    progress, cancel
        Called with (done, total), in layers; and the event that stops the operation. Finished layers stay.

    Returns
    -------
    dict
        ``layers`` of the study.
    """
    with session.exclusive():
        session.study = extended(session.study, session.model, layers, progress=progress, cancel=cancel)
    return {"layers": list(session.study.layers)}
