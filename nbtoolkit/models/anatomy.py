"""Where a model keeps its decoder blocks, final norm, head and eyes: found from its structure, without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ModelError
from .families import NOT_A_DECODER_BLOCK, OVERRIDES

if TYPE_CHECKING:
    from torch import nn


def find_blocks(hf: Any) -> tuple[str, nn.ModuleList]:
    """Find the list of decoder blocks: of the configured length, on the shortest path, outside any vision part or encoder."""
    from torch import nn

    wanted = getattr(hf.config.get_text_config(decoder=True), "num_hidden_layers", None)
    modules = dict(hf.named_modules())
    found = []
    for name, module in modules.items():
        if not (isinstance(module, nn.ModuleList) and len(module) and any(True for _ in module[0].children())):
            continue
        pieces = name.lower().split(".")
        odd = any(part in piece for part in NOT_A_DECODER_BLOCK for piece in pieces)
        ends = [i for i, piece in enumerate(pieces) if piece == "encoder"]
        if not odd and not any(".".join([*pieces[:i], "decoder"]) in modules for i in ends):
            found.append((len(module) != wanted, name.count("."), name, module))
    if not found:
        raise ModelError(
            f"No list of decoder blocks was found in {type(hf).__name__}; expected a language model inside."
        )
    _, _, name, module = min(found, key=lambda row: row[:3])
    return name, module


class Anatomy(NamedTuple):
    """Where a model keeps what we need; found without running it, so it also works on the meta device."""

    path: str
    blocks: nn.ModuleList
    norm: nn.Module
    head: nn.Module
    vision: nn.Module | None


def anatomy(hf: Any) -> Anatomy:
    """Find decoder blocks, final norm, head and vision tower; a row of ``families.OVERRIDES`` says what is elsewhere.

    Raises
    ------
    ModelError
        No decoder blocks, or no head.
    """
    from torch import nn

    row = OVERRIDES.get(hf.config.model_type, {})
    path, blocks = (row["blocks"], hf.get_submodule(row["blocks"])) if "blocks" in row else find_blocks(hf)
    head = hf.get_submodule(row["head"]) if "head" in row else hf.get_output_embeddings()
    if head is None:
        raise ModelError(
            f"{type(hf).__name__} has no output embeddings, so concepts have no words. Choose a model with a language-model head."
        )
    if "norm" in row:
        norm = hf.get_submodule(row["norm"]) if row["norm"] else nn.Identity()
    else:  # the last sibling of the blocks that is a norm
        siblings = hf.get_submodule(path.rpartition(".")[0]).children()
        norm = ([m for m in siblings if "norm" in type(m).__name__.lower()] or [nn.Identity()])[-1]
    vision = hf.get_submodule(row["vision"]) if "vision" in row else hf.get_encoder("image")
    return Anatomy(path, blocks, norm, head, None if vision is hf else vision)


# where blocks keep what they add to the stream, first match first; a family's block may have several of one kind
BRANCHES = {
    "attention": ("attention.output.dense", "self_attn", "linear_attn", "attention", "attn", "cross_attn", "encoder_attn", "crossattention.output.dense",
                  "layer.0.SelfAttention", "layer.1.EncDecAttention"),
    "mlp": ("mlp", "feed_forward", "ffn", "block_sparse_moe", "moe", "fc2", "output.dense", "layer.2.DenseReluDense"),
}  # fmt: skip
OUT = ("o_proj", "out_proj", "c_proj", "dense", "attn_out", "wo", "o")


def branches(block: nn.Module, kind: str) -> list[nn.Module]:
    """Find the modules whose outputs are a block's attention, or its MLP: more than one where it also attends elsewhere.

    Raises
    ------
    ModelError
        The block has none by a name that is known.
    """
    modules = dict(block.named_modules())
    found = [name for name in BRANCHES[kind] if name in modules]
    outer = [n for n in found if not any(m.startswith(n + ".") for m in found)]  # the part without its own residual sum
    if not outer:
        raise ModelError(
            f"{type(block).__name__} has no {kind} by a name that is known; its parts are {', '.join(n for n, _ in block.named_children())}. Use part='block'."
        )
    return [modules[name] for name in outer]


def head_outputs(block: nn.Module, n_heads: int) -> nn.Linear:
    """Find the matrix that brings the heads of a block's own attention back to the stream: its input is one slice a head.

    Raises
    ------
    ModelError
        There is none, or its input does not divide by the heads.
    """
    first = branches(block, "attention")[0]
    modules = {"": first} | dict(first.named_modules())
    named: list[Any] = [
        m for name, m in modules.items() if name.rpartition(".")[2] in OUT or (not name and hasattr(m, "in_features"))
    ]
    if not named or named[-1].in_features % n_heads:
        raise ModelError(f"The heads of {type(first).__name__} cannot be told apart; expected an output matrix whose input divides by {n_heads} heads. "
                         "Use part='attention' without heads.")  # fmt: skip
    matrix: nn.Linear = named[-1]
    return matrix
