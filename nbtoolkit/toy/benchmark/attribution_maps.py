"""Attribution maps of words against the pixels that show them: pointing, insertion, deletion and time of every method."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas
import xarray

from ...attribution.attention import attention_to_image
from ...attribution.gradients import gradient_x_input
from ...attribution.integrated import integrated_gradients
from ...attribution.logits import direct_logit_attribution
from ...attribution.occlusion import occlusion
from ...errors import MeasurementError, MethodError
from ...metrics.faithful_maps import distance_from_centre, faithfulness, shares_of_mask
from ...models import load_model
from ...models.adapter import Model
from ...models.generation import respond
from ...targets.axes import patch_coordinates
from ...targets.making import target
from ...targets.target import Target
from ...types import Score
from ...types.arguments import checked
from ...types.measurement import Identity, Measurement
from ...types.rules import Count
from ..names import SCENES, WORLDS
from ..world.scenes import scenes
from ..world.second.scenes import masks
from ..world.second.vocabulary import WORDS
from .results import COLUMNS, Metric

Array = np.ndarray
N_IMAGES = 30
N_STEPS = 8  # of the curves
_NEEDED = 0.5  # nats that the word must lose without all patches, so that there is something to explain
_SCENES = 4  # scenes per image: in some the model says another word, or one that does not need the image

MAP_METRICS: Mapping[str, Metric] = {
    "pointing": Metric("pointing", "images", "Pointing game: the patch of the largest value shows the word's object in at least half "
                       "of its pixels."),
    "insertion": Metric("insertion", "images", "Area under the word's log p as patches are put back, the most important first, from 0 (no "
                        "patch) to 1 (all of them).", -np.inf, np.inf),
    "deletion": Metric("deletion", "images", "The same as patches are replaced by their mean, the most important first; smaller is "
                       "better.", -np.inf, np.inf),
    "seconds": Metric("seconds", "images", "Time of one map with the method's default settings, its null included.", 0.0, np.inf),
}  # fmt: skip


METHODS: Mapping[str, Callable[[Target], Measurement]] = {
    "attention, last layer, mean of heads": lambda t: attention_to_image(t).sel(layer=t.model.n_layers).mean("head"),
    "attention, mean of layers and heads": lambda t: attention_to_image(t).mean("layer", "head"),
    "occlusion": occlusion,
    "occlusion, 2 × 2 blocks": lambda t: occlusion(t, unit="block"),
    "occlusion, keep only": lambda t: occlusion(t, keep_only=True),
    "integrated gradients": integrated_gradients,
    "gradient × input": gradient_x_input,
    "direct logit attribution, sum of layers and heads": lambda t: direct_logit_attribution(t, "patch").sum(
        "layer", "head"
    ),
}


@checked
def attribution_maps(
    model: str = "toy-plain",
    *,
    n: Count = N_IMAGES,
    methods: Mapping[str, Callable[[Any], Measurement]] | None = None,
    random_state: int = 0,
    progress: Callable[[str], None] | None = None,
) -> pandas.DataFrame:
    """Scores of every attribution method on words for objects whose pixels are known.

    A target is the subject or the prop of a test scene in the model's own response, in turn; words whose log p falls by less
    than 0.5 nats without all patches are left out. Floors: a random map per image, and the middle of the image first.
    Ceiling of pointing: the share of each patch that shows the object. Of the curves it is none, as patches beside an object
    also hold what the vision tower has read of it.

    Parameters
    ----------
    model
        An embedded captioner of the second world.
    n
        Number of images, with one word each.
    methods
        Name to function of a target that gives a measurement over patches; those of this package where None.
    random_state
        Seed of the scenes and of the random maps.
    progress
        Called with a line of text at each method.

    Returns
    -------
    pandas.DataFrame
        The columns of ``Results.table``; scores are those of :data:`MAP_METRICS`.

    Raises
    ------
    MethodError
        A model without masks, or that needs the image for too few words.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> rows = attribution_maps(n=2, methods={"mine": nbt.attribution.gradient_x_input})
    >>> rows[(rows.method == "pixels of the object") & (rows.metric == "pointing")].value.tolist()
    [1.0]
    """
    if WORLDS.get(SCENES.get(model, "")) != "second":
        raise MethodError(
            f"model is {model!r}; expected a captioner of the second world, such as 'toy-plain': the first one has no masks."
        )
    loaded = load_model(model)
    pairs = _targets(loaded, n, random_state)
    task = f"words of {model}"
    rows: list[dict[str, Any]] = []
    for name, method in (METHODS if methods is None else methods).items():
        if progress is not None:
            progress(f"maps of {model}: {name}")
        rows += _rows(task, name, "method", [_scored(t, mask, method) for t, mask in pairs])
    rng = np.random.default_rng([random_state, 11])
    others: dict[str, tuple[str, Callable[[Target, Array], Array]]] = {
        "random maps": ("floor", lambda t, _mask: rng.random(len(t.at("image")))),
        "centre prior": ("floor", lambda t, _mask: -distance_from_centre(_boxes(t), t.image.size)),
        "pixels of the object": ("ceiling", lambda t, mask: shares_of_mask(_boxes(t), mask)),
    }
    for name, (kind, values) in others.items():
        rows += _rows(task, name, kind, [_scored(t, mask, _fixed(t, values(t, mask))) for t, mask in pairs])
    return _with_ends(pandas.DataFrame(rows))


def _targets(model: Model, n: int, random_state: int) -> list[tuple[Target, Array]]:
    """Words for objects in the model's own responses, each with the pixels that show the object."""
    result: list[tuple[Target, Array]] = []
    for row in scenes(_SCENES * n, split="test", random_state=random_state, world="second"):
        ids = respond(model, model.inputs([row["image"]]), 40)[0]
        response, pixels = model.decode(ids).strip(), masks(row)
        objects = {
            WORDS[word][0]: word
            for word in response.split()
            if word in WORDS
            and WORDS[word][0] in ("subject", "prop")
            and row["factors"][WORDS[word][0]] == WORDS[word][1]
        }
        factor = "prop" if len(result) % 2 and "prop" in objects else "subject"
        if factor not in objects or not pixels[factor].any():
            continue
        t = target(model, row["image"], objects[factor], response=response)
        if t.value - _without_patches(t) >= _NEEDED:
            result.append((t, pixels[factor]))
        if len(result) == n:
            return result
    raise MethodError(
        f"{model.name} needs the image for {len(result)} words of {_SCENES * n} scenes; expected {n}. Choose a smaller n."
    )


