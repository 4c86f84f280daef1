"""Quantities of a response that are attributed: the token's log-probability, its logit, or its logit less a foil's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import MethodError
from ..text.tokens import subtoken_variants
from ..text.words import normalize

if TYPE_CHECKING:
    from ..models.adapter import Model

KINDS = {
    "log_probability": "log p",
    "logit": "logit",
    "logit_difference": "logit difference",
}
SATURATED = np.log(0.9)  # log-probability from which its changes say little of what speaks for the token
_CANDIDATES = 50  # logits among which the foil is searched


@dataclass(frozen=True)
class Quantity:
    """A number per response, as a function of the last layer's states; all in nats.

    Of a token of several sub-tokens, log-probability and logit are sums over them, and the difference is taken where the
    foil parts from the token.

    Attributes
    ----------
    kind
        ``"log_probability"``, ``"logit"`` or ``"logit_difference"``.
    foils
        The foil of each response, as it is spelled; empty without foils.
    note
        Why this quantity was chosen; empty where it was given.
    """

    kind: str
    foils: tuple[str, ...] = ()
    note: str = ""
    _foil_ids: tuple[int, ...] = ()
    _parting: tuple[
        int, ...
    ] = ()  # index of the sub-token where the foil parts from the token, from the last one: 0, -1 …

    @property
    def unit(self) -> str:
        """Of every quantity: nats."""
        return "nats"

    @property
    def label(self) -> str:
        """Short name, such as ``"log p"`` or ``"logit difference to “cat”"``."""
        names = list(dict.fromkeys(f.strip() for f in self.foils))
        return KINDS[self.kind] + (f" to “{names[0]}”" if len(names) == 1 else " to each foil" if names else "")

    @property
    def parts_early(self) -> bool:
        """Whether some foil parts from the token before its last sub-token."""
        return any(self._parting)

    def __repr__(self) -> str:
        return f"Quantity: {self.label}" + (f" ({self.note})" if self.note else "")

    @classmethod
    def of_kind(cls, kind: str, foil: str | None = None) -> Quantity:
        """A quantity without foils.

        Parameters
        ----------
        kind
            ``"log_probability"`` or ``"logit"``.
        foil
            Must be None.

        Raises
        ------
        MethodError
            An unknown kind, or a foil with a kind that has none.
        """
        if kind not in KINDS:
            raise MethodError(f"target is {kind!r}; expected 'auto' or one of {', '.join(map(repr, KINDS))}.")
        if foil is not None:
            raise MethodError(f"foil is {foil!r} with target={kind!r}; a foil needs target='logit_difference'.")
        return cls(kind)

    @classmethod
    def against(cls, model: Model, token: str, words: Sequence[Sequence[int]], foil: str) -> Quantity:
        """Logit of the token less that of a given foil.

        Parameters
        ----------
        model, token
            The model, and the token.
        words
            Ids of the token in each response.
        foil
            A word.

        Raises
        ------
        MethodError
            The foil is the token, or one begins with the other.
        TokenError
            The tokenizer cannot spell the foil.
        """
        if not isinstance(foil, str) or not foil.strip():
            raise MethodError(f"foil is {foil!r}; expected a word, such as foil='cat'.")
        spelled = subtoken_variants(model.tokenizer, foil)
        ids, steps = [], []
        for word in words:
            other = min(spelled, key=lambda v, word=word: _distance(model.tokenizer, v, word))  # type: ignore[misc] # bound at once
            at = next((i for i, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), None)
            if at is None:
                raise MethodError(
                    f"foil is {foil!r}, which does not part from {token!r}; expected another word that could stand in its place."
                )
            ids.append(other[at])
            steps.append(at - len(word) + 1)
        return cls("logit_difference", (foil,) * len(ids), "", tuple(ids), tuple(steps))

    @classmethod
    def chosen(
        cls, model: Model, token: str, words: Sequence[Sequence[int]], logits: Tensor, scores: np.ndarray, kind: str
    ) -> Quantity:
        """Log-probability, or where it is saturated the logit difference to the strongest other word.

        Parameters
        ----------
        model, token, words
            As for :meth:`against`.
        logits : (n, n_vocabulary)
            Where the token's last sub-token is predicted.
        scores : (n,)
            Log-probabilities of the token, in nats.
        kind
            ``"auto"``, or ``"logit_difference"`` for that in any case.
        """
        middle = float(np.median(scores))
        if kind == "auto" and middle < SATURATED:
            return LOG_PROBABILITY
        tops = logits.topk(min(_CANDIDATES, logits.shape[-1])).indices.tolist()
        ids = [_other(model, word[-1], row) for word, row in zip(words, tops, strict=True)]
        note = f"log p is saturated: {middle:.3f} nats, a probability of {np.exp(middle):.2f}" if kind == "auto" else ""
        texts = tuple(model.tokenizer.decode([i]) for i in ids)
        return cls("logit_difference", texts, note, tuple(ids), (0,) * len(ids))

    def part(self, start: int, stop: int) -> Quantity:
        """The quantity of some responses.

        Parameters
        ----------
        start, stop
            Rows of the responses.
        """
        if not self.foils:
            return self
        per_row: dict[str, Any] = {n: getattr(self, n)[start:stop] for n in ("foils", "_foil_ids", "_parting")}
        return replace(self, **per_row)

    def of_last_piece(self, words: Sequence[Sequence[int]]) -> bool:
        """Whether only the states that predict the last sub-token matter.

        Parameters
        ----------
        words
            Ids of the token in each response.
        """
        return not self.parts_early if self.foils else all(len(word) == 1 for word in words)

    def of(
        self,
        model: Model,
        last: Tensor,
        prefixes: Sequence[Sequence[int]],
        words: Sequence[Sequence[int]],
        *,
        gradient: bool = False,
    ) -> Tensor:
        """Values of the quantity, (n,).

        Parameters
        ----------
        model
            The adapter.
        last : (steps, n, d_model)
            States of the last layer; step s predicts sub-token s of a response.
        prefixes
            Per response, the ids before the last sub-token of the token.
        words
            Per response, the ids of the token.
        gradient
            Record gradients.
        """
        if self.foils:
            steps = [len(prefix) + back for prefix, back in zip(prefixes, self._parting, strict=True)]
            logits = model.unembed(last[steps, range(len(words))], gradient=gradient)
            own = [word[back - 1] for word, back in zip(words, self._parting, strict=True)]
            return logits[range(len(own)), own] - logits[range(len(own)), list(self._foil_ids)]
        pieces = [
            (len(prefix) - len(word) + 1 + i, row, piece)
            for row, (prefix, word) in enumerate(zip(prefixes, words, strict=True))
            for i, piece in enumerate(word)
        ]
        steps, rows, ids = (list(column) for column in zip(*pieces, strict=True))
        logits = model.unembed(last[steps, rows], gradient=gradient)
        scores = logits if self.kind == "logit" else logits.log_softmax(-1)
        values = scores[range(len(ids)), ids]
        return values.new_zeros(len(words)).index_add(0, torch.tensor(rows, device=values.device), values)


LOG_PROBABILITY = Quantity("log_probability")


def _distance(tokenizer: Any, ids: Sequence[int], word: Sequence[int]) -> tuple[int, bool, bool]:
    """How a spelling of the foil differs from the token: most common sub-tokens, another space before it, another case."""
    common = next((i for i, (a, b) in enumerate(zip(ids, word, strict=False)) if a != b), min(len(ids), len(word)))
    marks = [tokenizer.convert_ids_to_tokens(int(sequence[0])) for sequence in (ids, word)]
    space, capital = ([f(mark) for mark in marks] for f in (_spaced, _capital))
    return -common, space[0] != space[1], capital[0] != capital[1]


def _spaced(piece: Any) -> bool:
    return str(piece)[:1] in ("▁", "Ġ", " ")


def _capital(piece: Any) -> bool:
    return any(c.isupper() for c in str(piece).lstrip("▁Ġ ")[:1])


def _other(model: Model, own: int, candidates: Sequence[int]) -> int:
    """The first candidate whose text is of another word: neither begins with the other."""
    text = _plain(model, own)
    for i in candidates:
        other = _plain(model, i)
        if i != own and other and not text.startswith(other) and not other.startswith(text):
            return int(i)
    raise MethodError(
        f"None of the {len(candidates)} tokens of largest logit is another word than {text!r}; give a foil, such as foil='cat'."
    )


def _plain(model: Model, i: int) -> str:
    return normalize(model.tokenizer.decode([i])).strip().casefold()
