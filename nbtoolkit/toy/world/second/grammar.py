"""The language of the second world: scenes are sampled, captioned and parsed."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ....errors import DataError
from ..grammar import INDOORS, WEATHER, Factors, is_heldout, opener, phrase, read_words, with_colour
from .vocabulary import (
    ABOVE,
    DOMAIN,
    EXTREME,
    FACTORS,
    NUMBERS,
    PHRASES,
    PLURALS,
    SENSES,
    SHIFTED_RATE,
    SPURIOUS,
    SPURIOUS_RATE,
    SUBJECTS,
    WORDS,
)

SPLITS = ("train", "test", "heldout", "shifted")
# order of action, background, weather, prop and light behind the noun; what stands before a bar precedes the noun
_ORDERS = ("abwlp", "apbwl", "abpwl", "bapwl", "wl|abp", "l|abwp")
_UPPER_ONLY, _BOTH = (
    0.2,
    0.1,
)  # how often a caption has the upper level of the hierarchy alone, and beside the lower one


@dataclass(frozen=True)
class Scene:
    """A scene of the second world: what it shows, and the seed of everything that its factors leave open.

    Parameters
    ----------
    factors
        Factor to value, for every factor of ``FACTORS``; ``"none"`` where it has none.
    numbers
        ``size`` (0 small to 1 large), ``darkness`` of the surroundings (0 bright to 1 dark), ``shade`` of the subject's
        colour (0 dark to 1 light) and ``position`` (0 left to 1 right); no unit.
    seed
        Seed of the drawing.
    """

    factors: Mapping[str, str]
    numbers: Mapping[str, float]
    seed: int


def extremes(numbers: Mapping[str, float]) -> Factors:
    """Words for the extremes of the graded factors: ``size`` and ``light``, ``"none"`` in between.

    Parameters
    ----------
    numbers
        With ``size`` and ``darkness``, 0 to 1, no unit.
    """

    def end(value: float, low: str, high: str) -> str:
        return low if value < EXTREME else high if value > 1 - EXTREME else "none"

    return {"size": end(numbers["size"], "small", "large"), "light": end(numbers["darkness"], "bright", "dim")}


def sample_scene(rng: np.random.Generator, split: str = "train") -> Scene:
    """Sample one scene.

    Parameters
    ----------
    rng
        Random state; it is advanced.
    split
        ``"train"``, ``"test"`` (the same distribution), ``"heldout"`` (only the combinations of subject, colour and
        background that training never shows) or ``"shifted"`` (the spurious pairs hold in half of the scenes).
    """
    rate = SHIFTED_RATE if split == "shifted" else SPURIOUS_RATE
    while True:
        subject = SUBJECTS[rng.integers(len(SUBJECTS))]
        sense = SENSES[rng.integers(2)] if subject == "bat" else "none"
        domain = DOMAIN[subject, sense]
        facts = {f: domain[f][rng.integers(len(domain[f]))] for f in ("colour", "action", "prop", "background")}
        pair = SPURIOUS.get(facts["prop"])
        if pair is not None:
            others = [b for b in domain["background"] if b != pair]
            facts["background"] = pair if rng.random() < rate else others[rng.integers(len(others))]
        facts |= {"subject": subject, "sense": sense, "count": "two" if rng.random() < 0.25 else "one"}
        # only the colour is drawn again, so that a split leaves the rate of the spurious pairs as it is
        colours = [c for c in domain["colour"] if is_heldout({**facts, "colour": c}) == (split == "heldout")]
        if colours:
            break
    facts["colour"] = colours[rng.integers(len(colours))]
    facts["weather"] = "none" if facts["background"] in INDOORS else WEATHER[rng.integers(len(WEATHER))]
    side = 0.25 * rng.random()
    numbers = {"size": rng.random(), "darkness": rng.random(), "shade": rng.random(),
               "position": side if rng.random() < 0.5 else 1 - side}  # fmt: skip
    return complete(Scene(facts, numbers, int(rng.integers(2**62))))


def complete(scene: Scene) -> Scene:
    """Set what follows from the rest of a scene: the upper levels of the hierarchy and the words for extremes.

    Parameters
    ----------
    scene
        A scene; factors that follow from others may be absent or stale.
    """
    facts = dict(scene.factors)
    for lower, (upper, values) in ABOVE.items():
        facts[upper] = values.get(facts[lower], "none")
    facts |= extremes(scene.numbers)
    return replace(scene, factors={f: facts[f] for f in FACTORS})


def change(scene: Scene, **changes: str | float) -> Scene:
    """Scene with some factors changed and everything else equal, the seed of its drawing included.

    Parameters
    ----------
    scene
        A scene.
    **changes
        Factor to value: a text for ``subject, sense, colour, action, background, weather, prop, count``; a number between
        0 and 1 for ``size, darkness, shade, position``. What follows from them (place, motion, words) follows.

    Raises
    ------
    DataError
        An unknown factor, or a value that the rest of the scene does not allow.
    """
    facts, numbers = dict(scene.factors), dict(scene.numbers)
    for name, value in changes.items():
        if name in NUMBERS:
            if isinstance(value, str) or not 0 <= value <= 1:
                raise DataError(f"{name} is {value!r}; expected a number between 0 and 1.")
            numbers[name] = float(value)
        elif name in FACTORS and name not in ("motion", "place", "light"):
            facts[name] = str(value)
        else:
            choices = sorted({*FACTORS, *NUMBERS} - {"motion", "place", "light"})
            raise DataError(f"{name!r} is no factor that can be changed; expected one of {', '.join(choices)}.")
    domain = DOMAIN.get((facts["subject"], facts["sense"]))
    if domain is None:
        raise DataError(
            f"subject is {facts['subject']!r} with sense {facts['sense']!r}; expected one of "
            f"{', '.join(s if t == 'none' else f'{s} ({t})' for s, t in DOMAIN)}. Change subject and sense together."
        )
    values = {**domain, "weather": ("none",) if facts["background"] in INDOORS else WEATHER, "count": ("one", "two")}
    for name, options in values.items():
        if facts[name] not in options:
            raise DataError(
                f"{name} is {facts[name]!r}; a scene with {facts['subject']} and {facts['background']} has one of "
                f"{', '.join(options)}. Change {name} too."
            )
    return complete(Scene(facts, numbers, scene.seed))


def stated(factors: Mapping[str, str]) -> Factors:
    """Factors that a caption can state: all but the sense and the values ``"none"``.

    Parameters
    ----------
    factors
        Factor to value.
    """
    return {f: factors[f] for f in FACTORS if f != "sense" and factors[f] != "none"}


def compose(factors: Mapping[str, str], rng: np.random.Generator) -> tuple[str, Factors]:
    """Caption a scene, and give the facts that this caption states.

    A caption states every fact of :func:`stated`, but of ``background`` and ``action`` one in five states the upper level
    alone ("outdoors", "moving"). The lower level implies the upper one.

    Parameters
    ----------
    factors
        Factor to value.
    rng
        Random state of synonyms, levels and order; it is advanced.

    Returns
    -------
    caption : str
    facts : dict
        Factor to value.
    """

    def state(factor: str) -> str:
        return phrase(PHRASES[factor].get(factors[factor], ("",)), rng)

    facts, levels = stated(factors), {}
    for lower, (upper, _) in ABOVE.items():
        draw, low, high = rng.random(), state(lower), state(upper)
        if high and draw < _UPPER_ONLY:
            del facts[lower]
            levels[lower] = high
        else:
            levels[lower] = f"{high} {low}" if high and draw < _UPPER_ONLY + _BOTH else low
    subject, two = factors["subject"], factors["count"] == "two"
    first = [w for w in (state("count") if two else "a", state("size")) if w]
    head = with_colour(first, state("colour"), PLURALS[subject] if two else subject, subject, rng)
    start = opener(factors["count"], rng)
    parts = {
        "a": levels["action"],
        "b": levels["background"],
        **{f[0]: state(f) for f in ("weather", "prop", "light")},
    }
    front, _, rest = _ORDERS[rng.integers(len(_ORDERS))].rpartition("|")
    text = " ".join(p for p in [*(parts[k] for k in front), start + head, *(parts[k] for k in rest)] if p)
    return re.sub(r"\ba (orange|olive)\b", r"an \1", text), facts


def caption(factors: Mapping[str, str], rng: np.random.Generator) -> str:
    """Caption a scene, with random synonyms, levels of the hierarchy and order of phrases.

    Parameters
    ----------
    factors, rng
        As for :func:`compose`.
    """
    return compose(factors, rng)[0]


def parse(text: str) -> Factors:
    """Parse the facts that a caption of the second world states, and those of the upper level that follow from them.

    Parameters
    ----------
    text
        Any text; words outside the vocabulary are ignored. If two words state the same factor, the first one counts.

    Returns
    -------
    dict
        Factor to value; a factor that the caption does not state is absent, and the sense of "bat" always is.

    Examples
    --------
    >>> parse("two small black bats flying outdoors")["motion"]
    'moving'
    """
    facts = read_words(text, WORDS, PLURALS)
    for lower, (upper, values) in ABOVE.items():
        if values.get(facts.get(lower, ""), "none") != "none":
            facts.setdefault(upper, values[facts[lower]])
    return {f: facts[f] for f in FACTORS if f in facts}


def crc(text: str) -> int:
    """Checksum of a text: the number of a random stream.

    Parameters
    ----------
    text
        Name of the stream.
    """
    return zlib.crc32(text.encode())
