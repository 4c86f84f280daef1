"""Every parameter of every public function is documented, in the field's words."""

import ast
import re
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "nbtoolkit"
PARTICIPLES = {"said", "found", "kept", "known", "told", "wanted", "shown", "asked", "owed"}


def functions(tree, prefix=()):
    """Public functions and classes with the docstring that has to name their parameters."""
    for node in tree.body:
        name = getattr(node, "name", "_")
        if isinstance(node, ast.ClassDef) and not name.startswith("_"):
            yield from functions(node, (*prefix, name))
            init = next((f for f in node.body if getattr(f, "name", "") == "__init__"), None)
            if init is not None:
                yield (*prefix, name), init, ast.get_docstring(node) or ""
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            public = not name.startswith("_") or name == "__call__"
            decorators = {ast.unparse(d) for d in node.decorator_list}
            if public and not any("property" in d or ".setter" in d or "validate" in d for d in decorators):
                yield (*prefix, name), node, ast.get_docstring(node) or ""


def parameters(node):
    arguments = node.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    stars = [f"**{a.arg}" if a is arguments.kwarg else f"*{a.arg}" for a in (arguments.vararg, arguments.kwarg) if a]
    return [n for n in (*names, *stars) if n.lstrip("*") not in ("self", "cls") and not n.lstrip("*").startswith("_")]


def documented(docstring):
    """Names in the Parameters section: ``a, b : (n, d)`` has two."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n-{3,}|\Z)", docstring, re.DOTALL | re.MULTILINE)
    lines = section[1].splitlines() if section else []
    heads = [line for line in lines if line and not line.startswith(" ")]
    return {name.strip() for head in heads for name in head.split(" : ")[0].split(",")}


def sources():
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE), ast.parse(path.read_text("utf-8"))


def test_every_parameter_of_every_public_function_is_documented():
    total, missing = 0, []
    for path, tree in sources():
        for name, node, docstring in functions(tree):
            names = parameters(node)
            total += len(names)
            missing += [f"{path}: {'.'.join(name)}({n})" for n in names if n not in documented(docstring)]
    assert total > 500 and not missing, "\n".join(missing)


def test_participles_are_no_names():
    wrong = []
    for path, tree in sources():
        for node in ast.walk(tree):
            name = getattr(node, "name", None) or getattr(node, "arg", None) or getattr(node, "id", None)
            if name in PARTICIPLES:
                wrong.append(f"{path}:{getattr(node, 'lineno', 0)} {name}")
    assert not wrong, "\n".join(wrong)


DIALECT = r"taken apart|takes? apart|\bowes?\b|\bswitch(?:ed|es)? off|take[sn]? out of|of one's own|as equally many|\bjudge\b|where it lies"


def test_sentences_are_those_of_the_field():
    root = PACKAGE.parent
    files = [
        *PACKAGE.rglob("*.py"),
        *PACKAGE.glob("widgets/js/src/**/*.js"),
        *root.glob("README.md"),
        *root.glob("notebooks/*.ipynb"),
    ]
    wrong = [
        f"{f.relative_to(root)}:{i} {m[0]}"
        for f in files
        for i, line in enumerate(f.read_text("utf-8").splitlines(), 1)
        for m in [re.search(DIALECT, line)]
        if m
    ]
    assert not wrong, "\n".join(wrong)
