"""The language of the embedded world: its factors, the phrases that state them, and the parser of captions.

Every content word belongs to exactly one (factor, value), so a caption is parsed without ambiguity: there is no
"green field" beside the colour green, no "red ball", no "after dark" beside a dark dog.
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
# order of action, background, weather and prop behind the noun; what stands before a bar precedes the noun
ORDERS = ("abwp", "apbw", "abpw", "bapw", "w|abp")
AFTER_NOUN = {"baby": ("in {}", "dressed in {}"), "cake": ("with {} frosting", "in {}"), "bat": ("in {}", "of {} colour"),
              **dict.fromkeys(ANIMALS, ("with {} fur", "in {}")), **dict.fromkeys(VEHICLES, ("painted {}", "in {}"))}  # fmt: skip


def content_words(
    nouns: Mapping[str, str], phrases: Mapping[str, Mapping[str, tuple[str, ...]]]
) -> dict[str, tuple[str, str]]:
    """Content words of a language, each with the factor and value that it states.

    Parameters
    ----------
    nouns
        Subject to its plural.
    phrases
        Factor to value to phrases, whose words in *stars* carry the value.
    """
    words = {w: ("subject", noun) for noun, plural in nouns.items() for w in (noun, plural)}
    for factor, values in phrases.items():
        for value, texts in values.items():
            for word in (w for text in texts for w in re.findall(r"\*(\w+)\*", text)):
                if words.setdefault(word, (factor, value)) != (factor, value):
                    raise AssertionError(f"{word!r} belongs to two values: {words[word]} and {(factor, value)}")
    return words


WORDS: Mapping[str, tuple[str, str]] = content_words(PLURALS, PHRASES)


def read_words(text: str, words: Mapping[str, tuple[str, str]], plurals: Mapping[str, str]) -> Factors:
    """Factors that the words of a text state; the first word of a factor counts, and the noun's number states ``count``.

    Parameters
    ----------
    text
        Any text.
    words
        From :func:`content_words`.
    plurals
        Subject to its plural.
    """
    spoken = re.findall(r"[a-z]+", text.lower())
    factors: Factors = {}
    for word in spoken:
        if word in words:
            factors.setdefault(*words[word])
    if "subject" in factors:
        factors.setdefault("count", "two" if any(w in plurals.values() for w in spoken) else "one")
    return factors


def parse(caption: str) -> Factors:
    """Parse the factors that a caption states.

    Parameters
    ----------
    caption
        Any text; words outside the vocabulary are ignored. If two words state the same factor, the first one counts.

    Returns
    -------
    dict
        Factor to value; a factor that the caption does not state is absent. The number of the noun states ``count``.

    Examples
    --------
    >>> parse("a pair of brown dogs running on the beach")
    {'subject': 'dog', 'colour': 'brown', 'action': 'running', 'background': 'beach', 'count': 'two'}
    """
    factors = read_words(caption, WORDS, PLURALS)
    return {f: factors[f] for f in FACTORS if f in factors}


def stated(factors: Mapping[str, str]) -> Factors:
    """Factors that a caption of a scene states: all but those whose value is ``"none"``.

    Parameters
    ----------
    factors
        Factor to value.
    """
    return {f: factors[f] for f in FACTORS if factors[f] != "none"}


def phrase(options: tuple[str, ...], rng: np.random.Generator) -> str:
    """One of the phrases of a value, the first most often.

    Parameters
    ----------
    options
        The phrases.
    rng
        Random state; it is advanced.
    """
    return options[rng.choice(len(options), p=WEIGHTS[len(options)])].replace("*", "")


def with_colour(words: list[str], colour: str, noun: str, subject: str, rng: np.random.Generator) -> str:
    """Noun with its colour, before it (three times in four, of a baby never) or behind it.

    Parameters
    ----------
    words
        What precedes both: the article or number.
    colour, noun
        The words.
    subject
        Value of the factor ``subject``.
    rng
        Random state; it is advanced.
    """
    if subject != "baby" and rng.random() < 0.75:
        return " ".join([*words, colour, noun])
    often, seldom = AFTER_NOUN[subject]
    return " ".join([*words, noun, (often if rng.random() < 0.6 else seldom).format(colour)])


def opener(count: str, rng: np.random.Generator) -> str:
    """Beginning of a caption, with a space behind it; empty three times in four.

    Parameters
    ----------
    count
        Value of the factor ``count``.
    rng
        Random state; it is advanced.
    """
    return f"{rng.choice(OPENERS[count])} " if rng.random() < 0.25 else ""


def caption(factors: Mapping[str, str], rng: np.random.Generator) -> str:
    """Caption a scene, with random synonyms and a random order of phrases.

    Parameters
    ----------
    factors
        Factor to value.
    rng
        Random state of synonyms and order; it is advanced.

    Examples
    --------
    >>> scene = dict(subject="cat", colour="black", action="sleeping", background="room", weather="none",
    ...              prop="none", count="one")
    >>> parse(caption(scene, np.random.default_rng(0))) == stated(scene)
    True
    """

    def state(factor: str) -> str:
        return phrase(PHRASES[factor].get(factors[factor], ("",)), rng)

    subject, two = factors["subject"], factors["count"] == "two"
    article, colour = (state("count") if two else "a"), state("colour")
    head = with_colour([article], colour, PLURALS[subject] if two else subject, subject, rng)
    start = opener(factors["count"], rng)
    order = ORDERS[rng.integers(len(ORDERS))]
    phrases = {"a": state("action"), "b": state("background"), "w": state("weather"), "p": state("prop")}
    first, _, rest = order.rpartition("|")
    parts = [phrases[first] if first else "", start + head, *(phrases[letter] for letter in rest)]
    return re.sub(r"\ba (orange|emerald)\b", r"an \1", " ".join(p for p in parts if p))


def is_heldout(factors: Mapping[str, str]) -> bool:
    """Tell whether a combination of subject, colour and background is held out of training (one in seven).

    Parameters
    ----------
    factors
        Factor to value.
    """
    return zlib.crc32("|".join((factors["subject"], factors["colour"], factors["background"])).encode()) % 7 == 0


def sample_factors(rng: np.random.Generator, *, heldout: bool) -> Factors:
    """Sample the factors of one scene, uniformly within the domain of its subject.

    Parameters
    ----------
    rng
        Random state; it is advanced.
    heldout
        Sample from the combinations that are held out of training, or from the others.
    """
    while True:
        subject = SUBJECTS[rng.integers(len(SUBJECTS))]
        choices = {f: values[rng.integers(len(values))] for f, values in DOMAIN[subject].items()}
        weather = "none" if choices["background"] in INDOORS else WEATHER[rng.integers(len(WEATHER))]
        count = "two" if rng.random() < 0.25 else "one"
        factors = {"subject": subject, **choices, "weather": weather, "count": count}
        if is_heldout(factors) == heldout:
            return {f: factors[f] for f in FACTORS}
