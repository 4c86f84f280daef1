"""Files of trained sparse autoencoders, in the layout of SAELens: ``cfg.json`` and ``sae_weights.safetensors``."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from ..errors import DataError, NbtoolkitError, first_line
from ..files import exists, user_path
from ..strict_json import parse_json, read_json
from ..types.arguments import checked
from .sparse_autoencoder import SparseAutoencoder

Array = np.ndarray
WEIGHTS, SETTINGS = "sae_weights.safetensors", "cfg.json"
_TYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16}


@checked
def read_sae(path: str | os.PathLike[str]) -> SparseAutoencoder:
    """Read a trained sparse autoencoder; :func:`nbtoolkit.decompose` takes it without fitting.

    The architectures ``standard`` (ReLU), ``jumprelu`` and ``topk`` are read; nothing is executed or unpickled.

    Parameters
    ----------
    path
        A folder of SAELens with ``cfg.json`` and ``sae_weights.safetensors``, or a safetensors file beside its
        ``cfg.json``.

    Returns
    -------
    SparseAutoencoder
        Its concepts are the rows of ``W_dec``, its offset is ``b_dec``; ``hook`` says which states it reads.

    Raises
    ------
    DataError
        A file is missing or damaged, the weights do not fit each other, or a setting is none whose decoder is affine.

    References
    ----------
    Bloom et al., SAELens, https://github.com/jbloomAus/SAELens; JumpReLU: Rajamanoharan et al., 2024, arXiv 2407.14435.

    Examples
    --------
    >>> read_sae("nowhere")
    Traceback (most recent call last):
    nbtoolkit.errors.DataError: There is no sparse autoencoder at 'nowhere'; expected a folder with cfg.json and sae_weights.safetensors.
    """
    place = user_path(path, DataError)
    weights = place if exists(place) and place.is_file() else place / WEIGHTS
    settings = weights.with_name(SETTINGS)
    if not exists(weights) or not weights.is_file() or weights.suffix != ".safetensors":
        raise DataError(
            f"There is no sparse autoencoder at {str(path)!r}; expected a folder with {SETTINGS} and {WEIGHTS}."
        )
    if not settings.is_file():
        raise DataError(f"{str(weights)!r} has no {SETTINGS} beside it; expected the file that SAELens writes with it.")
    try:
        about = read_json(settings, allow_nan=True)  # Python's json, which SAELens uses, writes NaN
    except DataError as error:
        raise DataError(f"{str(settings)!r} is damaged ({first_line(error)}). Copy it again.") from error
    if not isinstance(about, dict):
        raise DataError(f"{str(settings)!r} is damaged (it holds no JSON object). Copy it again.")
    try:
        activation, k = _activation(about, settings)
        _refuse_settings(about, settings)
        return _estimator(about, activation, k, _checked(_tensors(weights), activation, weights))
    except (TypeError, ValueError, AttributeError, KeyError, OverflowError, MemoryError) as error:
        if isinstance(error, NbtoolkitError):
            raise
        raise DataError(
            f"{str(settings)!r} has a setting of another kind ({first_line(error)}); expected what SAELens writes. Save it again."
        ) from error


def _activation(about: Mapping[str, Any], file: Path) -> tuple[str, int | None]:
    """Activation function, and the k of top-k."""
    architecture = about.get("architecture", "standard")
    function = about.get("activation_fn", about.get("activation_fn_str", "relu"))
    k = about.get("k", (about.get("activation_fn_kwargs") or {}).get("k"))
    if architecture == "topk" or (architecture == "standard" and function == "topk"):
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise DataError(
                f"k in {str(file)!r} is {k!r}; expected a whole number of at least 1 for a top-k autoencoder."
            )
        return "topk", k
    if architecture not in ("standard", "jumprelu") or function != "relu":
        raise DataError(
            f"{str(file)!r} has architecture {architecture!r} with activation {function!r}; expected 'standard', 'jumprelu' "
            "or 'topk', with 'relu'. Of BatchTopK and Matryoshka autoencoders, save the inference version (JumpReLU)."
        )
    return ("jumprelu" if architecture == "jumprelu" else "relu"), None


def _refuse_settings(about: Mapping[str, Any], file: Path) -> None:
    """Refuse what makes the decoder depend on the sample, or the input another one than the state."""
    normalization = about.get("normalize_activations", "none") or "none"
    if normalization == "expected_average_only_in" and "norm_scaling_factor" not in about:
        raise DataError(
            f"normalize_activations in {str(file)!r} is {normalization!r} without norm_scaling_factor; expected the factor. "
            "Fold it into the weights with SAELens (fold_activation_norm_scaling_factor), and save again."
        )
    if normalization not in ("none", "expected_average_only_in"):
        raise DataError(
            f"normalize_activations in {str(file)!r} is {normalization!r}; expected 'none' or 'expected_average_only_in': "
            "with a scale per sample there is no decoder that is the same for all."
        )
    if (about.get("reshape_activations") or "none") != "none" or about.get("hook_head_index") is not None:
        raise DataError(
            f"{str(file)!r} is of attention heads (hook_z); expected an autoencoder of the residual stream."
        )


def _tensors(file: Path) -> dict[str, Array]:
    """Tensors of a safetensors file as float32 (float64 stays); bfloat16, which numpy lacks, too."""
    try:
        with safe_open(file, "np"):  # offsets without holes, and a header of at most 100 MB
            pass
        with file.open("rb") as handle:
            length = struct.unpack("<Q", handle.read(8))[0]
            header = parse_json(handle.read(length), "The header")
            header.pop("__metadata__", None)
            body = handle.read()
        tensors = {}
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            raw = np.frombuffer(body[begin:end], _TYPES[entry["dtype"]]).reshape(entry["shape"])
            if entry["dtype"] == "BF16":
                raw = (raw.astype(np.uint32) << 16).view(np.float32)
            tensors[name] = raw.astype(np.float64 if entry["dtype"] == "F64" else np.float32)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise DataError(f"{str(file)!r} is no safetensors file, or damaged ({first_line(error)}).") from error
    return tensors


def _checked(tensors: dict[str, Array], activation: str, file: Path) -> dict[str, Array]:
    """Refuse weights that are missing, do not fit each other, or are not finite."""
    if "log_threshold" in tensors and "threshold" not in tensors:
        tensors["threshold"] = np.exp(tensors["log_threshold"])
    names = ["W_enc", "b_enc", "W_dec", "b_dec", *(["threshold"] if activation == "jumprelu" else [])]
    missing = [name for name in names if name not in tensors]
    if missing:
        raise DataError(f"{str(file)!r} lacks {', '.join(missing)}; it has {', '.join(sorted(tensors))}.")
    n, d = tensors["W_dec"].shape if tensors["W_dec"].ndim == 2 else (-1, -1)
    shapes = {"W_dec": (n, d), "W_enc": (d, n), "b_enc": (n,), "b_dec": (d,), "threshold": (n,), "scaling_factor": (n,)}
    for name in [*names, *(["scaling_factor"] if "scaling_factor" in tensors else [])]:
        if tensors[name].shape != shapes[name]:
            raise DataError(
                f"{name} in {str(file)!r} has shape {tensors[name].shape}; expected {shapes[name]}, as W_dec has {tensors['W_dec'].shape}."
            )
        if not np.isfinite(tensors[name]).all():
            raise DataError(f"{name} in {str(file)!r} has NaN or infinity; expected finite numbers. Copy it again.")
    return tensors


def _estimator(
    about: Mapping[str, Any], activation: str, k: int | None, tensors: dict[str, Array]
) -> SparseAutoencoder:
    """The estimator; scales are folded into the weights, so that the decoder is V · D + b."""
    W, bias, D, b = (tensors[name] for name in ("W_enc", "b_enc", "W_dec", "b_dec"))
    threshold, centre = tensors.get("threshold"), b if about.get("apply_b_dec_to_input", True) else np.zeros_like(b)
    if about.get("rescale_acts_by_decoder_norm"):  # activations are then those of concepts of length 1
        norms = np.linalg.norm(D, axis=1)
        W, bias, D = W * norms, bias * norms, D / np.maximum(norms, 1e-30)[:, None]
    if about.get("finetuning_scaling_factor") and "scaling_factor" in tensors:
        D = D * tensors["scaling_factor"][:, None]
    if about.get("normalize_activations") == "expected_average_only_in":
        factor = float(about["norm_scaling_factor"])  # the autoencoder reads and gives factor · x
        W, D, b, centre = W * factor, D / factor, b / factor, centre / factor
    metadata = about.get("metadata") or about.get("meta") or {}
    hook = str(about.get("hook_name") or about.get("hook_point") or metadata.get("hook_name") or "")
    sae = SparseAutoencoder(activation, k=k, hook=hook)
    return sae.set_weights(W, bias, D, b, centre=centre, threshold=threshold if activation == "jumprelu" else None)
