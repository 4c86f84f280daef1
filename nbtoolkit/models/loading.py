"""Load a model and check it, so that a model that would give wrong results is refused with the reason."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Resampling
from transformers import AutoConfig, AutoModelForImageTextToText, AutoModelForMultimodalLM
from transformers.utils import logging

from ..errors import ModelError, first_line
from ..files import exists
from ..toy.names import SCENES
from ..toy.smollm2 import model_folder
from ..types.arguments import checked
from .adapter import Model
from .addresses import at_home, hub_address
from .advice import check_kind, out_of_reach, to_install, with_own_code
from .budget import limited
from .checks import check_adapter
from .peft_adapters import adapter_config, has_processor, with_adapter
from .wrappers import unwrapped

# if unset, transformers asks on the terminal whether to run the Python files that came with the weights
NO_REMOTE_CODE = {"trust_remote_code": False}
TOY = Path(__file__).parent.parent / "toy" / "weights"


def resolve(source: Any, part: str) -> Any:
    """Folder of the embedded weights for the name of an embedded model; any other source unchanged.

    Parameters
    ----------
    source
        ``"toy"``, ``"toy-plain"``, ``"toy-smollm2"``, a folder, a hub id, or a loaded model.
    part
        ``"captioner"`` or ``"scorer"``; only ``"toy"`` names a scorer.

    Raises
    ------
    ModelError
        The language model of ``"toy-smollm2"`` is neither in the user's cache folder nor installed.
    """
    if not isinstance(source, str):
        return source
    if part == "captioner" and source == "toy-smollm2":
        return model_folder()
    if part == "captioner" and source == "toy-plain":
        return TOY / "plain"
    return TOY / part if source == "toy" else source


@checked
def load_model(
    source: Any,
    *,
    processor: Any = None,
    device: str = "auto",
    dtype: Any = "auto",
    check: bool = True,
    revision: str | None = None,
    device_map: Any = None,
    quantization_config: Any = None,
    attn_implementation: str | None = None,
    system: str = "",
    max_image_tokens: int | None = None,
) -> Model:
    """Load an image-text-to-text model of Hugging Face.

    Parameters
    ----------
    source
        ``"toy"`` (the embedded one), ``"toy-plain"`` (the same without the look-ahead loss, on the second world),
        ``"toy-smollm2"`` (SmolLM2-135M, which sees the second world; needs the extra ``real``), a folder, a hub id
        (``"org/name"``, ``"org/name@revision"``, or its address), or a loaded Hugging Face model (then give ``processor``
        too), also one that is offloaded by ``accelerate``, in ``DataParallel`` or ``torch.compile``, or in a pipeline. A
        folder or id of a PEFT adapter gives its base model with the adapter (``peft`` must be installed).
    processor
        The processor of a loaded model; any object as in the notes. Model and processor are left as they were.
    device
        ``"auto"`` (the GPU if there is one), or a torch device; a loaded model stays on its device.
    dtype
        ``"auto"``: the checkpoint's own on a GPU, float32 on the CPU.
    check
        Run the load-time checks: hooks fire once per forward pass, the last layer unembeds to the model's logits, a
        hook that only reads changes nothing, two images give different logits, and the rendered prompt has the image
        once, its begin token at most once, and the question verbatim. They also find the scale and soft cap of the
        logits. :func:`check_model` shows them, and more, as a table.
    revision, device_map, quantization_config, attn_implementation
        As for ``from_pretrained``: a commit, a model spread over several GPUs, a quantised one, an attention kernel.
    system
        Text of a system message that precedes every prompt.
    max_image_tokens
        The most positions that an image may take, through the options of the family's own image processor (pixels, tiles,
        longest edge, …); as shipped if None. Fewer positions take less time and memory, and show the model less detail.

    Returns
    -------
    Model
        The adapter; the Hugging Face module is its ``hf``, unchanged.

    Raises
    ------
    ModelError
        No model there, no language model in it, a failed check, or a limit that the family cannot keep; the message has
        the reason.

    Notes
    -----
    A model with a processor of another kind works where these hold. The model is a ``PreTrainedModel`` that generates
    (``GenerationMixin``): ``config``, ``generate(**inputs)``, ``forward(**inputs)`` with ``logits``, input and output
    embeddings, and a list of decoder blocks. The processor is a callable that can be deep-copied::

        processor(images=[[image, …], …], text=[text, …], padding=True, return_tensors="pt")

    with a list of RGB images per text. It returns a mapping with ``input_ids`` and ``attention_mask`` (n, positions), padded
    on ``tokenizer.padding_side``, and the model's image inputs. Where the text begins with the begin token,
    ``add_special_tokens=False`` is passed too. ``processor.tokenizer`` is a tokenizer of transformers. A method
    ``apply_chat_template(messages, add_generation_prompt=True)``, if there is one, renders messages whose content is a
    list of ``{"type": "image"}`` and ``{"type": "text", "text": …}``; otherwise the text is the placeholder
    ``processor.image_token`` per image (default ``"<image>"``), a line break and the question.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> nbt.load_model("toy").n_layers
    5
    """
    source = at_home(source)
    if isinstance(source, str):
        source, revision = hub_address(source, revision)
    settings = {
        "revision": revision,
        "device_map": device_map,
        "quantization_config": quantization_config,
        "attn_implementation": attn_implementation,
    }
    if isinstance(source, str | Path):
        name = str(source)
        given = {k: v for k, v in settings.items() if v is not None}
        hf, processor = _from_pretrained(resolve(source, "captioner"), name, processor, device, dtype, given)
    else:
        hf, processor = unwrapped(source, processor)
        name = getattr(hf.config, "_name_or_path", "") or type(hf).__name__
    model = Model(hf, processor, name=name, revision=getattr(hf.config, "_commit_hash", None) or "", system=system)
    if isinstance(source, str | Path):
        where = str(Path(source).resolve()) if exists(source) and name not in SCENES else name
        model.origin = where, {"device": str(device), "dtype": dtype, "system": system} | settings
    if max_image_tokens is not None:
        model = limited(model, max_image_tokens)
    if check:
        check_adapter(model)
        if model.image_limit.base is not None:  # the model without the limit has the same scale of logits
            model.image_limit.base.scale, model.image_limit.base.softcap = model.scale, model.softcap
    return model


def _from_pretrained(
    source: Any, name: str, processor: Any, device: str, dtype: Any, settings: dict[str, Any]
) -> tuple[Any, Any]:
    if isinstance(source, Path) and not exists(source):
        raise ModelError(
            f"There is no folder {str(source)!r}; expected a Hugging Face model folder, a hub id, or 'toy'."
        )
    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    on_cpu = str(where).startswith("cpu") and "device_map" not in settings
    kind = (torch.float32 if on_cpu else "auto") if isinstance(dtype, str) and dtype == "auto" else dtype
    version = {k: v for k, v in settings.items() if k == "revision"}
    adapter = adapter_config(source, **version)
    if adapter is not None:
        return _adapted(source, name, adapter, processor, device, dtype, settings)
    try:
        config = AutoConfig.from_pretrained(source, **NO_REMOTE_CODE, **version)
    except Exception as error:
        raise ModelError(
            f"{name!r} holds no Hugging Face model ({first_line(error)}). Give a folder with config.json, a hub id in reach, or "
            f"'toy'.{out_of_reach(error, name)}{with_own_code(source, **version)}{to_install(error)}"
        ) from error
    check_kind(config, name)
    maps_text = type(config) in AutoModelForImageTextToText._model_mapping
    try:
        with quiet(name in SCENES):
            hf: Any = (AutoModelForImageTextToText if maps_text else AutoModelForMultimodalLM).from_pretrained(
                source, dtype=kind, **settings
            )
        if not (getattr(hf, "is_quantized", False) or hasattr(hf, "hf_device_map")):  # those are placed already
            hf = hf.to(where)
    except Exception as error:
        raise ModelError(
            f"{name!r} cannot be loaded as an image-text-to-text model ({first_line(error)})."
            f"{out_of_reach(error, name)}{with_own_code(source, **version)}{to_install(error)}"
        ) from error
    try:
        return hf, processor or load_processor(source, **version)
    except Exception as error:
        raise ModelError(
            f"The processor of {name!r} cannot be loaded ({first_line(error)}). Save it beside the weights, or give it: "
            f"load_model({name!r}, processor=processor).{to_install(error)}"
        ) from error


def _adapted(
    source: Any,
    name: str,
    adapter: dict[str, Any],
    processor: Any,
    device: str,
    dtype: Any,
    settings: dict[str, Any],
) -> tuple[Any, Any]:
    """Base model of a PEFT adapter with the adapter, and the processor: that beside the adapter, or the base model's."""
    version = {k: v for k, v in settings.items() if k == "revision"}  # of the adapter; that of its base is in its file
    own = {k: v for k, v in (settings | {"revision": adapter.get("revision")}).items() if v is not None}
    base: Any = adapter["base_model_name_or_path"]
    if adapter_config(base, **{k: v for k, v in own.items() if k == "revision"}) is not None:
        raise ModelError(
            f"The base model of the adapter {name!r} is {base!r}, an adapter itself; expected a model. Merge that adapter first."
        )
    try:
        processor = processor or (load_processor(source, **version) if has_processor(source, **version) else None)
        hf, processor = _from_pretrained(Path(base) if exists(base) else base, base, processor, device, dtype, own)
    except ModelError as error:
        raise ModelError(f"The base model of the adapter {name!r} cannot be loaded: {error}") from error
    return with_adapter(hf, source, adapter, **version), processor


def load_processor(source: Any, **version: str) -> Any:
    """Load a processor on a backend that has its resampling filter: torchvision lacks box and Hamming, PIL has them.

    Parameters
    ----------
    source
        A folder or hub id.
    **version
        ``revision``: a commit of the hub.
    """
    # only here: it imports torchvision, and a torchvision that does not fit torch is a ModelError of load_model
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(source, **NO_REMOTE_CODE, **version)
    if getattr(getattr(processor, "image_processor", None), "resample", None) in (Resampling.BOX, Resampling.HAMMING):
        processor = AutoProcessor.from_pretrained(source, backend="pil", **NO_REMOTE_CODE, **version)
    return processor


@contextlib.contextmanager
def quiet(hide: bool) -> Iterator[None]:
    """Hide Hugging Face's progress bar for weights that load at once; restore the caller's setting after the block.

    Parameters
    ----------
    hide
        False leaves the bar as it is.
    """
    hide = hide and logging.is_progress_bar_enabled()
    if hide:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        if hide:
            logging.enable_progress_bar()
