"""Why does this multimodal model say this word? Interpretability of vision-language models in a notebook.

    model → extract → decompose → ground → study → explore

Importing this package imports no torch: names are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._names import lazy_names
from .options import options as options  # an object: loaded at once, so that the module of that name cannot hide it

__version__ = "0.2.0"
__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        "errors": ["NbtoolkitError"],
        "types": ["ConceptDictionary", "Grounding", "Representations", "Scores", "Source"],
        "data.loading": ["load_data"],
        "models": ["check_model", "load_model", "load_scorer"],
        "storage.study": ["Study", "open_study"],
        "extraction": ["extract", "read_xl_vlms"],
        "decomposition": [
            *("LargestNorm", "RandomDirections", "SemiNMF", "TopKSAE"),
            *("decompose", "list_decompositions", "read_sae"),
        ],
        "grounding": ["WordFilter", "ground"],
        "metrics": ["compare", "evaluate"],
        "studies": ["study", "sweep"],
        "attribution": ["interpret", "saliency"],
        "targets.making": ["target"],
        "targets.target": ["Target"],
        "types.measurement": ["Measurement"],
        "live": ["explore", "inspect"],
    },
    modules=[
        *(
            "attribution",
            "baselines",
            "cli",
            "data",
            "decomposition",
            "effects",
            "errors",
            "extraction",
            "interventions",
        ),
        *(
            "lens",
            "live",
            "metrics",
            "models",
            "plots",
            "reproduction",
            "storage",
            "studies",
            "targets",
            "text",
            "toy",
            "types",
            "widgets",
        ),
    ],
    values=["options"],
)

if TYPE_CHECKING:
    from . import attribution as attribution
    from . import data as data
    from . import decomposition as decomposition
    from . import errors as errors
    from . import extraction as extraction
    from . import interventions as interventions
    from . import lens as lens
    from . import live as live
    from . import metrics as metrics
    from . import models as models
    from . import plots as plots
    from . import reproduction as reproduction
    from . import storage as storage
    from . import studies as studies
    from . import targets as targets
    from . import text as text
    from . import toy as toy
    from . import types as types
    from . import widgets as widgets
    from .attribution import interpret as interpret
    from .attribution import saliency as saliency
    from .data.loading import load_data as load_data
    from .decomposition import LargestNorm as LargestNorm
    from .decomposition import RandomDirections as RandomDirections
    from .decomposition import SemiNMF as SemiNMF
    from .decomposition import TopKSAE as TopKSAE
    from .decomposition import decompose as decompose
    from .decomposition import list_decompositions as list_decompositions
    from .decomposition import read_sae as read_sae
    from .errors import NbtoolkitError as NbtoolkitError
    from .extraction import extract as extract
    from .extraction import read_xl_vlms as read_xl_vlms
    from .grounding import WordFilter as WordFilter
    from .grounding import ground as ground
    from .interventions import effects as effects
    from .live import explore as explore
    from .live import inspect as inspect
    from .metrics import compare as compare
    from .metrics import evaluate as evaluate
    from .models import check_model as check_model
    from .models import load_model as load_model
    from .models import load_scorer as load_scorer
    from .storage.study import Study as Study
    from .storage.study import open_study as open_study
    from .studies import baselines as baselines
    from .studies import study as study
    from .studies import sweep as sweep
    from .targets.making import target as target
    from .targets.target import Target as Target
    from .types import ConceptDictionary as ConceptDictionary
    from .types import Grounding as Grounding
    from .types import Representations as Representations
    from .types import Scores as Scores
    from .types import Source as Source
    from .types.measurement import Measurement as Measurement
