"""A zoo of tiny, randomly initialised models of every family, with real processors and tokenizers, built in the test.

``build("llava")`` gives a Hugging Face model and its processor in well under a second. Weights are random but *awake*:
zero-initialised gates and projectors are filled (else two pictures give the same logits and every check passes
vacuously), norms are not one, and matrices are large enough that captions differ.
"""

from .parts import Zoo, awaken
from .recipes import FAMILIES, build

__all__ = ["FAMILIES", "Zoo", "awaken", "build"]
