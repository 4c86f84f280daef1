"""Edits of an Inspector as interventions: the context of each, with the positions, states and vectors that it names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.images import read_image
from ..errors import MethodError
from ..interventions.ablation import ablate
from ..interventions.knockout_context import knock_out
from ..interventions.means import mean_contributions
from ..interventions.patch_mask import mask_patches
from ..interventions.residual import patch, steer
from ..interventions.unembedding import unembedding_direction
from ..interventions.vectors import concept_unit, word_contrast
from .inspector_places import places, readers, source_of

if TYPE_CHECKING:
    from .inspector_case import Case

Array = np.ndarray
Edit = Mapping[str, Any]
LENGTH = 0.5  # of a word's direction without a study, in median norms of the layer's states
N_MEANS = 16  # images of a study of which the mean contributions are taken


@contextlib.contextmanager
def edited(case: Case, edits: Sequence[Edit]) -> Iterator[None]:
    """The context of a list of edits, for one generation or one pass.

    Parameters
    ----------
    case
        The case: its session, side and target.
    edits
        Of :func:`nbtoolkit.widgets.inspector_edits.checked`.
    """
    made = [context for edit in edits for context in contexts(case, edit)]  # before one is in force
    with contextlib.ExitStack() as stack:
        for context in made:
            stack.enter_context(context)
        yield


def contexts(case: Case, edit: Edit) -> list[Any]:
    """The interventions of an edit.

    Parameters
    ----------
    case, edit
        The case, and an edit.
    """
    make = {"knock_out": _knock_out, "ablate": _ablate, "mask": _mask, "patch": _patch, "steer": _steer}
    return make[edit["op"]](case, edit)


def _knock_out(case: Case, edit: Edit) -> list[Any]:
    sources, targets = places(case, edit["sources"]), readers(case, edit["targets"])
    return [
        knock_out(case.side.model, sources, targets=targets, layers=edit["layers"] or None, heads=edit.get("heads"))
    ]


def _ablate(case: Case, edit: Edit) -> list[Any]:
    model = case.side.model
    if "vector" in edit:
        return [ablate(model, edit["layer"], direction=edit["vector"])]
    if "concept" in edit:
        return [ablate(model, edit["layer"], direction=direction(case, edit))]
    if "neurons" in edit:
        return [ablate(model, edit["layer"], part="mlp", neurons=edit["neurons"])]
    if not edit["layers"]:
        return []
    means = means_of(case, edit["part"]) if edit["how"] == "mean" else None
    return [ablate(model, edit["layers"], part=edit["part"], how=edit["how"], heads=edit["heads"], means=means)]


def _mask(case: Case, edit: Edit) -> list[Any]:
    _ = places(case, {"patches": edit["patches"]}), case.target.recording  # before an edit is in force
    return [mask_patches(case.target, edit["patches"])]


def _patch(case: Case, edit: Edit) -> list[Any]:
    source, layer, target = source_of(case, edit["from"]), edit["layer"], case.target
    if layer < target.first_layer:
        raise MethodError(
            f"layer of the edit is {layer}; expected one from {target.first_layer} on, as {target.model.name} adds the image again between "
            "its blocks before."
        )
    at = [p for p in places(case, edit["positions"]) if p < target.n_positions]
    of = edit.get("order", at)  # of a control: the same states at other places
    return [patch(target.model, layer, source.recording.stream[layer][:, list(of)], at)]


def _steer(case: Case, edit: Edit) -> list[Any]:
    where: Any = None
    if edit["positions"] == "image":
        where = list(places(case, "image"))
    elif edit["positions"] == "after":
        where = slice(case.target.positions[0], None)
    vector = edit["vector"] if "vector" in edit else direction(case, edit)
    return [steer(case.side.model, edit["layer"], vector, edit["strength"], where)]


def direction(case: Case, edit: Edit) -> Array:
    """Vector that an edit projects out, or of which it adds one unit, (d_model,).

    Parameters
    ----------
    case, edit
        The case, and an edit of a concept or a word.
    """
    study, layer = case.session.study, edit["layer"]
    if "word" in edit:
        return word_vector(case, edit["word"], layer)[0]
    if study is None:
        raise MethodError("The edit names a concept, and there is no study; expected nbt.inspect(…, study=…).")
    cd = study.dictionary(layer)
    cd.require_decoder("an edit of a concept")
    return concept_unit(cd, edit["concept"]) if edit["op"] == "steer" else cd.concept(edit["concept"])


def word_vector(case: Case, word: str, layer: int) -> tuple[Array, str]:
    """Direction of a word, (d_model,), and the Python expression that gives it.

    With a study in which responses have the word, it is the difference of means at the layer; else its unembedding direction
    at the mean state of the response, half as long as a state of the layer.

    Parameters
    ----------
    case
        The case.
    word
        The word.
    layer
        The layer that is steered.
    """
    study, target, start = case.session.study, case.target, case.side.n_prompt - 1
    if study is not None and layer in study.layers:
        with contextlib.suppress(MethodError):
            vector = word_contrast(study.representations, word, layer=layer)
            return vector, f"word_contrast(study.representations, {word!r}, layer={layer})"
    norm = float(np.median(np.linalg.norm(target.residual(layer)[start:], axis=-1)))
    length = round(LENGTH * norm, 3)
    vector = unembedding_direction(case.side.model, word, target.residual(-1)[start:], length=length)
    return vector, f"unembedding_direction(model, {word!r}, target.residual(-1)[{start}:], length={length})"


def means_of(case: Case, part: str) -> dict[int, Array]:
    """Mean contributions of all layers, computed once per side and part; see :func:`mean_images`.

    Parameters
    ----------
    case
        The case.
    part
        ``"block"``, ``"attention"`` or ``"mlp"``.
    """
    memory, side = case.side.means, case.side
    if part not in memory:
        layers = range(1, side.model.n_layers + 1)
        memory[part] = mean_contributions(
            side.model, mean_images(case), layers, part=part, prompt=side.question or None
        )
    return memory[part]


def mean_images(case: Case) -> list[Any]:
    """Images of the mean contributions: up to 16 of the study, else this one.

    Parameters
    ----------
    case
        The case.
    """
    study = case.session.study
    samples = [] if study is None else study.samples[:: max(1, len(study.samples) // N_MEANS)][:N_MEANS]
    return [read_image({"bytes": one.image}) for one in samples if one.image] or [case.side.image]
