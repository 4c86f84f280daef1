"""One batch of an extraction: caption pictures, or read given captions, and keep the states at the token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .data import read_image
from .errors import DataError, ModelError
from .tokens import contains, find_token

if TYPE_CHECKING:
    from .models import Model


@dataclass
class Rows:
    """Rows found so far, and why the others were left out."""

    states: list[np.ndarray] = field(default_factory=list)  # (n_layers_kept, d_model) each
    ids: list[str] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def add(self, other: Rows) -> None:
        """Append the rows of another batch."""
        self.states += other.states
        self.ids += other.ids
        self.captions += other.captions
        self.positions += other.positions
        self.skipped |= other.skipped


@dataclass(frozen=True)
class Reader:
    """What every batch needs."""

    model: Model
    data: Any
    layers: tuple[int, ...]
    variants: tuple[tuple[int, ...], ...]
    prompt: str | None
    max_new_tokens: int
    given: bool
    token: str

    def batches(self, indices: Sequence[int], batch_size: int | str) -> Iterator[Rows]:
        """Read the given rows of the data, batch by batch; ``"auto"`` halves the batch when memory runs out."""
        import torch

        size, start = (32 if batch_size == "auto" else int(batch_size)), 0
        while start < len(indices):
            try:
                rows = self._batch(indices[start : start + size])
            except torch.OutOfMemoryError:
                if batch_size != "auto" or size == 1:
                    raise
                size = max(1, size // 2)
                continue
            start += size
            yield rows

    def _batch(self, indices: Sequence[int]) -> Rows:
        import torch

        rows, pictures, samples = Rows(), [], []
        for i in indices:
            cell = self.data[i]
            try:
                pictures.append(read_image(cell["image"]))
                samples.append(cell)
            except DataError as error:
                rows.skipped[cell["id"]] = str(error)
        if pictures:
            from .models.threads import fitting_threads

            with torch.inference_mode(), fitting_threads(self.model.hf):
                self._read(pictures, samples, rows)
        return rows

    def _read(self, pictures: list[Any], samples: list[Any], rows: Rows) -> None:
        inputs = self.model.encode(pictures, self.prompt)
        sequences, states = self._given(inputs, samples) if self.given else self._generated(inputs)
        for j, sample in enumerate(samples):
            ids = self._until_end(sequences[j])
            text = self.model.decode(ids).strip()
            at = find_token(ids, self.variants, self.model.tokenizer.decode)
            if at is None:
                rows.skipped[sample["id"]] = (
                    f"the model said {text!r}"
                    if not self.given
                    else f"the token is not a sub-token sequence of {text!r}"
                )
                continue
            vector = states[:, at, j].cpu().numpy()  # (n_layers_kept, d_model)
            if not np.isfinite(vector).all():
                layer = self.layers[int(np.flatnonzero(~np.isfinite(vector).all(1))[0])]
                raise ModelError(f"The states of sample {sample['id']!r} overflow {self.model.hf.dtype} at layer {layer}; expected finite numbers. "
                                 "Load the model with dtype='float32' or 'bfloat16'.")  # fmt: skip
            rows.states.append(vector)
            rows.ids.append(sample["id"])
            rows.captions.append(text)
            rows.positions.append(at)

    def _until_end(self, ids: Sequence[int]) -> list[int]:
        ends = self.model.hf.generation_config.eos_token_id
        stop = {
            *(ends if isinstance(ends, list) else [ends]),
            self.model.tokenizer.eos_token_id,
            self.model.tokenizer.pad_token_id,
        }
        cut = next((k for k, t in enumerate(ids) if t in stop), len(ids))
        return list(ids[:cut])

    def _generated(self, inputs: dict[str, Any]) -> tuple[list[list[int]], Any]:
        """Caption greedily; states (layer, step, row): step s is the position that predicts new token s."""
        from .models.hooks import LastPosition, watching

        keep = LastPosition(self.layers, self.max_new_tokens)
        tokenizer = self.model.tokenizer
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        with watching(self.model.blocks, keep):
            out = self.model.hf.generate(
                **inputs, max_new_tokens=self.max_new_tokens, do_sample=False, num_beams=1, pad_token_id=pad
            )
        return out[:, inputs["input_ids"].shape[1] :].tolist(), keep.buffer

    def _given(self, inputs: dict[str, Any], samples: list[Any]) -> tuple[list[list[int]], Any]:
        """Run one pass over prompt and caption; the same layout of states as when generating."""
        import torch

        from .models.hooks import watching

        tokenizer = self.model.tokenizer
        texts = [next(c for c in s["captions"] if contains(self.token, c)) for s in samples]
        ids = [list(tokenizer(t, add_special_tokens=False)["input_ids"]) for t in texts]
        longest, prompt = max(map(len, ids)), inputs["input_ids"].shape[1]
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        tail = torch.tensor([row + [pad] * (longest - len(row)) for row in ids], device=inputs["input_ids"].device)
        live = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in ids], device=tail.device)
        full = inputs | {
            "input_ids": torch.cat([inputs["input_ids"], tail], 1),
            "attention_mask": torch.cat([inputs["attention_mask"], live], 1),
        }
        states: list[Any] = []

        def look(layer: int, hidden: Any) -> None:
            if layer in self.layers:
                states.append(hidden[:, prompt - 1 : -1].float().transpose(0, 1))  # (step, row, d_model)

        with watching(self.model.blocks, look):
            self.model.hf(**full, logits_to_keep=1)
        return ids, torch.stack(states)
