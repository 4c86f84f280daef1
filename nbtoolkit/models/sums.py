"""Residual sums: where the outputs of a block's attention and MLP enter the residual stream, and what enters there.

Between a branch and the sum may be a norm (Gemma 3, GLM-4V), a gate and a mask (Mllama's cross-attention) or a factor
(Granite). What enters is therefore read at the sum itself: the first addition, within the pass of the block, of a tensor
that was computed from the branch's output to one of the same shape that was not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import ModelError
from .anatomy import branches
from .hooks import input_states, output_states
from .reports import Check

Visit = Callable[[int, Tensor], Tensor | None]
ADDITIONS = ("add", "add_", "__add__", "__radd__", "__iadd__")
PARTS_SUM = "attention and MLP sum to what each block adds"  # what the check of the parts says


class _Sums(TorchFunctionMode):
    """Follow the outputs of branches to the sums that they enter, within one pass of a block."""

    def __init__(self, visit: Visit) -> None:
        super().__init__()
        self.visit = visit
        self.n_entered = 0
        self.derived: dict[
            nn.Module, dict[int, Any]
        ] = {}  # per branch before its sum: tensors computed from its output

    def start(self, branch: nn.Module, _args: Any, output: Any) -> None:
        states = output_states(output)
        self.derived[branch] = {id(states): states}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not self.derived:
            return func(*args, **kwargs)
        if getattr(func, "__name__", "") in ADDITIONS and len(args) == 2 and _same_shape(*args):
            args = self._enter(list(args), in_place=func.__name__ in ("add_", "__iadd__"))
        result = func(*args, **kwargs)
        operands, results = _tensors((args, kwargs)), _tensors(result)
        for seen in self.derived.values():
            if any(id(t) in seen for t in operands):
                seen.update((id(t), t) for t in results)
        return result

    def _enter(self, operands: list[Tensor], in_place: bool) -> list[Tensor]:
        """Visit the operands of an addition that branches enter by, and replace them as the visitor says."""
        for branch, seen in list(self.derived.items()):
            of_branch = [i for i, t in enumerate(operands) if id(t) in seen]
            if len(of_branch) != 1:
                continue
            i = of_branch[0]
            del self.derived[branch]
            new = self.visit(self.n_entered, operands[i])
            self.n_entered += 1
            if new is not None and in_place and i == 0:
                operands[0].copy_(new)
            elif new is not None:
                operands[i] = new
        return operands


def _same_shape(a: Any, b: Any) -> bool:
    return isinstance(a, Tensor) and isinstance(b, Tensor) and a.shape == b.shape


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    return [t for v in value for t in _tensors(v)] if isinstance(value, list | tuple | type({}.values())) else []


@contextlib.contextmanager
def residual_sums(block: nn.Module, parts: Sequence[nn.Module], visit: Visit, *, strict: bool = True) -> Iterator[None]:
    """Visit what branches of a block add to the residual stream, in each pass of the block.

    Parameters
    ----------
    block
        A decoder block.
    parts
        Branches of it (:func:`nbtoolkit.models.anatomy.branches`).
    visit
        Function of the number of these sums before in this pass, and of what enters the sum (batch, positions,
        d_model). If it returns states, they enter instead.
    strict
        Raise where a branch enters no sum.

    Raises
    ------
    ModelError
        From inside the pass: the output of a branch enters no sum within the block.
    """
    passes: list[_Sums] = []
    stack = contextlib.ExitStack()

    def begin(_block: Any, _args: Any) -> None:
        passes.append(_Sums(visit))
        passes[-1].__enter__()

    def start(branch: nn.Module, args: Any, output: Any) -> None:
        if passes:
            passes[-1].start(branch, args, output)

    def end(_block: Any, _args: Any, output: Any) -> None:  # also after an error inside, without an output then
        if not passes:
            return
        sums = passes.pop()
        sums.__exit__(None, None, None)
        if strict and sums.derived and output is not None:
            names = ", ".join(type(branch).__name__ for branch in sums.derived)
            raise ModelError(
                f"The output of {names} enters no sum within {type(block).__name__}; expected a residual sum. Use part='block'."
            )

    with stack:
        stack.callback(block.register_forward_pre_hook(begin).remove)
        for part in parts:
            stack.callback(part.register_forward_hook(start).remove)
        stack.callback(block.register_forward_hook(end, prepend=True, always_call=True).remove)
        yield


class PartSums:
    """What each block adds, against the sum of what its attention and MLP add; read in a forward pass.

    Parameters
    ----------
    blocks
        The decoder blocks.

    Attributes
    ----------
    gaps
        Per layer the largest difference of the two, relative to the largest entry of what the block adds; no unit.
    roundings
        Per layer the largest difference in units of what one rounding of a sum can change there.
    limits
        Per layer the number of roundings that are possible.
    fault
        Why a block's parts cannot be read; empty where they can.
    """

    def __init__(self, blocks: Iterable[nn.Module]) -> None:
        self.blocks = list(blocks)
        self.gaps: dict[int, float] = {}
        self.roundings: dict[int, float] = {}
        self.limits: dict[int, int] = {}
        self.fault = ""

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Read the parts in a forward pass within the ``with`` block."""
        with contextlib.ExitStack() as stack:
            for layer, block in enumerate(self.blocks, 1):
                try:
                    parts = [part for kind in ("attention", "mlp") for part in branches(block, kind)]
                except ModelError as error:
                    self.fault = self.fault or f"layer {layer}: {error}"
                    continue
                self._read(stack, layer, block, parts)
            yield

    def _read(self, stack: contextlib.ExitStack, layer: int, block: nn.Module, parts: Sequence[nn.Module]) -> None:
        states: list[Tensor] = []
        eps: list[float] = []

        def store(tensor: Tensor) -> None:
            eps.append(torch.finfo(tensor.dtype).eps)
            states.append(tensor.detach().cpu().double())

        def begin(_block: Any, args: Any, kwargs: Any) -> None:
            states.clear()
            store(input_states(args, kwargs))

        def end(_block: Any, _args: Any, output: Any) -> None:
            store(output_states(output))
            start, *added, after = (t.reshape(-1, states[0].shape[-1]) for t in states)
            zeros = torch.zeros_like(start)
            difference = (after - start - sum(added, zeros)).abs()
            size = start.abs() + sum((t.abs() for t in added), zeros)
            self.gaps[layer] = float(difference.max() / (after - start).abs().max().clamp_min(1e-30))
            self.roundings[layer] = float((difference / (max(eps) * size + 1e-30)).max())
            self.limits[layer] = len(added) + 1

        stack.callback(block.register_forward_pre_hook(begin, with_kwargs=True).remove)
        stack.enter_context(residual_sums(block, parts, lambda _order, added: store(added), strict=False))
        stack.callback(block.register_forward_hook(end).remove)

    def check(self) -> Check:
        """Whether the parts sum to what each block adds, within rounding: a note, which refuses no model."""
        wrong = [layer for layer, roundings in self.roundings.items() if not roundings <= self.limits[layer]]
        if self.fault or not self.roundings:
            detail = self.fault or "no block was read"
        elif wrong:
            detail = (
                f"no: at {len(wrong)} of {len(self.roundings)} blocks; at layer {wrong[0]} they differ by {self.gaps[wrong[0]]:.2g} of "
                "what it adds (a norm or a factor after the sum)"
            )
        else:
            detail = f"relative difference {max(self.gaps.values()):.2g}"
        return Check(PARTS_SUM, not wrong and not self.fault and bool(self.roundings), detail, note=True)
