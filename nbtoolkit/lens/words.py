"""Words that a lens reads, and the sub-token by which it reads each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..targets.target import Target
from ..text.tokens import read_piece, spell_in_place, tokenize_response
from ..text.words import spellings


@dataclass(frozen=True)
class Watched:
    """Words, and the sub-tokens by which they are read.

    Attributes
    ----------
    words
        The words: the target's, its foil, and others.
    ids
        Id of each word's first sub-token, as spelled in the place of the target's.
    other_ids
        Id of its first sub-token without the space in front, or with one; -1 where it is the same.
    pieces, other_pieces
        Texts of both; empty where there is none.
    n_pieces
        Number of sub-tokens of each word.
    """

    words: tuple[str, ...]
    ids: tuple[int, ...]
    other_ids: tuple[int, ...]
    pieces: tuple[str, ...]
    other_pieces: tuple[str, ...]
    n_pieces: tuple[int, ...]

    @property
    def note(self) -> str:
        """A sentence about words that are read by one sub-token; empty where there are none."""
        same = [self.words[j] for j, i in enumerate(self.ids) if self.ids.count(i) > 1]
        if not same:
            return ""
        names = ", ".join(map(repr, same))
        return f"{names} begin with the same sub-token, so that the lens reads the same values for them."


def watch(t: Target, words: Sequence[str]) -> Watched:
    """The target's word, its foil, and others, with the sub-tokens by which a lens reads them.

    Parameters
    ----------
    t
        The target.
    words
        Further words.

    Raises
    ------
    TokenError
        A word is empty, or the tokenizer cannot spell it.
    """
    foil = t.foil or t.quantity.foil
    names = list(dict.fromkeys([t.word, *([foil] if foil else []), *(spellings(w)[0] for w in words)]))
    tokenizer = t.model.tokenizer
    rows = []
    for name in names:
        if name == t.word:
            own = t.piece_ids
        elif name == t.quantity.foil and t.foil == "":  # the strongest competitor: a sub-token of its own
            own = t.quantity.parting[0][1:]
        else:
            own = spell_in_place(tokenizer, name, t.span)
        own = _without_spaces(tokenizer, own)
        bare = not read_piece(tokenizer, own[0])[1]
        other = _without_spaces(tokenizer, tokenize_response(tokenizer, (" " if bare else "") + name))
        rows.append((own[0], other[0] if other and other[0] != own[0] else -1, len(own)))
    ids, others, lengths = zip(*rows, strict=True)
    texts = [["" if i < 0 else read_piece(tokenizer, i)[0] for i in column] for column in (ids, others)]
    return Watched(tuple(names), ids, others, tuple(texts[0]), tuple(texts[1]), lengths)


def _without_spaces(tokenizer: Any, ids: Sequence[int]) -> tuple[int, ...]:
    """Ids without pieces of white space at the front, as long as one is left."""
    ids = tuple(ids)
    while len(ids) > 1 and not tokenizer.decode([ids[0]]).strip():
        ids = ids[1:]
    return ids
