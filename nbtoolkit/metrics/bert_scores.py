"""BERTScore: similarity of words or sentences to references, by the contextual embeddings of a text encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np

from ..errors import MethodError
from ..types import Score
from ..types.arguments import checked
from ..types.rules import Rule, described

Array = np.ndarray
TokenEmbedder = Callable[[Sequence[str]], Sequence[tuple[Array, Array]]]  # texts to (embeddings, weights) of each


@checked
def bert_score(
    candidates: Annotated[Sequence[str], Rule("n")],
    references: Annotated[Sequence[Sequence[str]], Rule("n")],
    embed: TokenEmbedder,
    baseline: Annotated[float, Rule(most=0.99)] = 0.0,
) -> Score:
    """BERTScore F1 of each candidate with the best of its references, at most 1, no unit.

    Parameters
    ----------
    candidates
        One text per sample.
    references
        The reference texts of each sample; the largest F1 counts.
    embed
        From texts to (embeddings (n_tokens, d) of unit length, weights (n_tokens,)) of each text; tokens of weight 0,
        such as [CLS], can be matched but do not count. :func:`nbtoolkit.models.load_text_encoder` gives one.
    baseline
        b, the F1 of unrelated sentences, for (F1 − b) / (1 − b); 0 gives F1 itself.

    Returns
    -------
    Score
        One value per sample; NaN for a sample without references.

    References
    ----------
    Zhang et al., "BERTScore", ICLR 2020, equations of section 3; Parekh et al. 2024, appendix C.2 (the maximum).

    Examples
    --------
    >>> one_hot = lambda texts: [(np.eye(3)[[ord(c) - 97 for c in t]], np.ones(len(t))) for t in texts]
    >>> bert_score(["ab"], [["ab", "c"]], one_hot).values.tolist()
    [1.0]
    """
    unique = list(dict.fromkeys([*candidates, *(r for group in references for r in group)]))
    tokens = dict(zip(unique, _embedded(embed, unique), strict=True))
    best = [
        max((_f1(tokens[c], tokens[r]) for r in group), default=float("nan"))
        for c, group in zip(candidates, references, strict=True)
    ]
    return Score((np.array(best) - baseline) / (1 - baseline), "bert_score")


def _embedded(embed: TokenEmbedder, texts: Sequence[str]) -> Sequence[tuple[Array, Array]]:
    pairs = embed(texts)
    if not isinstance(pairs, Sequence) or len(pairs) != len(texts) or any(len(pair) != 2 for pair in pairs):
        raise MethodError(
            f"embed gives {described(pairs)} for {len(texts)} texts; expected (embeddings, weights) of each, as of load_text_encoder."
        )
    return pairs


def _f1(candidate: tuple[Array, Array], reference: tuple[Array, Array]) -> float:
    (x, wx), (y, wy) = candidate, reference
    if wx.sum() == 0 or wy.sum() == 0:
        return 0.0
    cosines = np.asarray(x, np.float64) @ np.asarray(y, np.float64).T
    precision, recall = float(cosines.max(1) @ wx / wx.sum()), float(cosines.max(0) @ wy / wy.sum())
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0
