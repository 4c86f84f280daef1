"""A response read again under edits: the word's log-probability and logit, and the response that the edited model gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from ..models.decoding import end_ids
from ..models.generation import respond
from ..models.hooks import watching
from ..models.inference import inference
from ..models.replay import replay
from ..text.tokens import read_piece
from .inspector_edits import Edit, edited

if TYPE_CHECKING:
    from .inspector_case import Case
    from .inspector_side import Side

TOP = 5


@dataclass(frozen=True, eq=False)
class Reading:
    """What a pass over the response says of the word.

    Attributes
    ----------
    log_prob, logit
        Of the word at its place, in nats and in logits: sums over its pieces.
    top
        The most probable sub-tokens where its first piece is predicted: text and probability.
    choices
        The most probable sub-token where each piece of the response is predicted, and what follows it.
    """

    log_prob: float
    logit: float
    top: tuple[tuple[str, float], ...]
    choices: tuple[int, ...]

    def to_dict(self) -> dict[str, float]:
        """Probability, log-probability and logit, as plain data."""
        return {"probability": math.exp(self.log_prob), "log_prob": self.log_prob, "logit": self.logit}


def read(case: Case, edits: Sequence[Edit]) -> Reading:
    """Read the response under edits, in one pass.

    Parameters
    ----------
    case, edits
        The case, and the edits.
    """
    side, span = case.side, case.side.word(case.key).span
    continues = side.continues  # measured before an edit is in force
    with edited(case, edits):
        states = _last_states(side, continues)
    with inference(side.model.hf):
        logits = side.model.unembed(states)  # (n_pieces + 1, n_vocabulary)
        steps, ids = list(range(span.first, span.last + 1)), list(side.ids[span.first : span.last + 1])
        own = logits[steps]
        log_p = own.log_softmax(-1)
        best = log_p[0].topk(min(TOP, logits.shape[-1]))
        pairs = list(zip(best.indices.tolist(), best.values.exp().tolist(), strict=True))
        top = tuple((read_piece(side.model.tokenizer, i)[0].strip(), p) for i, p in pairs)
        at = (range(len(ids)), ids)
        return Reading(float(log_p[at].sum()), float(own[at].sum()), top, tuple(logits.argmax(-1).tolist()))


def _last_states(side: Side, continues: bool) -> Tensor:
    """States of the last layer where the response is predicted, (n_pieces + 1, d_model), under what is in force."""
    model, recording = side.model, side.whole.recording
    if continues:  # past the vision tower
        states = replay(model, recording, 0, recording.stream[0])
    else:
        last: list[Tensor] = []
        with watching(model.blocks, lambda layer, own: last.append(own) if layer == model.n_layers else None):
            model.forward(side.whole.inputs)
        states = last[0]
    return states[0, side.n_prompt - 1 :]


def response(case: Case, edits: Sequence[Edit], reading: Reading) -> str:
    """The response of the edited model: the same where it chooses every piece of it, else generated.

    Parameters
    ----------
    case, edits
        The case, and the edits.
    reading
        Of :func:`read`, under the edits.
    """
    side, model = case.side, case.side.model
    n = len(side.ids)
    ends = n == side.longest or reading.choices[n] in end_ids(model)
    if side.continues and ends and reading.choices[:n] == side.ids:
        return side.response.strip()  # of a response that was given: it is the edited model's own
    with edited(case, edits):
        return model.decode(respond(model, side.prompt, side.longest)[0]).strip()


def before_edits(case: Case) -> str:
    """The response without edits: the model's own, also where another one was given.

    Parameters
    ----------
    case
        The case.
    """
    side = case.side
    return side.response if side.own else side.model.decode(list(side.generated)).strip()
