"""Instruments of the Inspector: name -> how a target is measured, what a message has of it, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..attribution.attention import attention_to_image
from ..attribution.integrated import integrated_gradients
from ..attribution.logits import direct_logit_attribution
from ..attribution.occlusion import occlusion
from ..lens.logits import logit_lens
from ..types.measurement import Measurement
from . import inspector_arrays as arrays
from .inspector_case import Case
from .inspector_concepts import concept_contributions, concept_map, writers
from .inspector_measures import N_RANDOM, N_STEPS, faithful, faithfulness_facts, knockout_by_head, patching
from .inspector_payload import Arrays
from .inspector_side import Side

TOP = 5  # words per state of the lens
PATH = 2 * 16 * 3  # passes of integrated gradients: two paths of 16 nodes, forward and backward


@dataclass(frozen=True, eq=False)
class Instrument:
    """One instrument of the Inspector.

    Attributes
    ----------
    name, title, summary
        Its name; as a heading; and what it measures, as a sentence.
    measure
        From a case to its measurement.
    arrays
        From a case and the measurement to what a message has.
    passes
        From a side to the cost, in passes of the model.
    of
        What is measured: ``"target"``, ``"layer:concept"``, ``"layer"`` or ``"map"``.
    image
        Whether it needs positions of the image.
    facts
        From the measurement to single values.
    """

    name: str
    title: str
    summary: str
    measure: Callable[[Case], Measurement]
    arrays: Callable[[Case, Measurement], Arrays]
    passes: Callable[[Side], float]
    of: str = "target"
    image: bool = True
    facts: Callable[[Measurement], Mapping[str, Any]] = field(default=lambda _: {})


def of_target(function: Callable[..., Measurement], **options: Any) -> Callable[[Case], Measurement]:
    """An instrument of the library as one of the Inspector.

    Parameters
    ----------
    function
        From a target to a measurement.
    **options
        Its options.
    """
    return lambda case: function(case.target, **options)


def _reading(side: Side) -> float:
    """The target's pass, the placebo's, and the unembedding of all of their states."""
    model, head = side.model, sum(parameter.numel() for parameter in side.model.head.parameters())
    blocks = sum(parameter.numel() for parameter in model.blocks.parameters())
    return 2 + 2 * (model.n_layers + 1) * head / max(1, blocks)


def _per_patch(side: Side, *, per: float, share: float) -> float:
    """Passes of an instrument that runs one copy per patch, of which the model computes a share of the positions."""
    return 2 + per * share * sum(token.role == "image" for token in side.tokens)


def _cuts(side: Side) -> float:
    """Every head of every layer, twice: the last positions only, of the layers from there on."""
    model = side.model
    return 2 + 2 * model.n_layers * model.n_heads * 0.02


def _groups(side: Side) -> float:
    """Two sources at every layer: the whole pass for the image's group, the last positions for the others."""
    return 4 + 1.5 * (side.model.n_layers + 1)


def _concepts(_side: Side) -> float:
    return 30.0


def _curves(_side: Side) -> float:
    return 2.0 * (N_STEPS + 1) * (N_RANDOM + 2)


_ALL = (
    Instrument(
        "lens",
        "Logit lens",
        "What the states of every layer and position read as: log-probability of the word, and the most probable ones.",
        of_target(logit_lens, top=TOP),
        arrays.lens,
        _reading,
        image=False,
    ),
    Instrument(
        "attention",
        "Attention to the image",
        "How much every head, where it predicts the word, reads from each patch.",
        of_target(attention_to_image),
        arrays.plain,
        lambda _: 4,
    ),
    Instrument(
        "occlusion",
        "Occlusion",
        "Change of the word when one patch is replaced by the mean patch; positive values support the word.",
        of_target(occlusion),
        arrays.plain,
        partial(_per_patch, per=2, share=0.6),
    ),
    Instrument(
        "gradients",
        "Integrated gradients",
        "Attribution to every patch along a path from a baseline without content; the scores sum to the change.",
        of_target(integrated_gradients, along="image"),
        arrays.plain,
        lambda _: PATH,
    ),
    Instrument(
        "concept",
        "Concept map",
        "Where in the image a concept of the study lies.",
        concept_map,
        arrays.plain,
        lambda _: 3,
        of="layer:concept",
    ),
    Instrument(
        "contribution",
        "Direct logit attribution",
        "What every head, attention and MLP adds to the word's logit, directly.",
        of_target(direct_logit_attribution, unit="head"),
        arrays.contribution,
        lambda _: 2,
        image=False,
        facts=arrays.contribution_facts,
    ),
    Instrument(
        "neurons",
        "Neurons",
        "What the strongest neurons add to the word's logit, directly, and the words that each promotes.",
        of_target(direct_logit_attribution, unit="neuron"),
        arrays.neurons,
        lambda _: 2,
        image=False,
        facts=arrays.neuron_facts,
    ),
    Instrument(
        "concepts",
        "Concepts",
        "What every concept of a layer contributes to the word.",
        concept_contributions,
        arrays.plain,
        _concepts,
        of="layer",
        image=False,
        facts=arrays.concept_facts,
    ),
    Instrument(
        "patching",
        "Activation patching",
        "How much of the word comes back when states of this image are put into the pass of another.",
        patching,
        arrays.plain,
        _groups,
    ),
    Instrument(
        "knockout",
        "Attention knockout",
        "Change of the word when one head, where it predicts the word, cannot read the image.",
        knockout_by_head,
        arrays.plain,
        _cuts,
    ),
    Instrument(
        "writers",
        "Writers of a concept",
        "What every head adds along the concept's direction where the word is predicted.",
        writers,
        arrays.writers,
        lambda _: 2,
        of="layer:concept",
        image=False,
        facts=arrays.writer_facts,
    ),
    Instrument(
        "faithfulness",
        "Faithfulness",
        "Deletion and insertion: does the word change first where the map says that it comes from?",
        faithful,
        arrays.curves,
        _curves,
        of="map",
        facts=faithfulness_facts,
    ),
)
INSTRUMENTS: Mapping[str, Instrument] = {one.name: one for one in _ALL}
