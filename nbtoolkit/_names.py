"""Names that load on first use (PEP 562), and module paths of release 0.1 that still work."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

MOVED: Mapping[str, tuple[str, ...]] = {  # path in release 0.1 -> the modules that have its names now
    "atomic": ("storage.files",),
    "baselines": ("studies.baselines",),
    "batches": ("extraction.image_batches",),
    "cluster": ("extraction.dask_cluster",),
    "comparison": ("metrics.matching",),
    "doors": ("data.sources.files", "data.sources.hub", "data.sources.listings", "data.sources.columns"),
    "effects": ("interventions.effects",),
    "example": ("storage.example",),
    "interop": ("extraction.xl_vlms",),
    "interpretation": ("attribution.local", "attribution.concept_maps"),
    "lab": ("cli.jupyterlab",),
    "paper": ("reproduction.published",),
    "persist": ("storage.estimators",),
    "provenance": ("storage.provenance",),
    "reading": ("extraction.reader",),
    "report": ("reproduction.report",),
    "settings": ("options",),
    "shards": ("extraction.shards",),
    "shift": ("interventions.vectors", "metrics.shift"),
    "stopwords": ("text.stop_words",),
    "store": ("storage.study",),
    "sweeps": ("studies.sweeps",),
    "tokens": ("text.words", "text.tokens"),
    "types.study": ("storage.study",),
    "decomposition.baselines": ("decomposition",),
    "metrics.dictionaries": ("metrics",),
    "metrics.faithfulness": ("metrics.deletion",),
    "metrics.fit": ("metrics.reconstruction",),
    "metrics.testset": ("metrics.heldout",),
    "metrics.texts": ("metrics.bert_scores",),
    "metrics.vision": ("metrics.clip_scores",),
    "models.encoder": ("models.scorers",),
    "models.grid": ("models.geometry",),
    "models.passes": ("models.generation",),
    "models.scorer": ("models.scorers",),
    "models.threads": ("models.inference",),
    "widgets.answers": ("widgets.requests",),
    "widgets.comparison": ("widgets.dictionary_comparison",),
    "widgets.encode": ("widgets.payloads", "widgets.thumbnails"),
    "widgets.export": ("widgets.page",),
    "widgets.preview": ("widgets.page",),
    "widgets.views": ("widgets",),
    "toy.architecture": ("toy.training.architecture",),
    "toy.drawing": ("toy.world.drawing",),
    "toy.grammar": ("toy.world.grammar",),
    "toy.loop": ("toy.training.loop",),
    "toy.pen": ("toy.world.pen",),
    "toy.pictures": ("toy.training.images",),
    "toy.props": ("toy.world.props",),
    "toy.sprites": ("toy.world.sprites",),
    "toy.train": ("toy.training.__main__", "toy.training.train"),
}

RENAMED: Mapping[str, Mapping[str, str]] = {  # path in release 0.1 -> old name -> name now
    "interpretation": {"take_apart": "interpret_states"},
    "sweeps": {"Pictures": "ImageEmbeddings"},
    "models.passes": {"forced": "teacher_forced", "at_positions": "states_at"},
    "tokens": {"encode_answer": "tokenize_response"},
}


def lazy_names(
    package: str, table: Mapping[str, Sequence[str]], *, modules: Sequence[str] = (), values: Sequence[str] = ()
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """``__all__``, ``__getattr__`` and ``__dir__`` of a package whose names are imported on first use.

    Parameters
    ----------
    package
        ``__name__`` of the package.
    table
        Submodule to the public names that it has; a path that begins with a dot leads to the parent package.
    modules
        Submodules (also by their path in release 0.1) that are attributes without an import of their own.
    values
        Public names that the package has already.
    """
    home = {name: module for module, names in table.items() for name in names}
    public = sorted([*home, *values])

    def load(name: str) -> Any:
        if name in home:
            value = getattr(importlib.import_module(f".{home[name]}", package), name)
            setattr(sys.modules[package], name, value)
            return value
        if name in modules:
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}; it has {', '.join([*public, *modules])}")

    return public, load, lambda: [*public, *modules]


class _ModuleOverFunction(ModuleType):
    """A module of release 0.1 whose path is now that of a function, which the import system hides behind it."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        package, _, name = self.__name__.rpartition(".")
        return sys.modules[package].__getattr__(name)(*args, **kwargs)


class _MovedModules(MetaPathFinder, Loader):
    """Import a module of release 0.1 under its old path: a module whose names come from those that have them now."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Spec of a moved module.

        Parameters
        ----------
        fullname
            Dotted path.
        path, target
            Not used.
        """
        package, _, old = fullname.partition(".")
        return ModuleSpec(fullname, self) if package == __package__ and old in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        """Let the module's names come from their new homes.

        Parameters
        ----------
        module
            The module that was requested under its old path.
        """
        old = module.__name__.partition(".")[2]
        homes = [f"{__package__}.{home}" for home in MOVED[old]]

        def load(name: str) -> Any:
            new = RENAMED.get(old, {}).get(name, name)
            for home in homes:
                if hasattr(importlib.import_module(home), new):
                    return getattr(importlib.import_module(home), new)
            raise AttributeError(f"module {module.__name__!r} has moved to {', '.join(homes)}, which has no {name!r}")

        module.__doc__ = f"Moved to {', '.join(homes)}."
        module.__dict__["__getattr__"] = load
        package, _, name = module.__name__.rpartition(".")
        if name in getattr(sys.modules[package], "__all__", ()):
            module.__class__ = _ModuleOverFunction

    def get_code(self, fullname: str) -> CodeType:
        """Code that ``python -m`` runs.

        Parameters
        ----------
        fullname
            Dotted path.
        """
        home = f"{__package__}.{MOVED[fullname.partition('.')[2]][0]}"
        return compile(f"import runpy; runpy.run_module({home!r}, run_name='__main__')", fullname, "exec")


sys.meta_path.append(_MovedModules())
