"""Steering of one response: rewritten by edits of the residual stream, beside random directions of equal norm."""

from __future__ import annotations

import contextlib
import json
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..errors import NbtoolkitError
from ..interventions.effects import Effect
from ..interventions.places import Places
from ..interventions.residual import steer as steering
from ..models.drafts import Draft, Shift, draft
from ..targets import Targets
from ..types import ConceptDictionary
from ..types.nulls import RANDOM_DIRECTION
from ..widgets import edits as edit_rules
from .edited import ablation, n_prompt, places, split, unit
from .registry import operation
from .session import Session

Array = np.ndarray
DRAWS = 4  # random directions of the control
MAX_DRAWS = 16
N_BASES = 2  # in memory, with the keys and values of every layer
SEED = 0

_BASES: weakref.WeakKeyDictionary[Session, OrderedDict[str, Any]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Base:
    """What all strengths of a slider share: one response, read under the ablations in force.

    Attributes
    ----------
    targets
        The response.
    response, log_probability
        Unedited: the response, and the log-probability of the token in nats.
    states : (n_layers + 1, d_model)
        Unedited states at the position that predicts the token.
    draft
        The recorded pass under the ablations, or None where a pass of the model cannot be continued.
    length
        Positions of the prompt.
    """

    targets: Targets
    response: str
    log_probability: float
    states: Array
    draft: Draft | None
    length: int


@dataclass(frozen=True, eq=False)
class Row:
    """One row of edits.

    Attributes
    ----------
    response, log_probability
        The response, and the log-probability of the token at its place in the unedited one, in nats.
    state : (d_model,)
        State of the compared layer at the position that predicts the token.
    """

    response: str
    log_probability: float
    state: Array


@operation
def steer(
    session: Session, *, sample: str, edits: Sequence[dict[str, Any]], at: int = -1, draws: int = DRAWS
) -> dict[str, Any]:
    """The response to one image under edits that steer, beside random directions of equal norm.

    Parameters
    ----------
    session
        The session.
    sample
        Id of the sample.
    edits
        Edits of :func:`nbtoolkit.widgets.edits.checked`, of which one steers at least; ablations are in force too.
    at
        Layer whose concepts are compared.
    draws
        Random directions of the control, 1 … 16: in each, every steered direction is another one of the same norm, the same ones
        each time. One where a pass of the model cannot be continued, for then each costs a generation.

    Returns
    -------
    dict
        As of :func:`nbtoolkit.live.operations.ablate`, with ``units``, what one unit of each steered direction is, and
        ``control``: ``responses`` and ``after`` (log-probabilities in nats) per draw; ``changed``, the number of those with another
        response than the unedited one; ``preserves``.
    """
    if not 1 <= draws <= MAX_DRAWS:
        raise NbtoolkitError(f"draws is {draws}; expected 1 … {MAX_DRAWS}.")
    cd = session.study.dictionary(at)
    ablations, steers = split(edit_rules.checked(edits, session.study, session.model.n_heads, session.directions))
    if not steers:
        raise NbtoolkitError("edits has nothing that steers; expected one that does by another strength than 0.")
    with session.exclusive():
        base = base_of(session, sample, ablations)
        units = [unit(session, edit) for edit in steers]
        vectors = [edit["strength"] * own.vector for edit, own in zip(steers, units, strict=True)]
        random = random_directions(vectors, draws if base.draft else 1)
        sets = [np.stack([own, *others]) for own, others in zip(vectors, random, strict=True)]
        row, *others = run(session, base, ablations, steers, sets, cd.layer)
    return result_of(base, cd, row, others) | {"units": [own.text for own in units]}


def result_of(base: Base, cd: ConceptDictionary, row: Row, others: Sequence[Row]) -> dict[str, Any]:
    """What a page shows of a row of edits and its control.

    Parameters
    ----------
    base
        The response.
    cd
        Dictionary whose concepts are compared.
    row, others
        The edits, and random directions of equal norm.
    """
    activations = cd.encode(np.stack([base.states[cd.layer], row.state]))
    result = Effect(base.response, row.response, (base.log_probability, row.log_probability), activations)
    return {
        "difference": result.difference,
        "response": result.after,
        "before": base.log_probability,
        "after": row.log_probability,
        "layer": cd.layer,
        "vanished": result.vanished,
        "appeared": result.appeared,
        "activations": activations.astype(float).tolist(),
        "control": {
            "responses": [other.response for other in others],
            "after": [other.log_probability for other in others],
            "changed": sum(other.response != base.response for other in others),
            "preserves": str(RANDOM_DIRECTION),
        },
    }


def random_directions(vectors: Sequence[Array], n: int) -> list[Array]:
    """Random directions of the norms of vectors, the same ones each time, (n, d_model) per vector.

    Parameters
    ----------
    vectors : (d_model,)
        The vectors.
    n
        Number of directions per vector.
    """
    rng, sets = np.random.default_rng(SEED), []
    for vector in vectors:
        noise = rng.normal(size=(n, len(vector)))
        sets.append(noise * (np.linalg.norm(vector) / np.linalg.norm(noise, axis=1, keepdims=True)))
    return sets


def base_of(session: Session, sample: str, ablations: Sequence[Mapping[str, Any]] = ()) -> Base:
    """The response to one image, read under ablations; the last two stay in memory.

    Parameters
    ----------
    session
        The session.
    sample
        Id of the sample.
    ablations
        Checked edits.
    """
    memory = _BASES.setdefault(session, OrderedDict())
    key = json.dumps([sample, list(ablations)])
    if key not in memory:
        memory[key] = _read(session, sample, ablations)
        while len(memory) > N_BASES:
            memory.popitem(last=False)
    memory.move_to_end(key)
    return memory[key]


def _read(session: Session, sample: str, ablations: Sequence[Mapping[str, Any]]) -> Base:
    model, limit = session.model, session.study.source.max_new_tokens
    targets = session.response(sample)
    (batch,) = targets.batches
    (log_probability,), states = targets.read(range(model.n_layers + 1))
    response = targets.responses(limit)[0] if session.has_given_caption(sample) else targets.captions[0]
    ids = batch.responses[0][:limit]
    recorded = None
    if batch.spans[0].last < len(ids):
        with ablating(session, ablations):
            recorded = draft(model, batch.inputs, ids, limit)
    length = recorded.n_prompt if recorded else n_prompt(targets)
    return Base(targets, response, float(log_probability), states[0], recorded, length)


def run(
    session: Session,
    base: Base,
    ablations: Sequence[Mapping[str, Any]],
    steers: Sequence[Mapping[str, Any]],
    vectors: Sequence[Array],
    layer: int,
) -> list[Row]:
    """Responses under rows of edits, side by side where a pass of the model can be continued.

    Parameters
    ----------
    session
        The session.
    base
        Of :func:`base_of`, with the same ablations.
    ablations, steers
        Checked edits.
    vectors : (n, d_model)
        What each of ``steers`` adds, per row.
    layer
        Layer whose states to return.
    """
    where = [places(base.targets, edit["positions"], base.length) for edit in steers]
    with ablating(session, ablations):
        if base.draft is not None:
            return _continued(session, base, steers, vectors, where, layer)
        rows = []
        for j in range(len(vectors[0])):
            with contextlib.ExitStack() as stack:
                for edit, at, own in zip(steers, where, vectors, strict=True):
                    stack.enter_context(steering(session.model, edit["layer"], own[j], positions=at))
                # first: a decoder of its own begins with one position, which would continue the count of a pass before
                (response,) = base.targets.responses(session.study.source.max_new_tokens)
                (after,), states = base.targets.read([layer])
                rows.append(Row(response, float(after), states[0, 0]))
        return rows


def _continued(
    session: Session,
    base: Base,
    steers: Sequence[Mapping[str, Any]],
    vectors: Sequence[Array],
    where: Sequence[Any],
    layer: int,
) -> list[Row]:
    recorded: Any = base.draft
    shifts = [
        Shift(edit["layer"], torch.tensor(own, dtype=torch.float32), recorded.mask(Places(at)))
        for edit, at, own in zip(steers, where, vectors, strict=True)
    ]
    logits, responses, states = recorded.run(shifts, len(vectors[0]), layer)
    (batch,) = base.targets.batches
    pieces, ids = batch.steps, batch.ids
    scores = logits[:, pieces].log_softmax(-1)[:, range(len(ids)), ids].sum(-1).cpu().tolist()
    at_token = states[:, pieces[-1]].float().cpu().numpy()
    texts = [session.model.decode(own).strip() for own in responses]
    return [Row(*row) for row in zip(texts, scores, at_token, strict=True)]


@contextlib.contextmanager
def ablating(session: Session, ablations: Sequence[Mapping[str, Any]]) -> Iterator[None]:
    """Context of several ablations.

    Parameters
    ----------
    session
        The session.
    ablations
        Checked edits.
    """
    with contextlib.ExitStack() as stack:
        for edit in ablations:
            stack.enter_context(ablation(session, edit))
        yield
