"""The language of the embedded world: which factors exist, how a caption says them, how to read them back.

Every content word belongs to exactly one (factor, value), so a caption is parsed without ambiguity:
no "green field" beside a colour green, no "red ball", no "after dark" beside a dark dog.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping

import numpy as np

Factors = dict[str, str]

ANIMALS = ("dog", "cat", "bear")
VEHICLES = ("bus", "train", "car")
SUBJECTS = (*ANIMALS, "baby", *VEHICLES, "cake")
PLURALS = {"dog": "dogs", "cat": "cats", "bear": "bears", "baby": "babies", "bus": "buses",
           "train": "trains", "car": "cars", "cake": "cakes"}  # fmt: skip
FACTORS = ("subject", "colour", "action", "background", "weather", "prop", "count")

_OUTDOORS = ("grass", "snow", "beach", "street")
_ANIMAL = {"colour": ("brown", "black", "white", "grey"), "action": ("sitting", "running", "sleeping", "standing"),
           "background": (*_OUTDOORS, "room"), "prop": ("none", "ball", "frisbee", "hat", "bowl")}  # fmt: skip
_VEHICLE = {"colour": ("red", "blue", "yellow", "green", "white"), "action": ("parked", "driving", "full"),
            "background": (*_OUTDOORS, "bridge"), "prop": ("none", "tree", "stop sign", "traffic light", "man")}  # fmt: skip
DOMAIN: dict[str, dict[str, tuple[str, ...]]] = {
    "dog": {**_ANIMAL, "colour": (*_ANIMAL["colour"], "orange")},
    "cat": {**_ANIMAL, "colour": (*_ANIMAL["colour"], "orange")},
    "bear": _ANIMAL,
    "baby": {"colour": ("red", "blue", "yellow", "pink", "white"), "action": ("sitting", "crawling", "sleeping", "standing"),
             "background": (*_OUTDOORS, "room"), "prop": ("none", "ball", "hat", "balloon", "bowl")},
    "bus": _VEHICLE, "train": _VEHICLE, "car": _VEHICLE,
    "cake": {"colour": ("pink", "white", "brown", "yellow"), "action": ("whole", "sliced", "layered"),
             "background": ("table", "kitchen", "party"), "prop": ("none", "candles", "strawberries", "fork", "cup")},
}  # fmt: skip
INDOORS = ("room", "table", "kitchen", "party")
WEATHER = ("none", "sunny", "night", "rain")

# value -> phrases, most frequent first; the weights are WEIGHTS. The word in *stars* carries the value.
PHRASES: dict[str, dict[str, tuple[str, ...]]] = {
    "colour": {
        "brown": ("*brown*", "*chestnut*"), "black": ("*black*", "*dark*"), "white": ("*white*", "*pale*"),
        "grey": ("*grey*", "*silver*"), "orange": ("*orange*", "*ginger*"), "red": ("*red*", "*scarlet*"),
        "blue": ("*blue*", "*navy*"), "yellow": ("*yellow*", "*golden*"), "green": ("*green*", "*emerald*"),
        "pink": ("*pink*", "*rosy*"),
    },
    "action": {
        "sitting": ("*sitting*", "*seated*"), "running": ("*running*", "*racing*"),
        "sleeping": ("*sleeping*", "*asleep*", "*napping*"), "standing": ("*standing*", "*upright*"),
        "crawling": ("*crawling*", "*creeping*"), "parked": ("*parked*", "*stopped*"),
        "driving": ("*driving*", "*moving*", "*speeding*"),
        "full": ("full of *people*", "carrying *passengers*", "*crowded*"),
        "whole": ("still *whole*", "*uncut*"), "sliced": ("*sliced*", "*cut* open"),
        "layered": ("*layered*", "*tiered*", "*stacked* high"),
    },
    "background": {
        "grass": ("on the *grass*", "on a *lawn*", "in a *field*"),
        "snow": ("in the *snow*", "on *snowy* ground", "in *winter*"),
        "beach": ("on the *beach*", "on the *sand*", "by the *ocean*"),
        "street": ("on the *street*", "on a *road*", "in the *city*"),
        "room": ("in a *room*", "on a *carpet*", "inside a *house*"),
        "bridge": ("on a *bridge*", "over a *river*"), "table": ("on a *table*", "on a *tablecloth*"),
        "kitchen": ("in the *kitchen*", "on a *counter*"), "party": ("at a *party*", "at a *celebration*"),
    },
    "weather": {
        "sunny": ("on a *sunny* day", "in the *sunshine*"), "night": ("at *night*", "under the *moon*"),
        "rain": ("in the *rain*", "on a *rainy* day", "during a *storm*"),
    },
    "prop": {
        "ball": ("with a *ball*", "next to a *toy*"), "frisbee": ("with a *frisbee*", "next to a *disc*"),
        "hat": ("wearing a *hat*", "with a *cap*"), "bowl": ("beside a *bowl*", "next to a *dish*"),
        "balloon": ("with a *balloon*", "next to *balloons*"), "tree": ("near a *tree*", "next to a *palm*"),
        "stop sign": ("at a stop *sign*", "near a stop *sign*"), "traffic light": ("at a traffic *light*", "near a traffic *signal*"),
        "man": ("near a *man*", "next to a *pedestrian*"), "candles": ("with *candles*", "with a *candle*"),
        "strawberries": ("with *strawberries*", "with *berries*"), "fork": ("with a *fork*", "next to *cutlery*"),
        "cup": ("next to a *cup*", "beside a *mug*"),
    },
    "count": {"two": ("*two*", "a *pair* of", "a *couple* of")},
}  # fmt: skip
WEIGHTS = {1: (1.0,), 2: (0.65, 0.35), 3: (0.55, 0.30, 0.15)}
OPENERS = {"one": ("a photo of", "a picture of", "there is", "this is"),
           "two": ("a photo of", "a picture of", "there are", "these are")}  # fmt: skip
# a = action, b = background, w = weather, p = prop: what follows the noun; a leading "w" precedes it.
ORDERS = ("abwp", "apbw", "abpw", "bapw", "w|abp")
_AFTER_NOUN = {"baby": ("in {}", "dressed in {}"), "cake": ("with {} frosting", "in {}"),
               **dict.fromkeys(ANIMALS, ("with {} fur", "in {}")), **dict.fromkeys(VEHICLES, ("painted {}", "in {}"))}  # fmt: skip


def _content_words() -> dict[str, tuple[str, str]]:
    words = {w: ("subject", s) for s in SUBJECTS for w in (s, PLURALS[s])}
    for factor, values in PHRASES.items():
        for value, phrases in values.items():
            for word in (w for phrase in phrases for w in re.findall(r"\*(\w+)\*", phrase)):
                if words.setdefault(word, (factor, value)) != (factor, value):
                    raise AssertionError(f"{word!r} would mean two things: {words[word]} and {(factor, value)}")
    return words


WORDS: Mapping[str, tuple[str, str]] = _content_words()


def parse(caption: str) -> Factors:
    """Read back the factors that a caption states.

    Parameters
    ----------
    caption
        Any text; words that the world does not know are passed over. Where two words state the same
        factor, the first one counts.

    Returns
    -------
    dict
        Factor to value; a factor that the caption does not state is absent. ``count`` is stated by the
        number of the noun.

    Examples
    --------
    >>> parse("a pair of brown dogs running on the beach")
    {'subject': 'dog', 'colour': 'brown', 'action': 'running', 'background': 'beach', 'count': 'two'}
    """
    found: Factors = {}
    words = re.findall(r"[a-z]+", caption.lower())
    for word in words:
        if word in WORDS:
            factor, value = WORDS[word]
            found.setdefault(factor, value)
    if "subject" in found:
        found.setdefault("count", "two" if any(w in PLURALS.values() for w in words) else "one")
    return {f: found[f] for f in FACTORS if f in found}


def stated(factors: Mapping[str, str]) -> Factors:
    """Give the factors that a caption of this scene states: all but those whose value is ``"none"``."""
    return {f: factors[f] for f in FACTORS if factors[f] != "none"}


def caption(factors: Mapping[str, str], rng: np.random.Generator) -> str:
    """Say one scene in words, with random synonyms and a random order of its phrases.

    Examples
    --------
    >>> scene = dict(subject="cat", colour="black", action="asleep", background="room", weather="none",
    ...              prop="none", count="one") | {"action": "sleeping"}
    >>> parse(caption(scene, np.random.default_rng(0))) == stated(scene)
    True
    """

    def say(factor: str) -> str:
        options = PHRASES[factor].get(factors[factor], ("",))
        return options[rng.choice(len(options), p=WEIGHTS[len(options)])].replace("*", "")

    subject, two = factors["subject"], factors["count"] == "two"
    noun = PLURALS[subject] if two else subject
    article, colour = (say("count") if two else "a"), say("colour")
    if subject != "baby" and rng.random() < 0.75:
        head = f"{article} {colour} {noun}"
    else:
        before, after = _AFTER_NOUN[subject]
        head = f"{article} {noun} {(before if rng.random() < 0.6 else after).format(colour)}"
    opener = str(rng.choice(OPENERS[factors["count"]])) + " " if rng.random() < 0.25 else ""
    order = ORDERS[rng.integers(len(ORDERS))]
    said = {"a": say("action"), "b": say("background"), "w": say("weather"), "p": say("prop")}
    first, _, rest = order.rpartition("|")
    parts = [said[first] if first else "", opener + head, *(said[letter] for letter in rest)]
    return re.sub(r"\ba (orange|emerald)\b", r"an \1", " ".join(p for p in parts if p))


def is_heldout(factors: Mapping[str, str]) -> bool:
    """Tell whether this subject-colour-background combination is kept out of training (one in seven)."""
    return zlib.crc32("|".join((factors["subject"], factors["colour"], factors["background"])).encode()) % 7 == 0


def sample_factors(rng: np.random.Generator, *, heldout: bool) -> Factors:
    """Draw the factors of one scene, uniformly within what its subject allows, from one side of the split."""
    while True:
        subject = SUBJECTS[rng.integers(len(SUBJECTS))]
        drawn = {f: values[rng.integers(len(values))] for f, values in DOMAIN[subject].items()}
        weather = "none" if drawn["background"] in INDOORS else WEATHER[rng.integers(len(WEATHER))]
        count = "two" if rng.random() < 0.25 else "one"
        factors = {"subject": subject, **drawn, "weather": weather, "count": count}
        if is_heldout(factors) == heldout:
            return {f: factors[f] for f in FACTORS}
