"""Studies on disk: files written whole or not at all, estimators by public name, fingerprints. No torch."""

from .study import Sample, Study, open_study, save_study

__all__ = ["Sample", "Study", "open_study", "save_study"]
