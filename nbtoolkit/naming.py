"""Choice of the naming rule by measurement: the rank of the word in its own states, with and without the final norm.

The concepts that the rule is for are never looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np

from .models.adapter import Model
from .models.checks import noise_images
from .models.generation import teacher_forced
from .text.stop_words import STOP_WORDS
from .text.tokens import tokenize_response
from .text.words import vocabulary
from .types import Naming, Representations

N_TOP = 15  # tokens that the paper looks at
N_STATES, N_LAYERS = 64, 6
ENOUGH = 0.6  # share of the pairs
SENTENCE = "A photo of a man and a dog on a street, next to a table with a red cup."
MIN_SAMPLES = 8  # with captions that differ, below which centring is not measured

_of_models: WeakKeyDictionary[Model, Naming] = WeakKeyDictionary()  # measured on the sentence


def choose_naming(naming: str | Naming, model: Model, reps: Representations | None = None) -> Naming:
    """Naming rule by name; ``"auto"`` is measured.

    Parameters
    ----------
    naming
        A rule, its name, or ``"auto"``.
    model
        The model whose unembedding matrix gives the words.
    reps
        Representations of a word by this model, to measure on; a sentence about a test image if None.

    Raises
    ------
    NbtoolkitError
        There is no such rule.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> choose_naming("auto", nbt.load_model("toy")).rule
    'paper'
    """
    if isinstance(naming, Naming):
        return naming
    return measure_naming(model, reps) if naming == "auto" else Naming(naming)


def measure_naming(model: Model, reps: Representations | None = None) -> Naming:
    """Choose the naming rule of a model from its states.

    The final norm is applied unless the rule of the paper names as well: unless the tokens that last-layer states predict,
    along a sentence about a test image and where the word is predicted, are among their 15 top tokens without the norm
    (in the median), or no lower than with it. Concepts are read about their mean if the states of the upper half of the
    layers rank the words of their own captions above those of others in less than 60 % of the pairs, and
    states about their mean do so in more of them, by more than two standard errors over samples.

    Parameters
    ----------
    model
        The model.
    reps
        As for :func:`choose_naming`; used where its states predict the word (``where="predict"``) and it has the last
        layer.

    Returns
    -------
    Naming
        With the ranks, and the pairs, as ``evidence``.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> measure_naming(nbt.load_model("toy")).evidence
    'median rank of the tokens predicted along a sentence 1 with the final norm, 1 without (23 states, 673 tokens)'
    """
    if model not in _of_models:
        _of_models[model] = _by_rank(model, *_sentence(model), "the tokens predicted along a sentence")
    general = _of_models[model]
    usable = reps is not None and reps.source.where == "predict" and model.n_layers in reps.layers
    if reps is None or not usable or not reps.source.token_ids:
        return general
    rows = _spread(len(reps), N_STATES)
    last = sorted({ids[-1] for ids in reps.source.token_ids})  # a state predicts the word's last sub-token
    own = _by_rank(model, reps.layer(-1)[rows], [last] * len(rows), f"{reps.source.token!r} in its own states")
    rule = "norm" if general.norm or own.norm else "paper"
    return _by_captions(model, reps, Naming(rule, f"{own.evidence}; {general.evidence}"))


def _spread(n: int, most: int) -> list[int]:
    """At most so many of the indices 0 … n - 1, at equal distances."""
    rows: list[int] = np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int)).tolist()
    return rows


def _sentence(model: Model) -> tuple[np.ndarray, list[list[int]]]:
    """Last-layer states of the model along a sentence about a test image, and the token that each predicts."""
    inputs = model.inputs(noise_images(1))
    ids = tokenize_response(model.tokenizer, SENTENCE)
    states = teacher_forced(model, inputs, [ids], [model.n_layers])[0, :, 0].cpu().numpy()
    return states, [[int(i)] for i in model.unembed(states).argmax(-1)]


def _by_rank(model: Model, states: np.ndarray, targets: Sequence[Sequence[int]], what: str) -> Naming:
    """The paper's rule, or the final norm, by the median rank of each state's best-ranked target."""
    ranks = {}
    for norm in (True, False):
        logits = model.unembed(states, norm=norm)
        best = np.array([row[ids].max() for row, ids in zip(logits, targets, strict=True)])
        ranks[norm] = float(np.median((logits > best[:, None]).sum(1) + 1))
    rule = "paper" if ranks[False] <= max(N_TOP, ranks[True]) else "norm"
    return Naming(
        rule,
        f"median rank of {what} {ranks[True]:,.12g} with the final norm, "
        f"{ranks[False]:,.12g} without ({len(states)} states, {logits.shape[1]:,} tokens)",
    )


def _by_captions(model: Model, reps: Representations, choice: Naming) -> Naming:
    """Centre if states about their mean tell the words of their own captions better from those of the others."""
    rows = _spread(len(reps), N_STATES)
    texts = [[reps.captions[k], *(reps.references[k] if len(reps.references) else ())] for k in rows]
    words = [vocabulary([group]) - STOP_WORDS - {reps.source.token.lower()} for group in texts]
    pieces = {w: _first_piece(model, w) for w in sorted(frozenset().union(*words))}
    own = [sorted({i for w in ws if (i := pieces[w]) is not None}) for ws in words]
    count = Counter(i for ids in own for i in ids)
    count = Counter({i: n for i, n in count.items() if n < len(rows)})  # what all captions say tells none apart
    own = [[i for i in ids if i in count] for ids in own]
    if sum(map(bool, own)) < MIN_SAMPLES:
        return choice
    scores = {centred: np.zeros(len(rows)) for centred in (False, True)}
    upper = [layer for layer in reps.layers if 2 * layer > model.n_layers]
    layers = [upper[i] for i in _spread(len(upper), N_LAYERS)]
    for layer in layers:
        states = reps.layer(layer)[rows]
        mean = (states.sum(0) - states) / (len(states) - 1)  # of the other samples
        for centred in scores:
            logits = model.unembed(states - mean if centred else states, norm=choice.norm)
            scores[centred] += [_share_above(x, ids, count) for x, ids in zip(logits, own, strict=True)]
    plain, about_mean = (scores[c][[bool(ids) for ids in own]] / len(layers) for c in (False, True))
    gain = about_mean - plain
    clear = gain.mean() > 2 * gain.std(ddof=1) / np.sqrt(len(gain))
    better = clear and plain.mean() < ENOUGH
    note = (
        f"{choice.evidence}; words of the own captions rank above those of others in {plain.mean():.1%} of pairs, "
        f"{about_mean.mean():.1%} about the mean state"
    )
    centred_rule = "norm-centred" if choice.norm else "centred"
    return Naming(centred_rule if better else choice.rule, note)


def _first_piece(model: Model, word: str) -> int | None:
    ids = model.tokenizer(" " + word, add_special_tokens=False)["input_ids"]
    return next((int(i) for i in ids if model.tokenizer.decode([i]).strip()), None)


def _share_above(logits: np.ndarray, own: list[int], count: Counter[int]) -> float:
    """Share of pairs of an own token and a token of another sample, weighted by its frequency, in which the own is higher."""
    others = np.array([i for i in count if i not in set(own)])
    if not own or not len(others):
        return 0.0
    weight = np.array([count[i] for i in others])
    above = (logits[own][:, None] > logits[others]) + 0.5 * (logits[own][:, None] == logits[others])
    return float((above @ weight).mean() / weight.sum())
