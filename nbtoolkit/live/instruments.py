"""The instruments in one table: name -> function of a target with its defaults; for the command line and for views."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..errors import MethodError
from ..types.rules import suggestion

if TYPE_CHECKING:
    from ..types.measurement import Measurement


@dataclass(frozen=True)
class Instrument:
    """An instrument with its defaults; calling it measures a target.

    Attributes
    ----------
    name
        Short name, as the command line takes it.
    title
        Name as a heading.
    summary
        What it measures, as a sentence.
    source
        Package or module, and function: ``"attribution.occlusion"``.
    options
        Arguments of the function besides the target.
    is_map
        Whether it gives a map of the image, whose faithfulness can be measured.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> t = nbt.target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "a", foil="the")
    >>> instrument("heads")(t).values.dims
    ('layer', 'head')
    """

    name: str
    title: str
    summary: str
    source: str
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    is_map: bool = False

    def __call__(self, *subject: Any) -> Measurement:
        """Measure a target.

        Parameters
        ----------
        *subject
            The target; of :data:`FAITHFULNESS`, a map and its target.

        Raises
        ------
        NbtoolkitError
            The model's family is refused, or the check fails.
        """
        package, _, function = self.source.rpartition(".")
        measure = getattr(importlib.import_module(f"..{package}", __package__), function)
        result: Measurement = measure(*subject, **self.options)
        return result


_ALL = (
    Instrument(
        "lens",
        "Logit lens",
        "What the states of every layer read as in the vocabulary: log-probability of the word at every layer and position.",
        "lens.logit_lens",
    ),
    Instrument(
        "attention",
        "Attention to the image",
        "How much every head, where it predicts the word, reads from each image position.",
        "attribution.attention_to_image",
        is_map=True,
    ),
    Instrument(
        "occlusion",
        "Occlusion of patches",
        "Change of the quantity when one patch is replaced by the mean patch; positive values support the word.",
        "attribution.occlusion",
        is_map=True,
    ),
    Instrument(
        "occlusion-text",
        "Occlusion of text tokens",
        "Change of the quantity when one text token is replaced by the mean token; positive values support the word.",
        "attribution.occlusion",
        MappingProxyType({"unit": "token"}),
    ),
    Instrument(
        "gradients",
        "Integrated gradients",
        "Attribution to every patch and text token along a path from a baseline without content; the scores sum to the change.",
        "attribution.integrated_gradients",
        is_map=True,
    ),
    Instrument(
        "gradient-x-input",
        "Gradient × input",
        "One gradient at the states of the pass, times what the states differ from the baseline.",
        "attribution.gradient_x_input",
        is_map=True,
    ),
    Instrument(
        "logits",
        "Direct logit attribution by layer",
        "What attention and MLP of every layer add to the word's logit, directly.",
        "attribution.direct_logit_attribution",
    ),
    Instrument(
        "heads",
        "Direct logit attribution by head",
        "What every attention head adds to the word's logit, directly.",
        "attribution.direct_logit_attribution",
        MappingProxyType({"unit": "head"}),
    ),
    Instrument(
        "knockout",
        "Attention knockout",
        "Change of the quantity when the position that predicts the word cannot read the image, layer by layer.",
        "interventions.attention_knockout",
    ),
    Instrument(
        "path-effects",
        "Total, direct and indirect effect of the image",
        "Change of the quantity from an empty image to the image: past the question's positions, and through them.",
        "interventions.path_effects",
    ),
    Instrument(
        "faithfulness",
        "Faithfulness of the maps",
        "Deletion and insertion: does the quantity change first where the map says that the word comes from?",
        "metrics.faithful_maps.faithfulness",  # metrics.faithfulness is also the path of a module of release 0.1
    ),
)
INSTRUMENTS: Mapping[str, Instrument] = MappingProxyType({one.name: one for one in _ALL})
FAITHFULNESS = "faithfulness"  # the one that takes maps and their target, and so is measured after the others


def instrument(name: str) -> Instrument:
    """The instrument of a name.

    Parameters
    ----------
    name
        One of :data:`INSTRUMENTS`.

    Raises
    ------
    MethodError
        There is none; the message has the names.
    """
    if name not in INSTRUMENTS:
        raise MethodError(
            f"There is no instrument {name!r}.{suggestion(name, INSTRUMENTS)} Known: {', '.join(INSTRUMENTS)}."
        )
    return INSTRUMENTS[name]


def instruments(names: str) -> tuple[Instrument, ...]:
    """Instruments of names with commas in between, each once, in the order of the names; faithfulness is the last.

    Parameters
    ----------
    names
        ``"lens,occlusion"``, or ``"all"``.

    Raises
    ------
    MethodError
        No name, an unknown one, or faithfulness without a map.

    Examples
    --------
    >>> [one.name for one in instruments("faithfulness, occlusion, lens")]
    ['occlusion', 'lens', 'faithfulness']
    """
    if names.strip() == "all":
        return _ALL
    named = dict.fromkeys(part.strip() for part in names.split(",") if part.strip())
    chosen = sorted((instrument(name) for name in named), key=lambda one: one.name == FAITHFULNESS)
    if not chosen:
        raise MethodError(f"The instruments are {names!r}; expected names among {', '.join(INSTRUMENTS)}, or 'all'.")
    if chosen[-1].name == FAITHFULNESS and not any(one.is_map for one in chosen):
        maps = ", ".join(one.name for one in _ALL if one.is_map)
        raise MethodError(f"The instruments are {names!r}; faithfulness needs a map beside it. Add one of {maps}.")
    return tuple(chosen)
