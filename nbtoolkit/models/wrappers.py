"""Models inside something else: data-parallel wrappers, compiled models, pipelines of transformers."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from ..errors import ModelError
from .advice import check_kind
from .devices import without_weights


def unwrapped(source: Any, processor: Any) -> tuple[Any, Any]:
    """Hugging Face model inside a wrapper, and its processor: a pipeline brings one.

    Parameters
    ----------
    source
        A loaded model; or one in ``DataParallel``, ``torch.compile`` or a pipeline of transformers.
    processor
        The processor that was given, or None.

    Raises
    ------
    ModelError
        It is no model, a text model or a CLIP, has no processor, has no weights, or is compiled in place.
    """
    hf = source
    while True:
        if isinstance(hf, DataParallel | DistributedDataParallel):
            hf = hf.module
        elif isinstance(hf, nn.Module) and "_orig_mod" in hf._modules:  # of torch.compile; hooks fire on what it wraps
            hf = hf._modules["_orig_mod"]
        elif not isinstance(hf, nn.Module) and hasattr(hf, "task") and hasattr(hf, "model"):  # a pipeline
            processor = processor or getattr(hf, "processor", None)
            hf = hf.model
        else:
            break
    kind = type(source).__name__
    if not isinstance(hf, nn.Module) or not hasattr(hf, "config"):
        raise ModelError(
            f"source is a {kind}; expected 'toy', a folder, a hub id, or a loaded model of transformers with its processor."
        )
    check_kind(hf.config, kind, type(hf).__name__)
    if processor is None:
        raise ModelError(
            f"A loaded {kind} was given without its processor; call load_model(model, processor=processor)."
        )
    _check_whole(hf)
    return hf, processor


def _check_whole(hf: Any) -> None:
    compiled = [
        name or type(hf).__name__
        for name, part in hf.named_modules()
        if part._compiled_call_impl is not None or "_orig_mod" in part._modules
    ]
    if compiled:
        raise ModelError(
            f"{compiled[0]} is compiled in place, so that hooks on it do not fire. Give the model as it was before compile(), or "
            "compile a copy: compiled = torch.compile(model), and load_model(model, …)."
        )
    weight = without_weights(hf)
    if weight:
        raise ModelError(
            f"The weight {weight} of {type(hf).__name__} has no values (it is on the meta device); expected a loaded model. Load it "
            "with from_pretrained, or offload it with accelerate."
        )
