"""One vocabulary over any Hugging Face image-text-to-text model: blocks, norm, head, prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError
from .families import ENCODER_DECODERS, NOT_A_DECODER_BLOCK, OVERRIDES

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor, nn

PROMPT = "Describe the image in one sentence."


def find_blocks(hf: Any) -> tuple[str, nn.ModuleList]:
    """Find the list of decoder blocks: the one of the right length, on the shortest path, outside any vision part."""
    from torch import nn

    wanted = getattr(hf.config.get_text_config(decoder=True), "num_hidden_layers", None)
    found = []
    for name, module in hf.named_modules():
        odd = any(part in piece for piece in name.lower().split(".") for part in NOT_A_DECODER_BLOCK)
        if isinstance(module, nn.ModuleList) and len(module) and not odd and any(True for _ in module[0].children()):
            found.append((len(module) != wanted, name.count("."), name, module))
    if all(miss for miss, *_ in found):
        raise ModelError(
            f"No list of {wanted} decoder blocks was found in {type(hf).__name__}; expected a decoder-only language model inside."
        )
    _, _, name, module = min(found, key=lambda row: row[:3])
    return name, module


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
    n_layers, d_model
        Number of blocks, and width of the residual stream.
    norm, head
        Final norm and unembedding matrix.
    prompt
        What the model is asked when nothing else is given.
    """

    def __init__(self, hf: Any, processor: Any, *, name: str = "", revision: str = "") -> None:
        kind = hf.config.model_type
        if kind in ENCODER_DECODERS or getattr(hf.config, "is_encoder_decoder", False):
            raise ModelError(
                f"{name or type(hf).__name__} is an encoder-decoder model ({kind}); expected a decoder-only one such as LLaVA."
            )
        self.hf, self.processor = hf.eval(), processor
        self.name, self.revision, self.prompt = name or type(hf).__name__, revision, PROMPT
        row = OVERRIDES.get(kind, {})
        path, blocks = (row["blocks"], hf.get_submodule(row["blocks"])) if "blocks" in row else find_blocks(hf)
        self.blocks: nn.ModuleList = blocks
        self.head = hf.get_output_embeddings()
        if self.head is None:
            raise ModelError(
                f"{self.name} has no output embeddings, so concepts have no words. Choose a model with a language-model head."
            )
        self.norm = hf.get_submodule(row["norm"]) if "norm" in row else self._final_norm(path)
        self.n_layers = len(self.blocks)
        self.d_model = self.head.weight.shape[1]
        if getattr(processor, "tokenizer", None) is None:
            raise ModelError(
                f"The processor of {self.name} is a {type(processor).__name__} without a tokenizer; expected the one of AutoProcessor."
            )

    def _final_norm(self, path: str) -> nn.Module:
        from torch import nn

        owner = self.hf.get_submodule(path.rpartition(".")[0])
        norms = [m for m in owner.children() if "norm" in type(m).__name__.lower()]
        return norms[-1] if norms else nn.Identity()

    @property
    def tokenizer(self) -> Any:
        """Tokenizer of the processor."""
        return self.processor.tokenizer

    @property
    def device(self) -> Any:
        """Where the inputs go."""
        return self.hf.get_input_embeddings().weight.device

    def text(self, prompt: str | None = None) -> str:
        """Give the prompt as the model wants it: through its chat template where it has one."""
        words = self.prompt if prompt is None else prompt
        if getattr(self.processor, "chat_template", None):
            content = [{"type": "image"}, {"type": "text", "text": words}]
            return str(
                self.processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
            )
        return f"{getattr(self.processor, 'image_token', '<image>')}\n{words}"

    def encode(self, images: Sequence[Image.Image], prompt: str | None = None) -> dict[str, Tensor]:
        """Make the model's inputs for pictures and one prompt, padded on the left, on the model's device.

        Returns
        -------
        dict
            ``input_ids`` and ``attention_mask`` (n, positions), and what the family adds (``pixel_values`` …).
        """
        self.tokenizer.padding_side = "left"
        inputs = self.processor(
            images=[[im] for im in images], text=[self.text(prompt)] * len(images), padding=True, return_tensors="pt"
        )
        inputs.pop("labels", None)
        return {k: self._place(v) for k, v in inputs.items()}

    def _place(self, tensor: Any) -> Any:
        if not hasattr(tensor, "to"):
            return tensor
        return tensor.to(self.device, self.hf.dtype) if tensor.is_floating_point() else tensor.to(self.device)

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

        weight = self.head.weight
        with torch.no_grad():
            h = (states if isinstance(states, torch.Tensor) else torch.tensor(np.asarray(states))).to(
                weight.device, weight.dtype
            )
            logits = self.head(self.norm(h) if norm else h).float()
        return logits if isinstance(states, torch.Tensor) else logits.cpu().numpy()

    def decode(self, ids: Any) -> str:
        """Text of generated ids, without special tokens."""
        return str(self.tokenizer.decode(np.asarray(ids).tolist(), skip_special_tokens=True))

    def __repr__(self) -> str:
        return f"Model {self.name!r} ({type(self.hf).__name__}): {self.n_layers} layers, d_model {self.d_model}"
