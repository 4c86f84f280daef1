"""Training of the embedded models, the captioner and the scorer: ``python -m nbtoolkit.toy.training``."""
