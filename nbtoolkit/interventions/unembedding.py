"""Direction of the residual stream that raises a word's logit: a steering vector for words that no response contains."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch

from ..errors import MethodError
from ..models.adapter import Model
from ..text.tokens import subtoken_variants
from ..types.arguments import checked
from ..types.rules import Rule

Array = np.ndarray


@checked
def unembedding_direction(
    model: Model, word: str, states: Annotated[Array, Rule("n d", rows=1)], *, length: float = 1.0
) -> Array:
    """Direction of the last layer that raises the logit of a word's first sub-token over the mean logit, (d_model,).

    It is the gradient at the mean state: the word's row of the unembedding matrix, less the mean row, through the final norm.

    Parameters
    ----------
    model
        The model.
    word
        The word, as after a space.
    states : (n, d_model)
        States of the last layer.
    length
        Norm of the result, in units of the residual stream.

    Raises
    ------
    TokenError
        The model's tokenizer cannot spell the word.
    MethodError
        Another width than the model's, or the gradient is zero.

    References
    ----------
    Tokens as directions of the residual stream: nostalgebraist, "Interpreting GPT: the logit lens", 2020.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model = nbt.load_model("toy")
    >>> unembedding_direction(model, "snow", np.ones((1, model.d_model)), length=2.0).shape
    (128,)
    """
    if states.shape[1] != model.d_model:
        raise MethodError(f"states has shape {states.shape}; expected (n, {model.d_model}), states of the last layer.")
    first = subtoken_variants(model.tokenizer, word)[0][0]
    with torch.enable_grad():
        mean = torch.tensor(states.mean(0, dtype=np.float64)[None], dtype=torch.float32, device=model.device)
        leaf = mean.requires_grad_()
        logits = model.unembed(leaf, gradient=True)[0]
        (gradient,) = torch.autograd.grad(logits[first] - logits.mean(), leaf)
    direction = gradient[0].double().cpu().numpy()
    norm = float(np.linalg.norm(direction))
    if not norm > 0:
        raise MethodError(
            f"No direction raises the logit of {word!r} at the mean state; expected a gradient with a length."
        )
    return np.asarray(direction * (length / norm))
