"""From the Explorer to the Inspector: a sample of a session, inspected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import NothingFoundError
from .inspector import inspect

if TYPE_CHECKING:
    from ..widgets.inspector import Inspector


class Inspecting:
    """What opens the Inspector of a sample; :class:`nbtoolkit.live.Session` has it."""

    model: Any
    study: Any
    response: Any
    image_of: Any
    question_of: Any
    exclusive: Any

    def inspector(self, sample: str, **state: Any) -> Inspector:
        """The Inspector of a sample's image and response, with the study's concepts.

        Parameters
        ----------
        sample
            Id of the sample. Where its response lacks the study's token, the word that depends most on the image is explained.
        **state
            As for :func:`nbtoolkit.inspect`.
        """
        with self.exclusive():
            try:
                subject, image = self.response(sample)[0], None
            except NothingFoundError:
                subject, image = self.model, self.image_of(sample)
                image, state = (
                    image[0] if isinstance(image, list) else image,
                    {"question": self.question_of(sample), **state},
                )
            return inspect(subject, image, study=self.study, **state)
