"""Every small change of a JSON value: each node in turn becomes something else, or is missing."""

import copy

VALUES = (None, True, 5, -1.5, "", "\ud800", [], [["x"]], {}, {"x": 1}, "../..")


def paths(value, path=()):
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from paths(child, (*path, key))


def mutations(value):
    """The value with each node replaced by each of :data:`VALUES`, removed, or twice in its list."""
    for path in paths(value):
        if not path:
            yield from VALUES
            continue
        for change in (*VALUES, "remove", "repeat"):
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
            yield result
