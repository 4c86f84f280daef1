"""One vocabulary over any Hugging Face image-text-to-text model: blocks, norm, head, vision tower, prompts."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ModelError
from ..types.geometry import Geometry
from .anatomy import anatomy
from .copies import PickledByName
from .decoding import argmax_decoding
from .devices import device_of, offload_faults
from .families import OVERRIDES
from .geometry import cached_geometry, image_mask
from .image_options import ImageLimit
from .inference import inference
from .prompts import check_system, prepare, takes_question, usable
from .responses import append

PROMPT = "Describe the image in one sentence."


class Model(PickledByName):
    """A vision-language model in the vocabulary of this package; the Hugging Face module itself is ``hf``, unchanged.

    Parameters
    ----------
    hf, processor
        A loaded model and its processor.
    name, revision
        Hub id or folder, and commit.
    system
        Text of the system message that precedes every prompt; none if empty.

    Attributes
    ----------
    blocks
        The decoder blocks; layer l is the raw output of block l (counted from 1), layer 0 the input of the first.
    n_layers, n_heads, d_model
        Number of blocks, attention heads per block, and width of the residual stream.
    norm, head
        Final norm and unembedding matrix; the logits are ``scale * head(norm(states))``, soft-capped at ``softcap`` if
        the model does so (:func:`nbtoolkit.models.checks.calibrate` finds both from the model's own logits).
    vision
        The vision tower, or None.
    family
        What is particular to the model's family: its row of :data:`nbtoolkit.models.families.OVERRIDES`.
    encoder_decoder
        Whether the text is decoded from an encoder's states.
    parts_sum
        Whether attention and MLP sum to what each block adds; None before the load-time checks.
    prompt, system
        The default prompt, empty where the chat template takes no question; the system text.
    image_limit
        The most positions that an image may take, and the options of the image processor that keep to it.
    origin
        Source and settings with which another process can load the model; None for a model that was passed in loaded.
    """

    def __init__(self, hf: Any, processor: Any, *, name: str = "", revision: str = "", system: str = "") -> None:
        self.hf, self.processor = hf, processor
        self.name, self.revision = name or type(hf).__name__, revision
        self.origin: tuple[str, dict[str, Any]] | None = None
        self.image_limit, self.family = ImageLimit(), OVERRIDES.get(hf.config.model_type, {})
        self.prompt = str(self.family.get("prompt", PROMPT))
        _, self.blocks, self.norm, self.head, self.vision = anatomy(hf)
        self.scale, self.softcap = 1.0, 0.0
        text = hf.config.get_text_config(decoder=True)
        self.encoder_decoder = bool(getattr(text, "is_encoder_decoder", False) or hf.config.is_encoder_decoder)
        head: Any = self.head
        self.n_heads = int(text.num_attention_heads)
        self.n_layers, self.d_model = len(self.blocks), int(getattr(head, "in_features", 0) or head.weight.shape[1])
        if getattr(processor, "tokenizer", None) is None:
            raise ModelError(
                f"The processor of {self.name} is a {type(processor).__name__} without a tokenizer; expected the one of AutoProcessor."
            )
        takes = inspect.signature(hf.forward).parameters
        self.system = system
        check_system(self)
        self.prompt = self.prompt if takes_question(self) else ""
        self.parts_sum: bool | None = None
        self._geometries: dict[Any, Geometry] = {}
        self._last_logits = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}

    @property
    def tokenizer(self) -> Any:
        """Tokenizer of the processor."""
        return self.processor.tokenizer

    @property
    def device(self) -> Any:
        """Device of the inputs."""
        return device_of(self.hf.get_input_embeddings())

    @property
    def pad(self) -> int:
        """Id that pads short rows."""
        return int(next(i for i in (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id, 0) if i is not None))

    @property
    def equal_lengths(self) -> bool:
        """Whether a batch must hold prompts of one length, because padding changes the responses of this family."""
        return self.encoder_decoder or bool(self.family.get("equal_lengths"))

    def text(self, prompt: str | None = None, n_images: int = 1) -> str:
        """Render a prompt as the model expects it: through its chat template if it has one.

        Parameters
        ----------
        prompt
            A question or instruction; the default prompt if None.
        n_images
            Number of images that precede it.

        Raises
        ------
        DataError
            The model cannot use the prompt; the message says why.
        """
        return usable(self, prompt, n_images)

    def inputs(self, images: Sequence[Any], prompt: str | Sequence[str] | None = None) -> dict[str, Tensor]:
        """Make the model's inputs from images and prompts, padded as the family requires, on the model's device.

        Parameters
        ----------
        images
            Per row a PIL image, or a list of them where the family takes several.
        prompt
            The prompt of every row, or a list with one per row; the default prompt if None.

        Returns
        -------
        dict
            ``input_ids`` and ``attention_mask`` (n, positions), and the family's own inputs (``pixel_values`` …).
        """
        return self.place(self.prepare(images, prompt))

    encode = inputs  # the name of release 0.1

    def prepare(self, images: Sequence[Any], prompt: str | Sequence[str] | None = None) -> dict[str, Any]:
        """Run the processor only, on the CPU: the part of :meth:`inputs` that needs no device.

        Parameters
        ----------
        images, prompt
            As for :meth:`inputs`.
        """
        return prepare(self, images, prompt)

    def place(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Move inputs to the model's device, images in the model's number format.

        Parameters
        ----------
        inputs
            From :meth:`prepare`.
        """
        return {k: self._move(v) for k, v in inputs.items()}

    def _move(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return type(value)(self._move(v) for v in value)
        if not isinstance(value, torch.Tensor):
            return value
        return value.to(self.device, self.hf.dtype if value.is_floating_point() else value.dtype, non_blocking=True)

    def extend(self, inputs: dict[str, Any], sequences: Sequence[Sequence[int]]) -> dict[str, Any]:
        """Append responses to the inputs, for one teacher-forced pass.

        Parameters
        ----------
        inputs
            From :meth:`inputs`.
        sequences
            Ids of each row's response; shorter ones are padded on the right.

        Returns
        -------
        dict
            Inputs of a forward pass; the last ``longest + 1`` positions predict the responses and what follows them.
        """
        return append(self, inputs, sequences)

    def image_mask(self, inputs: dict[str, Any]) -> Tensor:
        """Mark the image's positions in the residual stream, (n, positions) of bool; see :func:`nbtoolkit.models.geometry.image_mask`.

        Parameters
        ----------
        inputs
            From :meth:`inputs`.
        """
        return image_mask(self, inputs)

    def geometry(self, image: Any) -> Geometry:
        """Where each image position lies in an image, in pixels, and the part that the model saw; cached by the image's size.

        Parameters
        ----------
        image
            A PIL image, upright as :func:`nbtoolkit.data.read_image` gives it; only its size matters.

        Returns
        -------
        nbtoolkit.types.Geometry
            Of the positions that :meth:`image_mask` marks; see :func:`nbtoolkit.models.geometry.image_geometry`.
        """
        return cached_geometry(self, image)

    def forward(self, inputs: dict[str, Any], *, gradient: bool = False) -> Any:
        """Run one forward pass, with the logits of the last position only where the model can restrict them.

        Parameters
        ----------
        inputs
            From :meth:`extend`.
        gradient
            Record gradients; without, the pass runs in inference mode.

        Returns
        -------
        transformers.utils.ModelOutput
            The output of ``hf``.
        """
        with inference(self.hf, gradient=gradient):
            return self.hf(**inputs, **self._last_logits)

    def generate(self, inputs: dict[str, Any], max_new_tokens: int, **settings: Any) -> Tensor:
        """Generate greedily, in inference mode: by argmax, whatever the generation configuration of the model asks for.

        Parameters
        ----------
        inputs
            From :meth:`inputs`.
        max_new_tokens
            Length limit of a response, in tokens.
        **settings
            Further arguments of ``hf.generate``.

        Returns
        -------
        (n, positions) Tensor
            Ids as ``hf.generate`` returns them: for most families the prompt's, then the response's.
        """
        greedy = {"do_sample": False, "num_beams": 1, "pad_token_id": self.pad}
        with inference(self.hf), argmax_decoding(self.hf), offload_faults(self.hf, self.name):
            ids: Tensor = self.hf.generate(**inputs, max_new_tokens=max_new_tokens, **greedy, **settings)
        return ids

    def unembed(self, states: Any, *, norm: bool = True, gradient: bool = False) -> Any:
        """Logits of residual-stream vectors, as the model itself computes them from its last layer.

        Parameters
        ----------
        states : (…, d_model)
            A numpy array or a torch tensor.
        norm
            Apply the final norm first. The paper grounds concepts without it (section 3.3).
        gradient
            Let gradients pass to ``states``, a tensor; without, the product runs in inference mode.

        Returns
        -------
        (…, n_vocabulary)
            float32, of the same kind as the input.
        """
        tensor = states if isinstance(states, torch.Tensor) else torch.tensor(np.asarray(states))
        weight: Any = self.head.weight
        with inference(self.hf, gradient=gradient):
            place = device_of(self.head)
            h = tensor.to(device_of(self.norm, place), weight.dtype)
            logits: Tensor = self.head((self.norm(h) if norm else h).to(place)).float() * self.scale
            logits = self.softcap * torch.tanh(logits / self.softcap) if self.softcap else logits
        return logits if tensor is states else logits.detach().cpu().numpy()

    def decode(self, ids: Any) -> str:
        """Text of generated ids, without special tokens.

        Parameters
        ----------
        ids : (n,)
            Token ids: a list, an array or a tensor.
        """
        return str(self.tokenizer.decode(np.asarray(ids).tolist(), skip_special_tokens=True))

    def __repr__(self) -> str:
        return f"Model {self.name!r} ({type(self.hf).__name__}): {self.n_layers} layers, d_model {self.d_model}"
