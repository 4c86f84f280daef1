"""Small changes of bytes and of JSON: flips, cuts and zeros; each node in turn becomes something else, or is missing."""

import copy
import itertools
import json

VALUES = (None, True, 5, -1.5, "", "\ud800", [], [["x"]], {}, {"x": 1}, "../..")
MORE = (-1, 10**30, "x", [1, "a", None], {"not finite": "inf"}, {"a": {}}, [[]], "x" * 10_000)
RAW = {  # text that stands for a value
    "NaN": "NaN",
    "infinity": "-Infinity",
    "beyond the range": "1e999",
    "many digits": "9" * 5_000,
    "deep list": "[" * 200 + "]" * 200,
    "deep object": '{"a":' * 5_000 + "1" + "}" * 5_000,
    "not closed": "[" * 20_000,
    "a key twice": '{"a": 1, "a": 2}',
    "lone surrogate": '"\\ud83d"',
    "control character": '"\x00"',
    "nothing": "",
}
_PLACE = "@ the place @"


def flips(raw):
    """The bytes with each single bit changed, in order."""
    for i in range(len(raw)):
        for bit in range(8):
            yield f"bit {bit} of byte {i}", raw[:i] + bytes([raw[i] ^ (1 << bit)]) + raw[i + 1 :]


def damaged(raw, n, rng):
    """Bit flips, and for every eight of them a truncation, a zeroed page and appended bytes; n in all."""
    for k in range(n):
        i = rng.randrange(len(raw)) if raw else 0
        if k % 11 < 8 and raw:
            yield f"bit of byte {i}", raw[:i] + bytes([raw[i] ^ (1 << rng.randrange(8))]) + raw[i + 1 :]
        elif k % 11 == 8:
            yield f"cut at {i}", raw[:i]
        elif k % 11 == 9:
            yield f"zeros from {i}", raw[:i] + bytes(min(512, len(raw) - i)) + raw[i + 512 :]
        else:
            yield "bytes appended", raw + rng.randbytes(1 + i % 9)


def paths(value, path=()):
    """Path of each node of a JSON value, the root first."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from paths(child, (*path, key))


def replaced(value, path, change):
    """The value with the node at a path replaced; ``"remove"`` and ``"repeat"`` (in its list) are changes, too."""
    if not path:
        return change
    result = copy.deepcopy(value)
    parent = result
    for key in path[:-1]:
        parent = parent[key]
    if change == "remove":
        del parent[path[-1]]
    elif change == "repeat" and isinstance(parent, list):
        parent.append(parent[path[-1]])
    else:
        parent[path[-1]] = change
    return result


def mutations(value):
    """The value with each node replaced by each of :data:`VALUES`, removed, or twice in its list."""
    for path in paths(value):
        for change in (*VALUES, "remove", "repeat") if path else VALUES:
            yield replaced(value, path, change)


def texts(value, n, rng):
    """JSON texts with one node changed at a time, each path as often as another: n of them, or as many as there are."""
    changes = [*VALUES, *MORE, "remove", "repeat"]
    choices = [(path, k) for path in paths(value) for k in range(len(changes) + len(RAW)) if path or k < len(VALUES)]
    for path, k in rng.sample(choices, min(n, len(choices))):
        if k < len(changes):
            yield f"{path} is {str(changes[k])[:30]!a}", json.dumps(replaced(value, path, changes[k]))
        else:
            name = list(RAW)[k - len(changes)]
            yield f"{path} is {name}", json.dumps(replaced(value, path, _PLACE)).replace(f'"{_PLACE}"', RAW[name])


def take(n, *sources):
    """At most n entries of several iterators, in turns, so that a sample has some of each."""
    rest = [iter(source) for source in sources]
    while rest and n > 0:
        for source in [*rest]:
            entry = next(source, None)
            if entry is None:
                rest.remove(source)
            elif n > 0:
                n -= 1
                yield entry


def product(rng, *lists):
    """All combinations, in random order."""
    entries = [*itertools.product(*lists)]
    rng.shuffle(entries)
    return entries