def _without_patches(t: Target) -> float:
    states, where = t.residual(0).copy(), list(t.at("image"))
    states[where] = states[where].mean(0)
    return float(t.replay(0, states[None])[0])


def _scored(t: Target, mask: Array, method: Callable[[Target], Measurement]) -> dict[str, float]:
    """Scores of one map; NaN where the method's check refuses it."""
    start = time.perf_counter()
    try:
        measured = method(t)
    except MeasurementError:
        return dict.fromkeys(MAP_METRICS, np.nan)
    seconds = time.perf_counter() - start
    details = faithfulness(measured, t, n_steps=N_STEPS, n_random=1, mask=mask).details
    areas = {name: float(details["auc"].sel(curve=name)) for name in ("insertion", "deletion")}
    return {"pointing": float(details["pointing"]), **areas, "seconds": seconds}


def _fixed(t: Target, values: Array) -> Callable[[Target], Measurement]:
    """A method that gives these values for every target."""
    array = xarray.DataArray(values, patch_coordinates(t, t.at("image")), "patch", "fixed")
    measured = Measurement(array, "no unit", Identity("none: the values are given", 0.0, 0.0), provenance=t.provenance)
    return lambda _t: measured


def _boxes(t: Target) -> Array:
    coordinates = patch_coordinates(t, t.at("image"))
    return np.stack([coordinates[name][1] for name in ("x0", "y0", "x1", "y1")], 1)


def _rows(task: str, method: str, kind: str, scored: list[dict[str, float]]) -> list[dict[str, Any]]:
    rows = []
    for name, metric in MAP_METRICS.items():
        if name == "seconds" and kind != "method":
            continue
        score = Score(np.array([one[name] for one in scored]), name)
        low, high = score.interval()
        rows.append(
            {
                "task": task, "method": method, "metric": name, "value": score.mean, "low": max(low, metric.low),
                "high": min(high, metric.high), "n": len(score.defined), "kind": kind, "unit": metric.unit, "n_replicates": 0,
            }
        )  # fmt: skip
    return rows


def _with_ends(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table with the best floor of each score, of deletion the smallest one, and the ceiling of pointing."""
    floors = table[table.kind == "floor"].groupby("metric").value
    best = floors.max().to_dict() | {"deletion": floors.min()["deletion"]}
    table["floor"] = [best.get(metric, np.nan) for metric in table.metric]
    table["ceiling"] = np.where(table.metric == "pointing", 1.0, np.nan)
    return table[list(COLUMNS)]
