"""Edits of an Inspector as lines of Python that do the same without a view."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..text.tokens import find_spans, subtoken_variants
from .inspector_edits import N_MEANS, Edit, word_vector
from .inspector_places import readers

if TYPE_CHECKING:
    from .inspector_case import Case

IMPORTS = {
    "ablate": "nbtoolkit.interventions",
    "concept_unit": "nbtoolkit.interventions",
    "knock_out": "nbtoolkit.interventions",
    "mask_patches": "nbtoolkit.interventions",
    "mean_contributions": "nbtoolkit.interventions",
    "patch": "nbtoolkit.interventions",
    "steer": "nbtoolkit.interventions",
    "unembedding_direction": "nbtoolkit.interventions",
    "word_contrast": "nbtoolkit.interventions",
    "respond": "nbtoolkit.models",
    "other_image": "nbtoolkit.targets",
}
MOST_LISTED = 6  # numbers of a list that is no range


def as_python(case: Case, edits: Sequence[Edit]) -> str:
    """Lines that print the response under edits, and the log-probability of the word.

    Parameters
    ----------
    case
        The case.
    edits
        Checked edits.
    """
    side, word, occurrence = case.side, case.target.word, _occurrence(case)
    question = "" if side.question == side.model.prompt else f", {side.question!r}"
    keyword = f", question={side.question!r}" if question else ""
    place = f", occurrence={occurrence}" if occurrence else ""
    given = "" if side.own else f", response={side.response!r}"
    lines: dict[str, None] = {}  # each once
    contexts = [context for edit in edits for context in _contexts(case, edit, lines)]
    indent = "    " if contexts else ""
    code = [
        f"target = nbt.target(model, image, {word!r}{keyword}{given}{place}, quantity='log_prob')",
        *lines,
        *([f"with {', '.join(contexts)}:"] if contexts else []),
        f"{indent}(ids,) = respond(model, model.inputs([image]{question}), {side.longest})",
        f"{indent}print(model.decode(ids).strip())",
        f"{indent}edited = nbt.target(model, image, {word!r}{keyword}, response=target.response{place}, quantity='log_prob')",
        f"{indent}print(edited.value)  # log-probability of the word, in nats",
    ]
    modules: dict[str, list[str]] = {}
    for name, module in IMPORTS.items():
        if any(f"{name}(" in line for line in code):
            modules.setdefault(module, []).append(name)
    imports = [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(modules.items())]
    return "\n".join(["import nbtoolkit as nbt", *imports, "", *code]) + "\n"


def _occurrence(case: Case) -> int:
    """Which occurrence of its word the target is, as ``nbt.target`` counts them."""
    side, span = case.side, case.target.span
    variants = subtoken_variants(side.model.tokenizer, case.target.word)
    return [one.last for one in find_spans(side.ids, variants, side.model.decode)].index(span.last)


def _contexts(case: Case, edit: Edit, lines: dict[str, None]) -> list[str]:
    """Expressions of an edit's contexts; what they need before is added to the lines."""
    make: Mapping[str, Callable[[Case, Edit, dict[str, None]], list[str]]] = {
        "knock_out": _knock_out,
        "ablate": _ablate,
        "mask": _mask,
        "patch": _patch,
        "steer": _steer,
    }
    return make[edit["op"]](case, edit, lines)


def _knock_out(case: Case, edit: Edit, lines: dict[str, None]) -> list[str]:
    rows = {"last": "target.positions[-1:]", "word": "target.positions"}.get(edit["targets"])
    if rows is None:
        own = readers(case, edit["targets"])
        rows = f"slice({own.start}, None)" if isinstance(own, slice) else _numbers(own)
    options = "" if not edit["layers"] else f", layers={_numbers(edit['layers'])}"
    if edit.get("heads") is not None:
        options += f", heads={_numbers(edit['heads'])}"
    return [f"knock_out(model, {_places(edit['sources'], lines)}, targets={rows}{options})"]


