"""Edits as lines of Python that do the same without a view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..widgets import edits as edit_rules
from .edited import n_prompt, places, split, unit
from .registry import operation
from .session import N_MEAN, Session

NAMES = ("ablate", "concept_unit", "mean_contributions", "steer", "unembedding_direction", "word_contrast")


@operation
def edits_as_python(session: Session, *, sample: str, edits: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Lines of Python that give the response to one image, and the log-probability of the token, under edits.

    Parameters
    ----------
    session
        The session.
    sample
        Id of the sample.
    edits
        Edits of :func:`nbtoolkit.widgets.edits.checked`.

    Returns
    -------
    dict
        ``text``: the lines. They use the names ``study`` and ``model`` of ``nbt.explore(study, model)``, and ``data`` and
        ``directions`` where these were given to it.
    """
    rules = edit_rules.checked(edits, session.study, session.model.n_heads, session.directions)
    with session.exclusive():
        ablations, steers = split(rules)
        ablations = [edit for edit in ablations if "concept" in edit or edit["layers"]]
        contexts = [_ablation(edit) for edit in ablations] + [_steering(session, sample, edit) for edit in steers]
    names = [name for name in NAMES if any(f"{name}(" in context for context in contexts)]
    image, imports = _image(session, sample)
    means = any("mean_contributions(" in context for context in contexts)
    indent = "    " if contexts else ""
    lines = [
        "import nbtoolkit as nbt",
        *([f"from nbtoolkit.interventions import {', '.join(names)}"] if names else []),
        *imports,
        "",
        f"image = {image}",
        f"targets = nbt.attribution.mentions(model, [image], {session.study.token!r}{_options(session, sample)})",
        *([_images(session)] if means else []),
        *([f"with {', '.join(contexts)}:"] if contexts else []),
        f"{indent}print(targets.responses({session.study.source.max_new_tokens})[0])",
        f"{indent}print(targets.read()[0][0])  # log-probability of the token, in nats",
    ]
    return {"text": "\n".join(lines) + "\n"}


def _ablation(edit: Mapping[str, Any]) -> str:
    if "concept" in edit:
        layer, k = edit["layer"], edit["concept"]
        return f"ablate(model, {layer}, direction=study.dictionary({layer}).concept({k}))"
    options = "" if edit["part"] == "block" else f", part={edit['part']!r}"
    if edit["heads"]:
        options += f", heads={edit['heads']}"
    if edit["how"] == "mean":
        means = f"mean_contributions(model, images, {edit['layers']}, part={edit['part']!r})"
        options += f", how='mean', means={means}"
    return f"ablate(model, {edit['layers']}{options})"


def _steering(session: Session, sample: str, edit: Mapping[str, Any]) -> str:
    where = ""
    if edit["positions"] != "all":
        targets = session.response(sample)
        at = places(targets, edit["positions"], n_prompt(targets))
        if isinstance(at, slice):
            where = f", slice({at.start}, None)"
        else:
            whole = list(at) == list(range(at[0], at[-1] + 1))
            where = f", range({at[0]}, {at[-1] + 1})" if whole else f", {list(at)}"
    return f"steer(model, {edit['layer']}, {unit(session, edit).python}, {edit['strength']:g}{where})"


def _image(session: Session, sample: str) -> tuple[str, list[str]]:
    """Expression that gives the image, and what it imports."""
    if sample in session.photographs:
        return 'nbt.data.read_image("photograph.jpg")  # the file of your image', []
    if session.has_data:
        return f"next(rows_by_id(captioned(data), [{sample!r}]))", [
            "from nbtoolkit.data.loading import captioned, rows_by_id"
        ]
    return f"nbt.data.read_image({{'bytes': study.sample({sample!r}).image}})", []


def _images(session: Session) -> str:
    """The images of the mean contributions."""
    step = max(1, len(session.study.samples) // N_MEAN)
    if session.has_data:
        return f"images = [*rows_by_id(captioned(data), [s.id for s in study.samples[::{step}][:{N_MEAN}]])]"
    return f"images = [nbt.data.read_image({{'bytes': s.image}}) for s in study.samples[::{step}][:{N_MEAN}]]"


def _options(session: Session, sample: str) -> str:
    """Options of the response, where they are not the defaults."""
    given = session.has_given_caption(sample)
    caption = (session.photographs.get(sample) or session.study.sample(sample)).caption if given else None
    options = {
        "variants": None if set(session.variants) <= {session.study.token} else session.variants,
        "answers": None if caption is None else [caption],
        "prompt": session.question_of(sample),
        "max_new_tokens": None if (n := session.study.source.max_new_tokens) == 40 else n,
    }
    return "".join(f", {name}={value!r}" for name, value in options.items() if value is not None)
