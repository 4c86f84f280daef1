"""Adapters of PEFT (LoRA and its kin): a folder or hub id that holds an adapter, loaded together with its base model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers.utils import cached_file

from ..errors import ModelError, first_line
from ..files import exists

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_QUIET = {
    "_raise_exceptions_for_gated_repo": False,
    "_raise_exceptions_for_missing_entries": False,
    "_raise_exceptions_for_connection_errors": False,
}
_LOADS_OTHERS = ("XLORA",)  # kinds whose configuration names further adapters, which peft would fetch


def adapter_config(source: Any, **version: str) -> dict[str, Any] | None:
    """Configuration of the adapter at a folder or hub id; None where there is no adapter.

    Parameters
    ----------
    source
        A folder or hub id.
    **version
        ``revision``: a commit of the hub.

    Raises
    ------
    ModelError
        The configuration cannot be read, or names no base model.
    """
    path = _file(source, _CONFIG, version)
    if path is None:
        return None
    try:
        config = json.loads(Path(path).read_text("utf-8"))
        base = config["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{_CONFIG} of {str(source)!r} cannot be read ({type(error).__name__}: {first_line(error)})."
        ) from error
    if not isinstance(base, str) or not base:
        raise ModelError(
            f"{_CONFIG} of {str(source)!r} names the base model {base!r}; expected a folder or hub id. Load the base model and the "
            "adapter with peft, and give load_model(model, processor=processor)."
        )
    return dict(config)


def has_processor(source: Any, **version: str) -> bool:
    """Whether there is a processor beside an adapter.

    Parameters
    ----------
    source
        Folder or hub id of the adapter.
    **version
        ``revision``: a commit of the hub.
    """
    return any(_file(source, name, version) for name in ("processor_config.json", "preprocessor_config.json"))


def with_adapter(hf: Any, source: Any, config: dict[str, Any], **version: str) -> Any:
    """Base model with its adapter, through peft; weights are read from safetensors only.

    Parameters
    ----------
    hf
        The base model.
    source
        Folder or hub id of the adapter.
    config
        From :func:`adapter_config`.
    **version
        ``revision``: a commit of the hub.

    Raises
    ------
    ModelError
        peft is not installed, the adapter has no safetensors, or it does not fit the base model.
    """
    try:
        from peft import PeftModel  # an optional dependency
    except ImportError as error:
        raise ModelError(
            f"{str(source)!r} is an adapter of PEFT, and peft is not installed ({first_line(error)}). pip install peft, or merge the "
            "adapter into its base model and give that folder."
        ) from error
    kind = str(config.get("peft_type", ""))
    if kind in _LOADS_OTHERS:
        raise ModelError(
            f"{str(source)!r} is an adapter of the kind {kind}, which loads further adapters; expected one. Merge it, and give the "
            "folder of the merged model."
        )
    weights = _file(source, _WEIGHTS, version)
    if weights is None:
        raise ModelError(
            f"{str(source)!r} has no {_WEIGHTS}; expected one: pickled weights (.bin) are never read. Save the adapter again with "
            "save_pretrained, which writes safetensors."
        )
    try:
        return PeftModel.from_pretrained(hf, str(Path(weights).parent), is_trainable=False).eval()
    except Exception as error:  # peft raises what it likes for an adapter of another model
        raise ModelError(
            f"The adapter {str(source)!r} cannot be put on {config['base_model_name_or_path']!r} ({type(error).__name__}: "
            f"{first_line(error)})."
        ) from error


def active_adapters(hf: Any) -> tuple[str, ...]:
    """Names and kinds of the adapters that act in a model now; empty where there are none, or while they are disabled.

    Parameters
    ----------
    hf
        A Hugging Face model, with or without adapters.
    """
    configs = getattr(hf, "peft_config", None)
    # models have a method of that name, layers a property
    layers = [m for m in hf.modules() if isinstance(getattr(m, "disable_adapters", None), bool)]
    if not isinstance(configs, dict) or not layers or layers[0].disable_adapters:
        return ()
    return tuple(f"{name} ({_kind(configs[name])})" for name in layers[0].active_adapters if name in configs)


def _kind(config: Any) -> str:
    kind = getattr(config, "peft_type", "")
    return str(getattr(kind, "value", kind))


def _file(source: Any, name: str, version: dict[str, str]) -> str | None:
    if exists(source) and Path(source).is_dir():
        path = Path(source) / name
        return str(path) if path.is_file() else None
    try:
        return cached_file(str(source), name, **_QUIET, **version)
    except (OSError, ValueError):  # no such repository; the model's own loading says so
        return None
