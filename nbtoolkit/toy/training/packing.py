"""Several captions of one image behind one shared image prefix, and the targets of the look-ahead loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Captions = Sequence[Sequence[Sequence[int]]]  # ids, per caption, per image


def pack(captions: Captions, prefix: int, device: str) -> dict[str, Tensor]:
    """Concatenate the captions of each image behind its prefix, with a mask that hides them from each other.

    Parameters
    ----------
    captions
        Ids of each caption, per image.
    prefix
        Number of image positions, P.
    device
        A torch device.

    Returns
    -------
    dict
        ``ids`` (batch, T) of the captions, ``labels`` (batch, T) the next id or -100, ``positions`` (batch, P + T),
        ``mask`` (batch, 1, P + T, P + T) bool: a caption attends to the prefix and its own past.
    """
    total = max(sum(len(c) for c in group) for group in captions)
    b = len(captions)
    ids, labels = torch.zeros(b, total, dtype=torch.long), torch.full((b, total), -100)
    segment, positions = torch.full((b, prefix + total), -1), torch.zeros(b, prefix + total, dtype=torch.long)
    segment[:, :prefix] = 0
    positions[:, :prefix] = torch.arange(prefix)
    for i, group in enumerate(captions):
        at = 0
        for k, caption in enumerate(group):
            n = len(caption)
            ids[i, at : at + n] = torch.tensor(caption)
            labels[i, at : at + n - 1] = torch.tensor(caption[1:])
            segment[i, prefix + at : prefix + at + n] = k + 1
            positions[i, prefix + at : prefix + at + n] = prefix + torch.arange(n)
            at += n
    order = torch.arange(prefix + total)
    same = segment[:, :, None] == segment[:, None, :]
    mask = (same | (segment[:, None, :] == 0)) & (order[None, :, None] >= order[None, None, :])
    mask |= torch.eye(prefix + total, dtype=torch.bool)
    return {
        "ids": ids.to(device),
        "labels": labels.to(device),
        "positions": positions.to(device),
        "mask": mask[:, None].to(device),
    }


def look_ahead_targets(captions: Captions, content: Tensor, total: int) -> Tensor:
    """Uniform distribution over the content words that are still to come in each caption.

    Parameters
    ----------
    captions
        Ids of each caption, per image.
    content : (vocabulary,) bool
        True for content words.
    total
        Number of packed positions, T.

    Returns
    -------
    (batch, T, vocabulary)
        Probabilities; all 0 where no content word is to come.
    """
    targets = torch.zeros(len(captions), total, len(content))
    for i, group in enumerate(captions):
        at = 0
        for caption in group:
            for k in range(len(caption) - 1):
                ahead = [t for t in set(caption[k + 1 :]) if content[t]]
                if ahead:
                    targets[i, at + k, ahead] = 1.0 / len(ahead)
            at += len(caption)
    return targets