def _ablate(case: Case, edit: Edit, lines: dict[str, None]) -> list[str]:
    layer = edit.get("layer")
    if "concept" in edit:
        return [f"ablate(model, {layer}, direction=study.dictionary({layer}).concept({edit['concept']}))"]
    if "neurons" in edit:
        return [f"ablate(model, {layer}, part='mlp', neurons={_numbers(edit['neurons'])})"]
    layers, options = _numbers(edit["layers"]), "" if edit["part"] == "block" else f", part={edit['part']!r}"
    if edit["heads"]:
        options += f", heads={_numbers(edit['heads'])}"
    if edit["how"] == "mean":
        lines[_images(case)] = None
        question = "" if case.side.question == case.side.model.prompt else f", prompt={case.side.question!r}"
        options += f", how='mean', means=mean_contributions(model, images, {layers}, part={edit['part']!r}{question})"
    return [f"ablate(model, {layers}{options})"]


def _mask(_case: Case, edit: Edit, lines: dict[str, None]) -> list[str]:
    lines["before = target.value  # read before it is masked"] = None
    return [f"mask_patches(target, {_numbers(edit['patches'])})"]


def _patch(case: Case, edit: Edit, lines: dict[str, None]) -> list[str]:
    if edit["from"] == "blank":
        name, source = "blank", "target.again(other_image(target.image))"
    else:
        own, other = case.side, case.session.sides.opposite(case.which)
        image = "" if other is None or other.image is own.image else "other"
        question = "" if other is None or other.question == own.question else f"question={other.question!r}"
        name, source = "source", f"target.again({', '.join(part for part in (image, question) if part)})"
    lines[f"{name} = {source}"] = None
    layer, at = edit["layer"], _places(edit["positions"], lines, case)
    read = f"{name}.residual({layer})[None, {at}]  # read before it is patched"
    made = [line.partition(" = ") for line in lines if line.startswith("states")]
    states = next((left for left, _, right in made if right == read), f"states_{len(made) + 1}" if made else "states")
    lines[f"{states} = {read}"] = None
    return [f"patch(model, {layer}, {states}, {at})"]


def _steer(case: Case, edit: Edit, lines: dict[str, None]) -> list[str]:
    layer, where = edit["layer"], ""
    if edit["positions"] == "image":
        where = f", {_places('image', lines)}"
    elif edit["positions"] == "after":
        where = f", slice({case.target.positions[0]}, None)"
    concept = f"concept_unit(study.dictionary({layer}), {edit.get('concept')})"
    vector = word_vector(case, edit["word"], layer)[1] if "word" in edit else concept
    return [f"steer(model, {layer}, {vector}, {edit['strength']:g}{where})"]


def _places(what: Any, lines: dict[str, None], case: Case | None = None) -> str:
    """Expression of positions that an edit names; roles are read before an edit is in force."""
    if what == "last":
        return "target.positions"
    if isinstance(what, str):
        lines[f"of_{what} = target.at({what!r})"] = None
        return f"of_{what}"
    if isinstance(what, Mapping):
        return f"[target.patches[0][i] for i in {_numbers(what['patches'])}]"
    return _numbers([p for p in what if case is None or p < case.target.n_positions])


def _numbers(values: Sequence[int]) -> str:
    """A list, as a range where it is long and has no gaps."""
    values = list(values)
    whole = len(values) > MOST_LISTED and values == list(range(values[0], values[-1] + 1))
    return f"range({values[0]}, {values[-1] + 1})" if whole else str(values)


def _images(case: Case) -> str:
    """The images of the mean contributions."""
    study = case.session.study
    if study is None or not any(one.image for one in study.samples):
        return "images = [image]"
    step = max(1, len(study.samples) // N_MEANS)
    return (
        f"images = [nbt.data.read_image({{'bytes': s.image}}) for s in study.samples[::{step}][:{N_MEANS}] if s.image]"
    )
