"""Calls of the attention function by the blocks of the decoder, and standing in front of them.

What stands in front is registered in place of the function that the model's configuration names (``"sdpa"``, ``"eager"`` …),
under the same name, so that masks are made as ever.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .adapter import Model

_CROSS = ("cross", "encoder_attn", "encdec")  # in names of attentions whose keys are no positions of the stream


@dataclass(frozen=True)
class Call:
    """One call of the attention function by a block.

    Attributes
    ----------
    layer
        The block, counted from 1.
    module
        The attention module.
    query, key, value : (n, n_heads, n_positions, d_head)
        What the function gets; fewer heads of keys and values where several share one.
    mask
        Its mask, or None.
    args, kwargs
        Its further arguments.
    """

    layer: int
    module: Any
    query: Tensor
    key: Tensor
    value: Tensor
    mask: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    _function: Callable[..., Any]

    def run(self, key: Tensor | None = None, value: Tensor | None = None, mask: Any = None) -> Any:
        """Output of the function, with its own keys, values and mask where none are given.

        Parameters
        ----------
        key, value, mask
            Others; all three, or none.
        """
        others = (self.key, self.value, self.mask) if key is None else (key, value, mask)
        return self._function(self.module, self.query, *others, *self.args, **self.kwargs)

    @property
    def causal(self) -> bool:
        """Whether a position reads no later one where there is no mask."""
        own = self.kwargs.get("is_causal")
        return bool(getattr(self.module, "is_causal", True) if own is None else own)


@contextlib.contextmanager
def in_front(model: Model, visit: Callable[[Call], Any]) -> Iterator[None]:
    """Stand in front of the attention function of the decoder's self-attention, within the block.

    Parameters
    ----------
    model
        The model.
    visit
        Function of a call, which gives its output; ``call.run()`` is that of the function itself.
    """
    modules, name = self_attentions(model), attention_function(model)
    before = ALL_ATTENTION_FUNCTIONS.get(name)

    def listen(
        module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        function, layer = before or _eager_function(module), modules.get(id(module))
        if layer is None:
            return function(module, query, key, value, attention_mask, *args, **kwargs)
        return visit(Call(layer, module, query, key, value, attention_mask, args, kwargs, function))

    own = ALL_ATTENTION_FUNCTIONS._local_mapping.get(name)
    ALL_ATTENTION_FUNCTIONS[name] = listen
    try:
        yield
    finally:
        if own is None:
            del ALL_ATTENTION_FUNCTIONS[name]
        else:
            ALL_ATTENTION_FUNCTIONS[name] = own


def attention_function(model: Model) -> str:
    """Name of the attention function of the decoder's blocks, such as ``"sdpa"``.

    Parameters
    ----------
    model
        The model.
    """
    for block in model.blocks:
        for module in block.modules():
            name = getattr(getattr(module, "config", None), "_attn_implementation", None)
            if name:
                return str(name)
    return str(model.hf.config.get_text_config(decoder=True)._attn_implementation)


def self_attentions(model: Model) -> dict[int, int]:
    """Identity of each self-attention module of the decoder to its layer, counted from 1.

    Parameters
    ----------
    model
        The model.
    """
    return {
        id(module): layer
        for layer, block in enumerate(model.blocks, 1)
        for name, module in block.named_modules()
        if not any(part in name.lower() for part in _CROSS)
    }


def _eager_function(module: Any) -> Any:
    """The function that a module calls where none is registered: that of its own file, which its tower may not share."""
    names = inspect.unwrap(type(module).forward).__code__.co_names
    name = next((n for n in names if n.endswith("eager_attention_forward")), "eager_attention_forward")
    return getattr(sys.modules[type(module).__module__], name)
