"""Load a model, and refuse it with the reason where it would give wrong results later."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import ModelError, first_line
from .adapter import Model
from .checks import check_adapter

SAFE = {
    "trust_remote_code": False
}  # left unsaid, transformers asks the user, and a reflex runs what came with the weights
TOY = Path(__file__).parent.parent / "toy" / "weights"


def resolve(source: Any, part: str) -> Any:
    """Turn the name ``"toy"`` into the folder that ships with the package; leave everything else alone."""
    return TOY / part if isinstance(source, str) and source == "toy" else source


def load_model(source: Any, *, processor: Any = None, device: str = "auto", dtype: Any = "auto", check: bool = True, revision: str | None = None,
               device_map: Any = None, quantization_config: Any = None, attn_implementation: str | None = None) -> Model:  # fmt: skip
    """Load an image-text-to-text model of Hugging Face.

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
        hook that does nothing changes nothing, and two pictures give different logits. They also find the scale and
        soft cap of the logits. :func:`check_model` shows them, and more, as a table.
    revision, device_map, quantization_config, attn_implementation
        As for ``from_pretrained``: a commit, a model spread over several GPUs, a quantised one, an attention kernel.

    Returns
    -------
    Model
        The adapter; the untouched module is at ``.hf``.

    Raises
    ------
    ModelError
        No model there, no language model in it, or a failed check; the message has the reason.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> nbt.load_model("toy").n_layers
    5
    """
    if isinstance(source, str | Path):
        name, folder = str(source), Path(source)
        placing = {
            "revision": revision,
            "device_map": device_map,
            "quantization_config": quantization_config,
            "attn_implementation": attn_implementation,
        }
        hf, processor = _from_pretrained(
            resolve(source, "captioner"),
            name,
            processor,
            device,
            dtype,
            {k: v for k, v in placing.items() if v is not None},
        )
    elif processor is None:
        raise ModelError(
            f"A loaded {type(source).__name__} was given without its processor; call load_model(model, processor=processor)."
        )
    else:
        hf, name = source, getattr(getattr(source, "config", None), "_name_or_path", "") or type(source).__name__
    model = Model(hf, processor, name=name, revision=getattr(hf.config, "_commit_hash", None) or "")
    if isinstance(source, str | Path):
        where = str(folder.resolve()) if folder.exists() and name != "toy" else name
        model.origin = where, {"device": str(device), "dtype": dtype} | placing
    if check:
        check_adapter(model)
    return model


def _from_pretrained(
    source: Any, name: str, processor: Any, device: str, dtype: Any, placing: dict[str, Any]
) -> tuple[Any, Any]:
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText, AutoModelForMultimodalLM

    if isinstance(source, Path) and not source.exists():
        raise ModelError(
            f"There is no folder {str(source)!r}; expected a Hugging Face model folder, a hub id, or 'toy'."
        )
    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    on_cpu = str(where).startswith("cpu") and "device_map" not in placing
    kind = (torch.float32 if on_cpu else "auto") if isinstance(dtype, str) and dtype == "auto" else dtype
    version = {k: v for k, v in placing.items() if k == "revision"}
    try:
        config = AutoConfig.from_pretrained(source, **SAFE, **version)
    except Exception as error:
        raise ModelError(
            f"{name!r} holds no Hugging Face model ({first_line(error)}). Give a folder with config.json, a hub id in reach, or 'toy'."
        ) from error
    known = type(config) in AutoModelForImageTextToText._model_mapping
    try:
        with quiet(name == "toy"):
            hf: Any = (AutoModelForImageTextToText if known else AutoModelForMultimodalLM).from_pretrained(
                source, dtype=kind, **placing
            )
        if not (getattr(hf, "is_quantized", False) or hasattr(hf, "hf_device_map")):  # those are where they belong
            hf = hf.to(where)
        processor = processor or load_processor(source, **version)
    except Exception as error:
        raise ModelError(f"{name!r} cannot be loaded as an image-text-to-text model ({first_line(error)}).") from error
    return hf, processor


def load_processor(source: Any, **version: str) -> Any:
    """Load a processor that can do its own resampling: torchvision has no box and no Hamming filter, PIL has."""
    from PIL.Image import Resampling
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(source, **SAFE, **version)
    if getattr(processor.image_processor, "resample", None) in (Resampling.BOX, Resampling.HAMMING):
        processor = AutoProcessor.from_pretrained(source, backend="pil", **SAFE, **version)
    return processor


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
