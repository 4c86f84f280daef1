"""One shard of an extraction: caption pictures, or read given captions, and keep the states at the token."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .batches import Batch, batches, prepare
from .errors import ModelError, first_line
from .tokens import contains, encode_answer, find_tokens

if TYPE_CHECKING:
    from .models import Model

AUTO = 32  # pictures a batch to begin with, where the caller leaves it to us


@dataclass
class Rows:
    """Rows found so far, and why the other samples were left out."""

    states: Any = ()  # (n, n_layers_kept, d_model) where n > 0
    ids: list[str] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """What every row depends on, besides the model and the data."""

    words: tuple[str, ...]
    variants: tuple[tuple[int, ...], ...]
    layers: tuple[int, ...]
    prompt: str | None = None
    max_new_tokens: int = 40
    given: bool = False
    where: str = "predict"
    which: str = "first"
    stop_early: bool = True
    dtype: str = "float32"


class Reader:
    """Runs a model over samples, batch after batch; the next batch is decoded and preprocessed meanwhile.

    Parameters
    ----------
    model, data
        The adapter; the data set with undecoded pictures (:func:`nbtoolkit.data.raw_images`).
    settings
        What to look for, and how.
    batch_size
        Pictures a batch, or ``"auto"``. Where memory runs out it is halved, and stays so.
    cancel
        When set, the next batch is not begun.
    """

    def __init__(
        self,
        model: Model,
        data: Any,
        settings: Settings,
        batch_size: int | str = "auto",
        cancel: threading.Event | None = None,
    ) -> None:
        self.model, self.data, self.settings, self.cancel = model, data, settings, cancel
        self.batch_size = AUTO if batch_size == "auto" else int(batch_size)
        self._last = {variant[-1] for variant in settings.variants}
        self._buffer: Any = None

    def shard(self, indices: Sequence[int], advance: Callable[[int], None] = lambda _: None) -> Rows:
        """Read the given samples; ``advance`` is called with how many are done."""
        rows, cells = Rows(), self.data.select(indices)
        place = {i: k for k, i in enumerate(cells["id"])}
        found: list[tuple[int, Rows, int]] = []  # (place in the data, rows, row)
        for batch in batches(self.model, cells, self.settings.prompt, self.batch_size, rows.skipped, self.cancel):
            for part in self._read_what_fits(batch):
                found += [(place[i], part, k) for k, i in enumerate(part.ids)]
                rows.skipped |= part.skipped
                advance(len(rows.skipped) + len({f[0] for f in found}))
        found.sort(key=lambda f: f[0])  # batches go by size of picture; rows by place in the data
        for _, part, k in found:
            rows.ids.append(part.ids[k])
            rows.captions.append(part.captions[k])
            rows.positions.append(part.positions[k])
        rows.skipped = dict(sorted(rows.skipped.items(), key=lambda item: place[item[0]]))
        if found:
            rows.states = np.stack([part.states[k] for _, part, k in found])
        return rows

    def _read_what_fits(self, batch: Batch) -> Iterator[Rows]:
        """Read a batch; where memory runs out, halve it, and remember the size that fits."""
        import torch

        waiting = [batch]
        while waiting:
            batch, n = waiting[0], self.batch_size
            if len(batch.samples) > n:
                parts = [
                    prepare(self.model, batch.samples[i : i + n], batch.pictures[i : i + n], self.settings.prompt)
                    for i in range(0, len(batch.samples), n)
                ]
                waiting[:1] = [b for part in parts for b in part]
                continue
            try:
                rows = self._read(batch)
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not isinstance(error, torch.OutOfMemoryError | MemoryError) and "allocate memory" not in str(error):
                    raise
                if len(batch.samples) == 1:
                    raise ModelError(f"Memory runs out with a single picture ({first_line(error)}). Load the model with dtype='bfloat16', "
                                     "or choose a smaller one.") from error  # fmt: skip
                self.batch_size, self._buffer = len(batch.samples) // 2, None
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
                continue
            yield rows
            del waiting[0]

    # --- one batch -------------------------------------------------------------------------------------

    def _read(self, batch: Batch) -> Rows:
        inputs = self.model.place(batch.inputs)
        if self.settings.where == "visual":
            return self._look(batch, inputs)
        ids, texts, states = (self._given if self.settings.given else self._generated)(batch, inputs)
        picks: list[tuple[int, int]] = []  # (step, row of the batch)
        rows = Rows()
        for j, sample in enumerate(batch.samples):
            at = find_tokens(ids[j], self.settings.variants, self.model.tokenizer.decode)
            shift = int(self.settings.where == "token")
            usable = [k for k in at if k + shift < states.shape[1]][: 1 if self.settings.which == "first" else None]
            if not usable:
                rows.skipped[sample["id"]] = self._why(texts[j], bool(at))
                continue
            cut = self.settings.stop_early and not self.settings.given and self.settings.which == "first"
            text = self.model.decode(ids[j][: usable[0] + 1]).strip() if cut else texts[j]
            for k in usable:
                picks.append((k + shift, j))
                rows.ids.append(sample["id"])
                rows.captions.append(text)
                rows.positions.append(k)
        if picks:
            steps, of = zip(*picks, strict=True)
            rows.states = self._keep(states[:, list(steps), list(of)], rows.ids)
        return rows

    def _why(self, text: str, said: bool) -> str:
        if said:
            return f"{text!r} ends with the token, which has no state of its own there"
        return (
            f"the token is not a sub-token sequence of {text!r}" if self.settings.given else f"the model said {text!r}"
        )

    def _keep(self, states: Any, ids: Sequence[str]) -> np.ndarray:
        """Bring (n_layers_kept, n, d_model) to the host in one copy, as (n, n_layers_kept, d_model); refuse what overflows."""
        kept = np.ascontiguousarray(states.transpose(0, 1).cpu().numpy())
        with np.errstate(over="ignore"):
            kept = kept.astype(self.settings.dtype, copy=False)
        wrong = np.argwhere(~np.isfinite(kept).all(2))
        if len(wrong):
            row, layer = wrong[0]
            kind = str(self.model.hf.dtype) if not bool(states[layer, row].isfinite().all()) else self.settings.dtype
            raise ModelError(f"The states of sample {ids[row]!r} overflow {kind} at layer {self.settings.layers[layer]}; expected finite numbers. "
                             "Load the model with dtype='float32' or 'bfloat16', and keep dtype='float32'.")  # fmt: skip
        return kept

    def _generated(self, batch: Batch, inputs: dict[str, Any]) -> tuple[list[list[int]], list[str], Any]:
        """Caption greedily; states (layer, step, row): step s is the position that predicts new token s."""
        from .models.generation import greedy
        from .models.hooks import LastPosition
        from .models.responses import until_end

        keep = LastPosition(self.settings.layers, self.settings.max_new_tokens, self._buffer)
        early = self.settings.stop_early and self.settings.which == "first"
        new = greedy(self.model, inputs, keep, self._said if early else None)
        self._buffer = keep.buffer
        ids = [until_end(self.model, row) for row in new]
        return ids, [self.model.decode(row).strip() for row in ids], keep.buffer[:, : keep.steps]

    def _said(self, new: list[list[int]]) -> list[bool]:
        """Tell which rows have said the token, and what came after it (only then is it known to be a whole word)."""
        return [
            len(row) > 1
            and row[-2] in self._last
            and bool(find_tokens(row, self.settings.variants, self.model.tokenizer.decode))
            for row in new
        ]

    def _given(self, batch: Batch, inputs: dict[str, Any]) -> tuple[list[list[int]], list[str], Any]:
        """Run one pass over prompt and given captions; the same layout of states as when generating."""
        from .models.generation import teacher_forced

        texts = [next(c for c in s["captions"] if contains(self.settings.words, c)) for s in batch.samples]
        ids = [encode_answer(self.model.tokenizer, t) for t in texts]
        return (
            ids,
            [self.model.decode(row).strip() for row in ids],
            teacher_forced(self.model, inputs, ids, self.settings.layers),
        )

    def _look(self, batch: Batch, inputs: dict[str, Any]) -> Rows:
        """Find, for each picture, the first of its positions whose last layer unembeds to the token (Appendix G), in two passes."""
        import torch

        from .models.generation import states_at

        mask = self.model.image_mask(inputs)
        wanted = torch.tensor([v[0] for v in self.settings.variants if len(v) == 1], device=mask.device)
        reads = states_at(self.model, inputs, [self.model.n_layers], mask)  # per row (1, n_positions, d_model)
        rows, picked = Rows(), torch.zeros_like(mask)
        for j, sample in enumerate(batch.samples):
            best = self.model.unembed(reads[j][0]).argmax(-1).to(mask.device)
            hits = torch.isin(best, wanted).nonzero().flatten().tolist()
            if not hits:
                rows.skipped[sample["id"]] = "no position of the picture unembeds to the token"
                continue
            for hit in hits[: 1 if self.settings.which == "first" else None]:
                picked[j, mask[j].nonzero()[hit]] = True
                rows.ids.append(sample["id"])
                rows.captions.append(next(c for c in sample["captions"] if contains(self.settings.words, c)))
                rows.positions.append(hit)
        if rows.ids:
            rows.states = self._keep(
                torch.cat(states_at(self.model, inputs, self.settings.layers, picked), 1), rows.ids
            )
        return rows
