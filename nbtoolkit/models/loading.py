"""Load a model, and refuse it with the reason where it would give wrong results later."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import ModelError
from .adapter import Model
from .checks import check_adapter

TOY = Path(__file__).parent.parent / "toy" / "weights"


def resolve(source: Any, part: str) -> Any:
    """Turn the name ``"toy"`` into the folder that ships with the package; leave everything else alone."""
    return TOY / part if isinstance(source, str) and source == "toy" else source


def load_model(
    source: Any, *, processor: Any = None, device: str = "auto", dtype: Any = "auto", check: bool = True
) -> Model:
    """Load any decoder-only image-text-to-text model of Hugging Face.

    Parameters
    ----------
    source
        ``"toy"`` (the embedded one), a folder, a hub id, or a loaded Hugging Face model (then give ``processor`` too).
    processor
        The processor that belongs to a loaded model.
    device
        ``"auto"`` (the GPU if there is one), or a torch device; a loaded model stays where it is.
    dtype
        ``"auto"``: the checkpoint's own on a GPU, float32 on the CPU.
    check
        Run the load-time checks: hooks fire once a forward pass, the last layer unembeds to the model's logits, a
        hook that does nothing changes nothing, and two pictures give different logits.

    Returns
    -------
    Model
        The adapter; the untouched module is at ``.hf``.

    Raises
    ------
    ModelError
        No model there, no decoder-only language model in it, or a failed check.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> nbt.load_model("toy").n_layers
    5
    """
    name = (
        str(source)
        if isinstance(source, str | Path)
        else getattr(getattr(source, "config", None), "_name_or_path", "") or type(source).__name__
    )
    if isinstance(source, str | Path):
        hf, processor = _from_pretrained(resolve(source, "captioner"), name, processor, device, dtype)
    elif processor is None:
        raise ModelError(
            f"A loaded {type(source).__name__} was given without its processor; call load_model(model, processor=processor)."
        )
    else:
        hf = source
    model = Model(hf, processor, name=name, revision=getattr(hf.config, "_commit_hash", None) or "")
    if isinstance(source, str | Path):
        folder = Path(source)
        model.origin = (
            str(folder.resolve()) if folder.exists() and name != "toy" else name,
            {"device": str(device), "dtype": dtype},
        )
    if check:
        check_adapter(model)
    return model


def _from_pretrained(source: Any, name: str, processor: Any, device: str, dtype: Any) -> tuple[Any, Any]:
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    if isinstance(source, Path) and not source.exists():
        raise ModelError(
            f"There is no folder {str(source)!r}; expected a Hugging Face model folder, a hub id, or 'toy'."
        )
    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    kind = (
        (torch.float32 if str(where).startswith("cpu") else "auto")
        if isinstance(dtype, str) and dtype == "auto"
        else dtype
    )
    try:
        AutoConfig.from_pretrained(source)
    except Exception as error:
        raise ModelError(
            f"{name!r} holds no Hugging Face model ({reason(error)}). Give a folder with config.json, a hub id in reach, or 'toy'."
        ) from error
    try:
        with quiet(name == "toy"):
            hf: Any = AutoModelForImageTextToText.from_pretrained(source, dtype=kind)
        hf = hf.to(where)
        processor = processor or load_processor(source)
    except Exception as error:
        raise ModelError(f"{name!r} cannot be loaded as an image-text-to-text model ({reason(error)}).") from error
    return hf, processor


def load_processor(source: Any) -> Any:
    """Load a processor that can do its own resampling: torchvision has no box and no Hamming filter, PIL has."""
    from PIL.Image import Resampling
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(source)
    if getattr(processor.image_processor, "resample", None) in (Resampling.BOX, Resampling.HAMMING):
        processor = AutoProcessor.from_pretrained(source, backend="pil")
    return processor


def reason(error: Exception) -> str:
    """First line of an error's text, or its type where it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextlib.contextmanager
def quiet(wanted: bool) -> Iterator[None]:
    """Hide Hugging Face's loading bar where the weights are too small to wait for; the caller's setting comes back."""
    from transformers.utils import logging

    hide = wanted and logging.is_progress_bar_enabled()
    if hide:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        if hide:
            logging.enable_progress_bar()
