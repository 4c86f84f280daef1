"""One vocabulary over any Hugging Face image-text-to-text model: blocks, norm, head, eyes, prompts."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError
from .anatomy import anatomy
from .families import COMPANIONS, OVERRIDES

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

PROMPT = "Describe the image in one sentence."


class Model:
    """A vision-language model behind eight members; the untouched Hugging Face module is ``hf``.

    Parameters
    ----------
    hf, processor
        The loaded pair.
    name, revision
        Hub id or folder, and commit.

    Attributes
    ----------
    blocks
        The decoder blocks; layer l is the raw output of block l (counted from 1).
    n_layers, n_heads, d_model
        Number of blocks, of attention heads in each, and width of the residual stream.
    norm, head
        Final norm and unembedding matrix; the logits are ``scale * head(norm(states))``, capped softly at ``softcap``
        where the model does so (both found by :func:`nbtoolkit.models.checks.calibrate` from the model's own logits).
    vision
        The vision tower, or None.
    prompt
        What the model is asked when nothing else is given.
    """

    def __init__(self, hf: Any, processor: Any, *, name: str = "", revision: str = "") -> None:
        self.hf, self.processor = hf.eval(), processor
        self.name, self.revision = name or type(hf).__name__, revision
        self.origin: tuple[str, dict[str, Any]] | None = None  # how another process can load it
        self.family = OVERRIDES.get(hf.config.model_type, {})
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
        self.tokenizer.padding_side = "right" if self.encoder_decoder else "left"

    @property
    def tokenizer(self) -> Any:
        """Tokenizer of the processor."""
        return self.processor.tokenizer

    @property
    def device(self) -> Any:
        """Where the inputs go."""
        return self.hf.get_input_embeddings().weight.device

    @property
    def pad(self) -> int:
        """Id that fills short rows."""
        ids = (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id, 0)
        return int(next(i for i in ids if i is not None))

    @property
    def equal_lengths(self) -> bool:
        """Tell whether a batch must hold prompts of one length, because padding changes this family's answers."""
        return self.encoder_decoder or bool(self.family.get("equal_lengths"))

    def text(self, prompt: str | None = None) -> str:
        """Give the prompt as the model wants it: through its chat template where it has one."""
        words = self.prompt if prompt is None else prompt
        if getattr(self.processor, "chat_template", None):
            content = [{"type": "image"}, {"type": "text", "text": words}]
            return str(
                self.processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
            )
        image = getattr(self.processor, "image_token", "<image>")
        return str(self.family.get("ask", "{image}\n{words}")).format(image=image, words=words)

    def encode(self, images: Sequence[Image.Image], prompt: str | None = None) -> dict[str, Tensor]:
        """Make the model's inputs for pictures and one prompt, padded as the family wants it, on the model's device.

        Returns
        -------
        dict
            ``input_ids`` and ``attention_mask`` (n, positions), and what the family adds (``pixel_values`` …).
        """
        return self.place(self.prepare(images, prompt))

    def prepare(self, images: Sequence[Image.Image], prompt: str | None = None) -> dict[str, Any]:
        """Run the processor only, on the CPU: what :meth:`encode` does before anything moves to the model's device."""
        text, begin = self.text(prompt), self.tokenizer.bos_token
        once = {"add_special_tokens": False} if begin and text.startswith(begin) else {}  # the template has written it
        inputs = dict(
            self.processor(
                images=[[im] for im in images], text=[text] * len(images), padding=True, return_tensors="pt", **once
            )
        )
        inputs.pop("labels", None)
        ids = inputs["input_ids"]
        last = {self.tokenizer.sep_token_id, self.tokenizer.eos_token_id} - {None}
        if self.family.get("cut_end") and ids.shape[1] > 1 and set(ids[:, -1].tolist()) <= last:
            inputs |= {k: v[:, :-1] for k, v in inputs.items() if k in ("input_ids", "attention_mask", *COMPANIONS)}
        return inputs

    def place(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Move inputs to the model's device, pictures in the model's number format."""
        return {k: self._move(v) for k, v in inputs.items()}

    def _move(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return type(value)(self._move(v) for v in value)
        if not hasattr(value, "is_floating_point"):
            return value
        return (
            value.to(self.device, self.hf.dtype, non_blocking=True)
            if value.is_floating_point()
            else value.to(self.device, non_blocking=True)
        )

    def extend(self, inputs: dict[str, Any], sequences: Sequence[Sequence[int]]) -> dict[str, Any]:
        """Append given answers to the inputs, for one teacher-forced pass.

        Parameters
        ----------
        inputs
            What :meth:`encode` gave.
        sequences
            Ids of each row's answer; shorter ones are padded on the right.

        Returns
        -------
        dict
            Inputs of a forward pass; the last ``longest + 1`` positions predict the answers and what follows.
        """
        import torch

        longest = max(map(len, sequences), default=0)
        kind = {"dtype": torch.long, "device": inputs["input_ids"].device}
        tail = torch.tensor([[*row, *[self.pad] * (longest - len(row))] for row in sequences], **kind).reshape(
            len(sequences), longest
        )
        live = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in sequences], **kind).reshape(
            len(sequences), longest
        )
        if self.encoder_decoder:
            start = self.hf.generation_config.decoder_start_token_id
            start = self.hf.config.get_text_config(decoder=True).decoder_start_token_id if start is None else start
            return inputs | {"decoder_input_ids": torch.cat([torch.full((len(sequences), 1), start, **kind), tail], 1)}
        full = inputs | {
            "input_ids": torch.cat([inputs["input_ids"], tail], 1),
            "attention_mask": torch.cat([inputs["attention_mask"], live], 1),
        }
        for name in COMPANIONS:
            if name in inputs:
                fill = self.family.get("fill", {}).get(name, 0)
                full[name] = torch.cat([inputs[name], torch.full_like(tail, fill).to(inputs[name].dtype)], 1)
        for name in self.family.get("repeat", ()):
            if name in inputs:
                full[name] = torch.cat(
                    [inputs[name], inputs[name][:, -1:].expand(-1, longest, *inputs[name].shape[2:])], 1
                )
        return full

    @property
    def sparing(self) -> dict[str, int]:
        """Arguments with which a forward pass computes the last position's logits only, where the model can."""
        return {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(self.hf.forward).parameters else {}

    def image_mask(self, inputs: dict[str, Any]) -> Tensor:
        """Tell which positions of the residual stream are the picture's: (n, positions), true or false.

        Raises
        ------
        ModelError
            The family shows the picture to its blocks another way (cross-attention, an encoder).
        """
        import torch

        config, ids = self.hf.config, inputs["input_ids"]
        if "image_embeds_position_mask" in inputs:
            return inputs["image_embeds_position_mask"].bool()
        if self.family.get("image_key") == "prefix":
            n = (config.vision_config.image_size // config.vision_config.patch_size) ** 2 + 1
            ones = torch.ones(len(ids), n, dtype=torch.bool, device=ids.device)
            return torch.cat([ones, torch.zeros_like(ids, dtype=torch.bool)], 1)
        keys = (self.family["image_key"],) if "image_key" in self.family else ("image_token_id", "image_token_index")
        found = next((getattr(config, k) for k in keys if k and getattr(config, k, None) is not None), None)
        if found is None or self.encoder_decoder:
            raise ModelError(
                f"{self.name} has no picture positions in its decoder's stream; where='visual' needs a model that puts the picture among the words."
            )
        return ids == found

    def unembed(self, states: Any, *, norm: bool = True) -> Any:
        """Logits of residual-stream vectors, as the model itself would read them at its last layer.

        Parameters
        ----------
        states : (…, d_model)
            A numpy array or a torch tensor.
        norm
            Apply the final norm first. The paper grounds concepts without it (section 3.3).

        Returns
        -------
        (…, n_vocabulary)
            float32, of the same kind as the input.
        """
        import torch

        given = isinstance(states, torch.Tensor)
        with torch.no_grad():
            logits = self.logits(states if given else torch.tensor(np.asarray(states)), norm=norm)
        return logits if given else logits.cpu().numpy()

    def logits(self, states: Tensor, *, norm: bool = True) -> Tensor:
        """Do as :meth:`unembed` does, in torch, so that gradients pass."""
        import torch

        weight: Any = self.head.weight
        h = states.to(next(self.norm.parameters(), weight).device, weight.dtype)
        logits: Tensor = self.head((self.norm(h) if norm else h).to(weight.device)).float() * self.scale
        return self.softcap * torch.tanh(logits / self.softcap) if self.softcap else logits

    def decode(self, ids: Any) -> str:
        """Text of generated ids, without special tokens."""
        return str(self.tokenizer.decode(np.asarray(ids).tolist(), skip_special_tokens=True))

    def __repr__(self) -> str:
        return f"Model {self.name!r} ({type(self.hf).__name__}): {self.n_layers} layers, d_model {self.d_model}"
