"""All attacks: those of files, of messages and texts, and of processes."""

from . import bombs, data, messages, processes, shards, studies
from .run import ATTACKS, Attack

__all__ = ["ATTACKS", "Attack", "bombs", "data", "messages", "prepare", "processes", "shards", "studies"]


def prepare():
    """Import what is slow to import, so that no attack's time and memory have it."""
    import torch

    import nbtoolkit as nbt

    torch.set_num_threads(1)
    _ = nbt.load_data, nbt.extract, nbt.explore, nbt.open_study, nbt.read_xl_vlms, nbt.read_sae, nbt.plots.local
    nbt.explore(studies.small()).close()
