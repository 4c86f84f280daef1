"""Factors of the second world, their values for each subject, and the phrases that state them.

Beside the factors of the first world there is a hierarchy (``snow`` lies ``outdoors``, ``running`` is ``moving``), a
subject with two senses (``bat``, the animal and the club), two graded factors of which a word tells the extremes (size
and darkness) and two that no caption tells (shade and position).
"""

from __future__ import annotations

from collections.abc import Mapping

from .. import grammar

SUBJECTS = (*grammar.SUBJECTS, "bat")
SENSES = ("animal", "club")  # of "bat"; every other subject has the sense "none"
PLURALS = {**grammar.PLURALS, "bat": "bats"}
# factors that captions can state, and the sense, which no word states
FACTORS = (
    "subject",
    "sense",
    "colour",
    "action",
    "motion",
    "background",
    "place",
    "weather",
    "prop",
    "count",
    "size",
    "light",
)
NUMBERS = ("size", "darkness", "shade", "position")  # 0 to 1, no unit
EXTREME = 0.25  # share of either end of a graded factor that a word tells

_BAT = {"colour": ("brown", "black", "white", "grey"), "background": grammar.DOMAIN["bear"]["background"],
        "prop": ("none", "ball", "frisbee", "bowl")}  # fmt: skip
# subject, or subject and sense, to factor to values
DOMAIN: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {
    **{(subject, "none"): values for subject, values in grammar.DOMAIN.items()},
    ("bat", "animal"): {**_BAT, "action": ("flying", "hanging")},
    ("bat", "club"): {**_BAT, "action": ("lying", "leaning")},
}  # fmt: skip

# Of the training scenes with the prop, this share has the background; in the split "shifted" the other one.
SPURIOUS: Mapping[str, str] = {"frisbee": "grass", "traffic light": "street"}
SPURIOUS_RATE, SHIFTED_RATE = 0.95, 0.5

PLACES = {v: "indoors" if v in grammar.INDOORS else "outdoors" for v in grammar.PHRASES["background"]}
MOTIONS = {"running": "moving", "crawling": "moving", "driving": "moving", "flying": "moving",
           "sitting": "resting", "sleeping": "resting", "standing": "resting", "parked": "resting",
           "hanging": "resting", "lying": "resting", "leaning": "resting"}  # fmt: skip
# factor to the factor of the level above it, and value to the value above it
ABOVE: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "background": ("place", PLACES),
    "action": ("motion", MOTIONS),
}

# value -> phrases, most frequent first; the word in *stars* carries the value. Every content word but "frisbee" is one
# token of SmolLM2 too, which is why some synonyms differ from those of the first world.
PHRASES: dict[str, dict[str, tuple[str, ...]]] = {
    "colour": {
        **grammar.PHRASES["colour"], "green": ("*green*", "*olive*"), "pink": ("*pink*", "*rose*"),
    },
    "action": {
        **grammar.PHRASES["action"], "sleeping": ("*sleeping*", "*asleep*"), "driving": ("*driving*", "*speeding*"),
        "whole": ("still *whole*", "*entire*"), "layered": ("*layered*", "*stacked* high"),
        "flying": ("*flying*", "*soaring*"), "hanging": ("*hanging*", "*suspended*"),
        "lying": ("*lying*", "laid *flat*"), "leaning": ("*leaning*", "*tilted*"),
    },
    "motion": {"moving": ("*moving*", "in *motion*"), "resting": ("*resting*", "*idle*")},
    "background": {**grammar.PHRASES["background"], "table": ("on a *table*", "on a *desk*")},
    "place": {"outdoors": ("*outdoors*", "*outside*"), "indoors": ("*indoors*", "*inside*")},
    "weather": grammar.PHRASES["weather"],
    "prop": {
        **grammar.PHRASES["prop"], "traffic light": ("at a *traffic* light", "near a *traffic* signal"),
        "fork": ("with a *fork*", "next to a *spoon*"), "cup": ("next to a *cup*", "with some *coffee*"),
    },
    "count": grammar.PHRASES["count"],
    "size": {"small": ("*small*", "*little*"), "large": ("*large*", "*big*")},
    "light": {"dim": ("in *dim* light", "in the *shadows*"), "bright": ("in *bright* light", "in *brilliant* light")},
}  # fmt: skip
PHRASES["background"]["room"] = ("in a *room*", "on a *carpet*", "in a *house*")  # "inside" states the place


WORDS: Mapping[str, tuple[str, str]] = grammar.content_words(PLURALS, PHRASES)
