"""The tested releases: `environment.yml` lists them, `constraints.txt` repeats them for pip.

After a change of `environment.yml`, `python -m tests.pins` writes `constraints.txt` again; a test compares the two.
"""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
HEAD = "# The releases that the tests ran with, for pip. Made from environment.yml by `python -m tests.pins`.\n"


def pins() -> dict[str, str]:
    """Give the tested release of each package, as `environment.yml` lists them."""
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    return dict(re.findall(r"^ *- ([a-z0-9-]+)==(\S+)$", text, re.MULTILINE))


def constraints() -> str:
    """Give the text of `constraints.txt`."""
    return HEAD + "".join(f"{name}=={version}\n" for name, version in pins().items())


def other_releases() -> dict[str, str]:
    """Give the installed release of each pinned package whose release differs from the tested one."""
    installed = {canonicalize_name(d.metadata["Name"]): d.version for d in metadata.distributions()}
    return {
        name: installed[name]
        for name, version in pins().items()
        if name in installed and installed[name].partition("+")[0] != version  # 2.13.0+cpu is a build of 2.13.0
    }


if __name__ == "__main__":
    (ROOT / "constraints.txt").write_text(constraints(), encoding="utf-8")
