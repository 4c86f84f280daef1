"""The logit lens: what a state would be as the last layer's, as log-probabilities of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray
from torch import Tensor

from ..models.adapter import Model
from ..models.inference import inference
from ..targets.axes import resolve_positions
from ..targets.target import Target
from ..text.tokens import read_piece
from ..types import resolve_layers
from ..types.arguments import checked
from ..types.measurement import Identity, Measurement
from ..types.nulls import PLACEBO_IMAGE
from ..types.rules import Count
from .positions import coordinates, placebo_target, visit_layers
from .reading import Reading, n_vocabulary
from .words import Watched, watch

if TYPE_CHECKING:
    from .tuned import TunedLens

UNDER_READS = (
    "The logit lens under-reads image tokens: 72 % of them are interpretable by their nearest contextual states, 23 % by the logit "
    "lens (LatentLens, arXiv 2602.00462)."
)


@checked
def logit_lens(
    target: Target,
    *,
    words: Sequence[str] = (),
    positions: Any = None,
    layers: Any = "all",
    top: Count = 5,
    tuned: TunedLens | None = None,
    placebo: Any = None,
) -> Measurement:
    """Log-probability of words at every layer and position, as if the state were the last layer's.

    The state gets the model's final norm, unembedding, scale and soft cap. Of a word of several sub-tokens, the first is read.

    Parameters
    ----------
    target
        The target; its word and its foil are read first.
    words
        Further words to read.
    positions
        A role (``"system"``, ``"image"``, ``"question"``, ``"response"``, ``"last"``), a list of positions, or all where None.
    layers
        Layers: 0 … n_layers; negative ones count from the last.
    top
        Number of most probable sub-tokens to name.
    tuned
        A fitted :class:`nbtoolkit.lens.TunedLens`, which translates the states first.
    placebo
        Image of the null, resized to the target's; where None, the negative of the target's, mixed with noise.

    Returns
    -------
    Measurement
        ``layer, position, word`` -> log-probability in nats. The null is the same with the placebo. Details: ``probability``
        and ``word_rank`` (1 is the most probable sub-token), ``other_spelling`` (log-probability of the word without the space in
        front that it has in the response, or with one; NaN where the tokenizer does not tell them apart), ``top_words`` and
        ``top_probability`` on an axis ``rank``, ``entropy`` in nats, ``vocabulary_mean`` (mean log-probability of all sub-tokens,
        in nats), ``whole_word`` (log-probability of all pieces of the target, where they are predicted, per layer), and ``piece``,
        ``other_piece`` and ``n_pieces`` of each word.

    Raises
    ------
    MeasurementError
        The last layer's lens differs from the model's own logits, or a layer's states overflow the number format.
    LayerError
        A layer that the model, or the tuned lens, does not have.
    TokenError
        The tokenizer cannot spell a word.

    References
    ----------
    nostalgebraist, "Interpreting GPT: the logit lens", 2020; on image tokens Neo et al. 2024, arXiv 2410.07149.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> t = nbt.target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "a", foil="the")
    >>> logit_lens(t, words=["dog"], positions="last").values.sizes
    Frozen({'layer': 6, 'position': 1, 'word': 3})
    """
    model = target.model
    available = None
    if tuned is not None:
        tuned.require(model)
        available = [*tuned.layers_, model.n_layers]
    hint = "" if tuned is None else "Fit the tuned lens for them."
    chosen = resolve_layers(layers, model.n_layers, available=available, needed=True, hint=hint)
    at, watched = resolve_positions(target, positions), watch(target, words)
    top = min(top, n_vocabulary(model))
    reading = Reading(model, watched, top, tuned)
    arrays = reading.of({layer: target.recording.stream[layer][0, list(at)] for layer in chosen})
    null = _null(target, placebo, reading, chosen, list(at))
    axes = {"layer": list(chosen)} | coordinates(target, at)
    word_axes = axes | {"word": [*watched.words]}
    dims = ("layer", "position", "word")
    return Measurement(
        xarray.DataArray(arrays["log_p"], word_axes, dims, "logit_lens"),
        "nats",
        _check(target),
        xarray.DataArray(null, word_axes, dims, "null"),
        PLACEBO_IMAGE,
        _details(model, arrays, axes, word_axes, watched) | _whole_word(target, chosen, reading),
        target.provenance
        | {
            "words": [*watched.words],
            "tuned": tuned is not None,
            "dtype": str(model.hf.dtype),
            "positions": _named(positions),
        },
        image=target.thumbnail,
        target=target,
        note=" ".join(filter(None, [_note(target, at), watched.note])),
    )


def _details(
    model: Model, arrays: Mapping[str, np.ndarray], axes: Any, word_axes: Any, watched: Watched
) -> dict[str, xarray.DataArray]:
    texts = {i: read_piece(model.tokenizer, i)[0] for i in np.unique(arrays["top"]).tolist()}
    names = np.array([texts[i] for i in arrays["top"].ravel().tolist()], object).reshape(arrays["top"].shape)
    ranks = {"rank": range(1, arrays["top"].shape[-1] + 1)}
    plain = xarray.DataArray(arrays["entropy"], axes, ("layer", "position")).coords  # whose indices are made once
    by_axis = {"": plain, "word": plain.assign({"word": word_axes["word"]}), "rank": plain.assign(ranks)}
    by_word = {"word": word_axes["word"]}
    tables: dict[str, tuple[np.ndarray, str]] = {
        "probability": (np.exp(arrays["log_p"]), "word"),
        "word_rank": (arrays["rank"], "word"),
        "other_spelling": (arrays["other"], "word"),
        "top_words": (names, "rank"),
        "top_probability": (arrays["top_p"], "rank"),
        "entropy": (arrays["entropy"], ""),
        "vocabulary_mean": (arrays["mean"], ""),
    }
    dims = ("layer", "position")
    result = {
        name: xarray.DataArray(values, by_axis[last], (*dims, last) if last else dims, name)
        for name, (values, last) in tables.items()
    }
    pieces = {
        "piece": np.array(watched.pieces, object),
        "other_piece": np.array(watched.other_pieces, object),
        "n_pieces": np.array(watched.n_pieces),
    }
    return result | {name: xarray.DataArray(values, by_word, "word", name) for name, values in pieces.items()}


def _whole_word(t: Target, layers: Sequence[int], reading: Reading) -> dict[str, xarray.DataArray]:
    """Log-probability of all pieces of the target, each where it is predicted."""
    states = reading.translated({layer: t.recording.stream[layer][0, list(t.positions)] for layer in layers})
    ids = torch.tensor([*t.piece_ids] * len(layers), device=states.device)
    with inference(t.model.hf):
        parts = [
            t.model.unembed(part).log_softmax(-1).gather(1, own[:, None])[:, 0].cpu()
            for part, own in zip(states.split(reading.size), ids.split(reading.size), strict=True)
        ]
    values = torch.cat(parts).reshape(len(layers), -1).sum(1).numpy()
    return {"whole_word": xarray.DataArray(values, {"layer": list(layers)}, "layer", "whole_word")}


def _null(t: Target, placebo: Any, reading: Reading, layers: Sequence[int], at: list[int]) -> np.ndarray:
    """Log-probabilities in a pass with the placebo image, whose stream is not stored unless few positions are read."""
    few: dict[int, Tensor] = {}
    values: dict[int, np.ndarray] = {}

    def visit(layer: int, states: Tensor) -> None:
        if layer not in layers:
            return
        if len(at) * len(layers) <= reading.size:
            few[layer] = states[at].clone()
        else:
            values[layer] = reading.of({layer: states[at]}, only="log_p")["log_p"][0]

    visit_layers(placebo_target(t, placebo), visit, t.n_positions)
    if few:
        return reading.of({layer: few[layer] for layer in layers}, only="log_p")["log_p"]
    return np.stack([values[layer] for layer in layers])


def _check(t: Target) -> Identity:
    """The last layer's lens against the model's own logits, at the last position."""
    own = t.recording.logits[0].float()
    lens = t.model.unembed(t.recording.stream[-1][0, -1:])[0].to(own.device)
    gap = float((lens - own).abs().max() / own.abs().max().clamp_min(1e-30))
    tolerance = 1e-4 if t.model.hf.dtype == torch.float32 else 3e-2  # as when the model is loaded
    return Identity("the last layer's lens equals the model's own logits (relative to the largest)", gap, tolerance)


def _named(positions: Any) -> Any:
    return positions if positions is None or isinstance(positions, str) else "given"


def _note(t: Target, at: Sequence[int]) -> str:
    span = t.image_span
    return UNDER_READS if span is not None and any(span[0] <= p <= span[1] for p in at) else ""
