"""What a page without a kernel has of the quick requests: maps, and the pages of concepts."""

from __future__ import annotations

import base64
from typing import Any

from ..storage.study import Study
from . import concept_page, maps_2d
from .concept_lists import strongest, strongest_per_sample


def embedded(study: Study) -> dict[str, Any]:
    """Replies by operation and layer, with bytes as base64.

    Parameters
    ----------
    study
        The study.
    """
    replies: dict[str, dict[str, maps_2d.Reply]] = {
        "map": {},
        "lacking": {"0": maps_2d.lacking_reply(study)},
        "concept_page": {},
    }
    for layer in study.layers:
        cd = study.dictionary(layer)
        numbers = strongest_per_sample(cd, strongest(cd))  # those that the page lists
        replies["map"][str(layer)] = maps_2d.reply(study, layer)
        replies["concept_page"][str(layer)] = concept_page.words(study, layer, numbers), []
    return {
        name: {
            key: {**data, "buffers": [base64.b64encode(b).decode() for b in parts]} for key, (data, parts) in of.items()
        }
        for name, of in replies.items()
    }
