"""Copies of a model: in memory with its weights, in a pickle by the name that it was loaded by."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

from ..errors import ModelError


class PickledByName:
    """Base of the adapter: a pickle holds source, settings and processor, and is read by loading the model again."""

    def __copy__(self) -> Any:
        """The same Hugging Face model behind another adapter."""
        return _filled(self, dict(vars(self)))

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """A copy of the weights, too."""
        new = memo[id(self)] = _filled(self, {})
        vars(new).update(copy.deepcopy(vars(self), memo))
        return new

    def __reduce__(self) -> tuple[Any, ...]:
        """Source and settings, for pickle."""
        own: Any = vars(self)
        if own["origin"] is None:
            raise ModelError(
                f"{own['name']} was given as a loaded model, which cannot be pickled; expected one of load_model('a hub id or folder'), "
                "which another process can load too."
            )
        base: Any = own["image_limit"].base or self
        state = {name: own[name] for name in ("prompt", "scale", "softcap", "parts_sum")}
        return _loaded, (*own["origin"], base.processor, checksum(own["hf"]), state)


def checksum(hf: Any) -> str:
    """Hash of a few values of every parameter, to recognise weights.

    Parameters
    ----------
    hf
        A Hugging Face model.
    """
    digest = hashlib.blake2b(digest_size=16)
    for parameter in hf.parameters():
        if parameter.device.type != "meta" and parameter.numel():
            flat = parameter.detach().flatten()
            digest.update(flat[:: max(1, flat.numel() // 16)][:16].double().cpu().numpy().tobytes())
    return digest.hexdigest()


def _filled(model: Any, state: dict[str, Any]) -> Any:
    new = object.__new__(type(model))
    vars(new).update(state)
    return new


def _loaded(source: str, settings: dict[str, Any], processor: Any, weights: str, state: dict[str, Any]) -> Any:
    from .loading import load_model  # loading imports the adapter, whose base is in this module

    model = load_model(source, processor=processor, check=False, **settings)
    if checksum(model.hf) != weights:
        raise ModelError(
            f"{source!r} has other weights than the model that was pickled by this name; expected the same. Save changed weights "
            "with save_pretrained, and load that folder before pickling."
        )
    vars(model).update(state)
    return model
