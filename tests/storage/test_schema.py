"""Rules for JSON of others: each flaw is named with its place."""

import math

import pytest

from nbtoolkit.errors import StudyError
from nbtoolkit.storage.schema import fields, list_of, map_of, matching, number, one_of, optional, text, whole

RULE = fields({"name": text, "scores": map_of(list_of(number))}, {"n": optional(whole(1, 9)), "kind": one_of(("a", 1))})


def test_values_by_the_rules_are_given_back():
    value = RULE({"name": "x", "scores": {"s": [1, 2.5, None]}, "n": None, "kind": 1}, "x.json")
    assert value["scores"]["s"][:2] == (1, 2.5) and math.isnan(value["scores"]["s"][2]) and value["n"] is None


@pytest.mark.parametrize(("change", "message"), [
    ({"name": 3}, "x.json.name is 3; expected a text"),
    ({"scores": []}, r"x.json.scores is \[\]; expected an object"),
    ({"scores": {"s": 1}}, "x.json.scores.s is 1; expected a list"),
    ({"scores": {"s": [1, True]}}, r"x.json.scores.s\[1\] is True; expected a number or null"),
    ({"scores": {"s": [10**400]}}, r"x.json.scores.s\[0\] is 10+….*; expected a number"),
    ({"n": 10}, "x.json.n is 10; expected a whole number from 1 to 9"),
    ({"n": 2.0}, "x.json.n is 2.0; expected a whole number"),
    ({"kind": ["a"]}, "expected 'a' or 1"),
    ({"other": 1}, "x.json has 'other'; expected only name, scores, n, kind"),
])  # fmt: skip
def test_a_flaw_has_its_place(change, message):
    with pytest.raises(StudyError, match=message):
        RULE({"name": "x", "scores": {}} | change, "x.json")
    with pytest.raises(StudyError, match="x.json lacks 'scores'; expected name, scores"):
        RULE({"name": "x"}, "x.json")
    with pytest.raises(StudyError, match="a key of x.json is 'x'; expected a digit"):
        map_of(text, matching("[0-9]", "a digit"))({"x": "y"}, "x.json")
