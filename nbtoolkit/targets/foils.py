"""Foils: the words that a target is compared with, and the sub-token in which the two differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import MethodError
from ..models.adapter import Model
from ..text.tokens import Span, letters, read_piece, spell_in_place
from .batches import Batch, word_states
from .quantities import check_kind

N_COMPETITORS = 200  # tokens of largest logit among which the strongest competitor is searched


def check_foil(foil: str, words: Sequence[str]) -> None:
    """Refuse a foil that is the token.

    Parameters
    ----------
    foil
        The word to compare with.
    words
        All words that count as the token.

    Raises
    ------
    MethodError
        It is one of them.
    """
    if letters(foil) in {letters(word) for word in words}:
        raise MethodError(f"foil is {foil!r}, which counts as the token; expected another word.")


def check_options(kind: str, foil: str | None, words: Sequence[str]) -> None:
    """Refuse a quantity and a foil that no target can have, before a model is there.

    Parameters
    ----------
    kind, foil
        As for :meth:`nbtoolkit.targets.Targets.quantity`.
    words
        All words that count as the token.

    Raises
    ------
    MethodError
        An unknown quantity, a foil beside one that has none, or a foil that is the token.
    """
    check_kind(kind, foil)
    if foil is not None:
        check_foil(foil, words)


def partings(model: Model, batch: Batch, foil: str, words: Sequence[str]) -> list[tuple[int, int]]:
    """Per target the index of the piece where the word and a foil part, and the id of the foil's piece.

    Parameters
    ----------
    model, batch
        The model, and the responses.
    foil
        The word to compare with.
    words
        All words that count as the token.

    Raises
    ------
    MethodError
        The foil is the token, or one begins with the pieces of the other.
    TokenError
        The tokenizer cannot spell the foil.
    """
    spans = zip(batch.responses, batch.spans, strict=True)
    return [_parting(model.tokenizer, foil, span, ids[span.first : span.last + 1], words) for ids, span in spans]


def competitors(model: Model, batch: Batch, words: Sequence[str], states: Any = None) -> list[tuple[int, int, str]]:
    """Per target the piece at which a token of another word comes closest, the id of that token, and its text.

    Parameters
    ----------
    model, batch
        The model, and the responses.
    words
        All words that count as the token.
    states : (n_pieces, d_model)
        States of the last layer that predict the pieces; read where None.

    Raises
    ------
    MethodError
        No probable token is of another word.
    """
    last = word_states(model, batch, [model.n_layers])[0] if states is None else states
    logits = model.unembed(last).cpu()
    order = logits.topk(min(N_COMPETITORS, logits.shape[1])).indices.tolist()
    results = []
    for j, span in enumerate(batch.spans):
        options = []
        for piece, i in enumerate(i for i, row in enumerate(batch.rows) if row == j):
            before = letters(model.decode(batch.responses[j][span.first : span.first + piece]))
            token = _competitor(model.tokenizer, order[i], before, words)
            if token is not None:
                options.append((float(logits[i, batch.ids[i]] - logits[i, token[0]]), piece, *token))
        if not options:
            raise MethodError(
                f"None of the {N_COMPETITORS} most probable tokens in place of {span.word!r} is of another word; expected one. "
                "Give foil=…, a word to compare with."
            )
        results.append(min(options)[1:])
    return results


def _parting(tokenizer: Any, foil: str, span: Span, ids: Sequence[int], words: Sequence[str]) -> tuple[int, int]:
    """Index of the piece where a word and a foil part, and the foil's id there.

    Parameters
    ----------
    tokenizer
        A tokenizer of Hugging Face.
    foil
        The other word.
    span, ids
        The occurrence of the word, and its ids.
    words
        All words that count as the token.

    Raises
    ------
    MethodError
        The foil is the token, or one begins with the pieces of the other.
    TokenError
        The tokenizer cannot spell the foil.
    """
    check_foil(foil, words)
    other = spell_in_place(tokenizer, foil.strip(), span)
    for i, (own, its) in enumerate(zip(ids, other, strict=False)):
        if own != its:
            return i, its
    raise MethodError(
        f"foil is {foil!r}, whose sub-tokens begin as those of {span.word!r} do and end first; expected a word that differs from "
        "it in a sub-token of both. Choose another foil."
    )


def _competitor(tokenizer: Any, order: Sequence[int], before: str, words: Sequence[str]) -> tuple[int, str] | None:
    """First of the given tokens that begins or continues another word: its id and its text, or None.

    Parameters
    ----------
    tokenizer
        A tokenizer of Hugging Face.
    order
        Token ids, the most probable first.
    before
        Letters of the word's pieces before this one.
    words
        All words that count as the token.
    """
    own = [letters(word) for word in words]
    special = set(tokenizer.all_special_ids)
    for token in order:
        text = "" if token in special else read_piece(tokenizer, token)[0]
        if not any(c.isalpha() for c in text):
            continue
        spelled = before + letters(text)
        if not any(word.startswith(spelled) or spelled in (word, f"{word}s", f"{word}es") for word in own):
            return token, text.strip()
    return None
