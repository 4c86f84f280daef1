"""The parts of a model: decoder blocks, final norm, head and vision tower, found from its structure without running it."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import nn

from ..errors import ModelError
from .families import NOT_A_DECODER_BLOCK, OVERRIDES

MLP_OUTPUTS = ("down_proj", "fc2", "wo", "dense_4h_to_h", "dense", "c_proj", "w2", "ff_out")


class Anatomy(NamedTuple):
    """The parts of a model; found without running it, so it also works on the meta device.

    Attributes
    ----------
    path
        Dotted path of the decoder blocks, from the Hugging Face model.
    blocks, norm, head
        Decoder blocks, final norm (the identity if there is none) and unembedding matrix.
    vision
        Vision tower, or None.
    """

    path: str
    blocks: nn.ModuleList
    norm: nn.Module
    head: nn.Module
    vision: nn.Module | None


def anatomy(hf: Any) -> Anatomy:
    """Find decoder blocks, final norm, head and vision tower; a row of ``families.OVERRIDES`` takes precedence.

    Parameters
    ----------
    hf
        A Hugging Face model.

    Raises
    ------
    ModelError
        It has no decoder blocks, or no head.
    """
    row = OVERRIDES.get(hf.config.model_type, {})
    path, blocks = (row["blocks"], hf.get_submodule(row["blocks"])) if "blocks" in row else _find_blocks(hf)
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


def _find_blocks(hf: Any) -> tuple[str, nn.ModuleList]:
    """Path and list of the decoder blocks: of the configured length, on the shortest path, outside vision parts and encoders."""
    n_layers = getattr(hf.config.get_text_config(decoder=True), "num_hidden_layers", None)
    modules = dict(hf.named_modules())
    candidates = []
    for name, module in modules.items():
        if not (isinstance(module, nn.ModuleList) and len(module) and any(True for _ in module[0].children())):
            continue
        pieces = name.lower().split(".")
        other = any(part in piece for part in NOT_A_DECODER_BLOCK for piece in pieces)
        encoders = [i for i, piece in enumerate(pieces) if piece == "encoder"]
        if not other and not any(".".join([*pieces[:i], "decoder"]) in modules for i in encoders):
            candidates.append((len(module) != n_layers, name.count("."), name, module))
    if not candidates:
        raise ModelError(f"{type(hf).__name__} has no list of decoder blocks; expected a language model inside.")
    _, _, name, module = min(candidates, key=lambda row: row[:3])
    return name, module


# names of the modules whose outputs a block adds to the residual stream; a block may have several of one kind
BRANCHES = {
    "attention": ("attention.output.dense", "self_attn", "linear_attn", "attention", "attn", "cross_attn", "encoder_attn",
                  "crossattention.output.dense", "layer.0.SelfAttention", "layer.1.EncDecAttention"),
    "mlp": ("mlp", "feed_forward", "ffn", "block_sparse_moe", "moe", "fc2", "output.dense", "layer.2.DenseReluDense"),
}  # fmt: skip
OUTPUT_PROJECTIONS = ("o_proj", "out_proj", "c_proj", "dense", "attn_out", "wo", "o")


def branches(block: nn.Module, kind: str) -> list[nn.Module]:
    """Find the modules whose outputs are a block's attention or its MLP: several if it also has cross-attention.

    Parameters
    ----------
    block
        A decoder block.
    kind
        ``"attention"`` or ``"mlp"``.

    Raises
    ------
    ModelError
        The block has none under a known name.
    """
    modules = dict(block.named_modules())
    names = [name for name in BRANCHES[kind] if name in modules]
    outer = [
        n for n in names if not any(m.startswith(n + ".") for m in names)
    ]  # the part without a residual sum inside
    if not outer:
        raise ModelError(
            f"{type(block).__name__} has no {kind} under a known name; its parts are {', '.join(n for n, _ in block.named_children())}. Use part='block'."
        )
    return [modules[name] for name in outer]


def output_projection(block: nn.Module, n_heads: int) -> nn.Linear:
    """Find the matrix that writes a block's attention heads to the residual stream: its input is one slice per head.

    Parameters
    ----------
    block
        A decoder block.
    n_heads
        Number of its attention heads.

    Raises
    ------
    ModelError
        There is none, the size of its input is no multiple of ``n_heads``, or the block has linear attention with another
        number of heads.
    """
    first = branches(block, "attention")[0]
    modules = {"": first} | dict(first.named_modules())
    matrices: list[Any] = [
        m
        for name, m in modules.items()
        if name.rpartition(".")[2] in OUTPUT_PROJECTIONS or (not name and hasattr(m, "in_features"))
    ]
    own = getattr(first, "num_v_heads", n_heads)  # of linear attention, which may have other heads than the model's
    if not matrices or matrices[-1].in_features % n_heads or own != n_heads:
        raise ModelError(
            f"The heads of {type(first).__name__} cannot be separated; expected an output projection whose input is {n_heads} equal slices, "
            f"one per head{'' if own == n_heads else f' (it has {own} heads of its own)'}. Use the attention as a whole, or other layers."
        )
    matrix: nn.Linear = matrices[-1]
    return matrix


def neuron_matrix(model: Any, layer: int) -> nn.Module:
    """The last matrix of a layer's MLP, whose input is its neurons.

    Parameters
    ----------
    model
        The model.
    layer
        The layer, 1 … n_layers.

    Raises
    ------
    ModelError
        There is none that all tokens share, as in a mixture of experts, or it has no known name.
    """
    mlp, *more = branches(model.blocks[layer - 1], "mlp")
    if hasattr(mlp, "in_features"):
        return mlp
    names = [
        (name, module)
        for name, module in mlp.named_modules()
        if name.rpartition(".")[2] in MLP_OUTPUTS and hasattr(module, "in_features")
    ]
    if len(names) != 1 or more or any("expert" in name.lower() for name, _ in mlp.named_modules()):
        raise ModelError(
            f"The MLP of layer {layer} of {model.name} ({type(mlp).__name__}) has {len(names)} last matrices; expected one, whose input is "
            "the neurons. A mixture of experts has none that all tokens share: use unit='layer'."
        )
    return names[0][1]
