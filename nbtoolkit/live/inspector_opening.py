"""What an Inspector opens with, as JSON: sides with their tokens and words, geometry, instruments with their costs."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.images import thumbnail
from ..errors import ModelError
from ..models.checks import relative_gap
from ..options import options
from ..storage.study import Study
from ..strict_json import as_json, encodable
from ..text.tokens import letters, read_piece
from .inspector_instruments import INSTRUMENTS
from .inspector_results import refusal
from .inspector_side import Side

if TYPE_CHECKING:
    from .inspector_session import InspectorSession

SIDE = 768  # pixels: longer side of the image
N_WORDS = 5  # per concept


def opening(session: InspectorSession) -> dict[str, Any]:
    """The facts that a view opens with.

    Parameters
    ----------
    session
        The session.
    """
    side = session.sides["a"]
    model = side.model
    facts = {
        "token": session.key,
        "foil": session.foil,
        "model": model.name,
        "n_layers": model.n_layers,
        "n_heads": model.n_heads,
        "d_model": model.d_model,
        "dtype": str(model.hf.dtype).removeprefix("torch."),
        "checks": _checks(side),
        "live": True,
        "locale": options.locale,
        "sides": {name: side_facts(one, _label(session.sides, name)) for name, one in session.sides.items()},
        "instruments": instruments(session),
        "compute": list(session.compute),
        "computed": list(session.measurements),
        "study": None if session.study is None else study_facts(session.study),
    }
    result: dict[str, Any] = as_json(facts)
    return result


def instruments(session: InspectorSession) -> list[dict[str, Any]]:
    """The instruments, with what each costs, and why it is refused where it is.

    Parameters
    ----------
    session
        The session.
    """
    return [
        {
            "name": one.name,
            "title": one.title,
            "summary": one.summary,
            "seconds": session.estimate(one.name),
            "passes": max(1, round(one.passes(session.sides["a"]))),
            "refused": refusal(one.name, session.sides["a"], session.study),
            "of": one.of,
        }
        for one in INSTRUMENTS.values()
    ]


def side_facts(side: Side, label: str) -> dict[str, Any]:
    """One side as JSON.

    Parameters
    ----------
    side
        The side.
    label
        What it is called.
    """
    width, height = side.image.size
    geometry, reason = _geometry(side)
    jpeg = base64.b64encode(thumbnail(side.image, SIDE)).decode()
    return {
        "question": side.question,
        "questions": bool(side.model.prompt),
        "response": side.response,
        "image": f"data:image/jpeg;base64,{jpeg}",
        "aspect": width / height,
        "label": label,
        "tokens": [[encodable(token.text), token.role] for token in side.tokens],
        "words": _words(side),
        "geometry": geometry,
        "no_grid": reason,
    }


def _label(sides: Mapping[str, Side], name: str) -> str:
    """What a side is called."""
    own, others = sides[name], [side for other, side in sides.items() if other != name]
    if others and others[0].model is not own.model:
        return str(own.model.name)
    if others and others[0].question != own.question and others[0].image is own.image:
        return own.question
    return "image" if name == "a" else "other image"


def _words(side: Side) -> list[dict[str, Any]]:
    words, start = [], side.n_prompt
    for key, word in side.words.items():
        first, last = word.span.first, word.span.last
        pieces = range(first, last + 1)
        log_p = sum(side.predictions[i][0] for i in pieces)
        words.append(
            {
                "key": encodable(key),
                "text": encodable(word.text),
                "position": start + first - 1,
                "positions": [start + i for i in pieces],
                "probability": math.exp(log_p),
                "runner_up": _runner_up(side, first, word.text),
                "refused": "",
            }
        )
    return words


def _runner_up(side: Side, step: int, word: str) -> list[Any] | None:
    """The most probable sub-token that does not begin the word, with its probability; None where none is near."""
    own = letters(word)
    for token, log_p in side.predictions[step][1]:
        text = read_piece(side.model.tokenizer, token)[0].strip()
        spelled = letters(text)
        if token != side.ids[step] and text and not (spelled and own.startswith(spelled)):
            return [encodable(text), math.exp(log_p)]
    return None


def _geometry(side: Side) -> tuple[dict[str, Any] | None, str]:
    """Where the image positions lie, and why there is no geometry."""
    positions, geometry, reason = side.grid
    if geometry is None:
        return None, reason
    scale = np.array([*geometry.size, *geometry.size], float)
    one = len(geometry.grids) == 1 and bool(geometry.grids[0].all())
    return {
        "positions": list(positions),
        "boxes": (geometry.boxes / scale).round(5).ravel().tolist(),
        "cells": np.column_stack([geometry.tiles, geometry.cells]).ravel().tolist(),
        "grid": geometry.grids[0].tolist() if one else None,
        "seen": (geometry.seen / scale).round(5).tolist(),
        "sentence": geometry.sentence,
    }, ""


def _checks(side: Side) -> str:
    """The model's own logits against those of the last layer's states, as the header has it."""
    recording = side.whole.recording
    own = recording.logits[0].float()
    gap = relative_gap(side.model.unembed(recording.stream[-1][0, -1:])[0].to(own.device), own)
    if not gap <= 1e-1:
        raise ModelError(
            f"The last layer's states of {side.model.name} unembed to other logits than the model's (relative difference {gap:.2g}); "
            "expected the same. Load the model with load_model, which checks it."
        )
    return f"checks ok ({gap:.0e})" if gap else "checks ok (exact)"


def study_facts(study: Study) -> Mapping[str, Any]:
    """Layers, names and words of the concepts of a study.

    Parameters
    ----------
    study
        The study.
    """
    layers = list(study.layers)
    return {
        "layers": layers,
        "names": {str(layer): [encodable(name) for name in study.names(layer)] for layer in layers},
        "n_concepts": {str(layer): study.dictionary(layer).n_concepts for layer in layers},
        "words": {
            str(layer): [[encodable(w) for w in row[:N_WORDS]] for row in study.groundings[layer].words]
            for layer in layers
        },
    }
