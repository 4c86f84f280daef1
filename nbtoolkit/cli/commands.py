"""The commands. What needs torch is imported when a command runs, so that ``--help`` and ``doctor`` are quick."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from ..errors import DataError, NbtoolkitError
from ..live import explore
from ..storage.study import open_study
from ..toy.names import SCENES
from .jupyterlab import need_lab, serve

PACKAGE = Path(__file__).parents[1]
TOKENS = "dog,cat,bear,baby,bus,train,car,cake"  # the paper's
FOUR = "dog,bus,train,cat"  # of its Table 1
SLOW = {
    "toy-smollm2": {"n": 800, "n_ablations": 4}
}  # a real language model: what an evaluation on the CPU does in minutes
NEEDED = (
    *("nbtoolkit", "torch", "transformers", "datasets", "scikit-learn"),
    *("anywidget", "ipywidgets", "safetensors", "pyarrow", "pillow"),
)
OPTIONAL = {
    "jupyterlab": "pip install 'nbtoolkit[lab]'",
    "distributed": "pip install 'nbtoolkit[distributed]'",
    "accelerate": "for device_map= and offloaded models: pip install accelerate",
    "peft": "for LoRA and other adapters: pip install peft",
    "torchvision": "most image processors need it: pip install torchvision, of the same kind as torch",
}
FILES = {
    "front end": "widgets/static/nbtoolkit.js",
    "toy captioner": "toy/weights/captioner/model.safetensors",
    "toy scorer": "toy/weights/scorer/model.safetensors",
}


def demo(args: argparse.Namespace) -> int:
    """``nbtoolkit demo``: study a word of the embedded world, then open JupyterLab or write a page.

    Parameters
    ----------
    args
        Parsed arguments.
    """
    if args.html is None:
        need_lab()
    quiet()
    from .. import load_data, load_model, load_scorer
    from .. import study as make_study

    out = args.out or Path(f"{args.token}.study")
    print(f"Rendering scenes of the embedded world; its small LLaVA captions those with {args.token!r} …", flush=True)
    method = _method("SemiNMF", args.n_concepts)
    result = make_study(load_model("toy"), load_data("toy"), args.token, method=method, scorer=load_scorer("toy"))
    result.save(out)
    print(f"{result!r}\nsaved in {out}", flush=True)
    if args.html is not None:
        path = explore(result).to_html(args.html)
        print(f"page: {path} ({path.stat().st_size / 1e6:.1f} MB); open it in any browser")
        return 0
    return serve(args.no_browser)


def _data(args: argparse.Namespace) -> str:
    """Data of the command, or the scenes of an embedded model."""
    source = args.data or SCENES.get(args.model)
    if source is None:
        raise DataError(
            f"--data is missing; expected the images to study {args.model} on. Give a file, a folder, or 'toy'."
        )
    return str(source)


def study(args: argparse.Namespace) -> int:
    """``nbtoolkit study``: study a word of any model and data.

    Parameters
    ----------
    args
        Parsed arguments.
    """
    quiet()
    from .. import load_data, load_model, load_scorer
    from .. import study as make_study

    scorer = args.scorer or ("toy" if args.model == "toy" else None)
    shards = args.out.with_name(args.out.name + ".shards")
    engine = "dask" if args.dask_address == "local" else args.dask_address
    data = load_data(_data(args), split=args.split, images=args.images, n=args.n)
    result = make_study(
        load_model(
            args.model,
            device=args.device,
            dtype=args.dtype,
            system=args.system,
            max_image_tokens=args.max_image_tokens,
        ),
        data,
        args.token,
        layers=_layers(args.layers),
        prompt=args.prompt,
        engine=engine,
        method=_method(args.method, args.n_concepts),
        scorer=load_scorer(scorer) if scorer else None,
        captions=args.captions,
        naming=args.naming,
        batch_size=args.batch_size or "auto",
        out=shards,
    )
    result.save(args.out)
    shutil.rmtree(shards)
    n = len(result.representations.skipped)
    print(f"{result!r}{f'; {n} images excluded' if n else ''}\n{result.naming}\nsaved in {args.out}")
    if args.html is not None:
        print(f"page: {explore(result).to_html(args.html)}")
    return 0


def reproduce(args: argparse.Namespace) -> int:
    """``nbtoolkit reproduce``: the paper's evaluation.

    Parameters
    ----------
    args
        Parsed arguments.
    """
    quiet()
    from .. import load_data, load_model, load_scorer
    from ..reproduction import SIZES
    from ..reproduction import reproduce as run_evaluation
    from ..reproduction.report import write_report

    start = time.perf_counter()
    own_splits, source = args.test_data is None, args.data or SCENES.get(args.model, "toy")
    quick = SLOW.get(args.model, {})
    options = {"n": args.n or quick.get("n"), "images": args.images}
    data = load_data(source, split="train" if own_splits else None, **options)
    test = load_data(args.test_data or source, split="test" if own_splits else None, **options)
    tokens = args.tokens or (FOUR if args.model in SLOW else TOKENS)
    scorer = args.scorer or ("toy" if args.model in SCENES else "openai/clip-vit-base-patch32")
    n_ablations = quick.get("n_ablations") if args.n_ablations is None else args.n_ablations
    given = {"n_replicates": args.n_replicates, "n_ablations": n_ablations}
    results = run_evaluation(
        load_model(args.model, max_image_tokens=args.max_image_tokens),
        data,
        test,
        [t.strip() for t in tokens.split(",") if t.strip()],
        load_scorer(scorer),
        settings=args.settings,
        n_concepts=args.n_concepts,
        layer=args.layer,
        layers=_layers(args.layers),
        sizes=sorted({*(k for k in SIZES if k <= 2.5 * args.n_concepts), args.n_concepts}),
        random_state=args.random_state,
        encoder=None if args.text_encoder == "none" else args.text_encoder,
        naming=args.naming,
        cache=args.out / "cache",
        progress=lambda stage: print(f"{time.perf_counter() - start:6.0f} s  {stage}", flush=True),
        **{name: value for name, value in given.items() if value is not None},
    )
    page, table = write_report(results, args.out, title=f"CoX-LMM on {args.model}, settings {args.settings}")
    for claim in results.verdicts():
        print(claim)
    print(f"report: {page} ({page.stat().st_size / 1e6:.1f} MB); scores: {table}")
    return 0


def benchmark(args: argparse.Namespace) -> int:
    """``nbtoolkit benchmark``: methods that learn concepts, and attribution maps, against the truth of the embedded worlds.

    Parameters
    ----------
    args
        Parsed arguments.
    """
    quiet()
    from ..toy import benchmark as suite

    start = time.perf_counter()
    suite_tasks = {task.name: task for task in suite.TASKS}
    names = _parts(args.tasks) or None
    unknown = [name for name in names or () if name not in suite_tasks]
    if unknown or (names and args.quick):
        raise DataError(
            f"--tasks is {args.tasks!r}{' beside --quick' if args.quick else ''}; expected tasks among {'; '.join(suite_tasks)}, or --quick."
        )
    results = suite.run(
        _parts(args.methods) or None,
        tasks=[suite_tasks[name] for name in names] if names else None,
        quick=args.quick,
        n_replicates=args.replicates,
        n_maps=(0 if names else 5 if args.quick else suite.N_IMAGES) if args.maps is None else args.maps,
        random_state=args.random_state,
        cache=args.out / "cache",
        progress=lambda text: print(f"{time.perf_counter() - start:6.0f} s  {text}", flush=True),
    )
    page, table = args.html or args.out / "benchmark.html", args.csv or args.out / "benchmark.csv"
    suite.write_report(results, html=page, csv=table)
    print(f"\n{results!r}\n\nreport: {page}; table: {table}")
    return 0


def _parts(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(";") if part.strip()]


def export(args: argparse.Namespace) -> int:
    """``nbtoolkit export``: a study as an interactive page.

    Parameters
    ----------
    args
        Parsed arguments.
    """
    path = explore(open_study(args.study)).to_html(args.file, max_mb=args.max_mb)
    print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0


def doctor(_: argparse.Namespace) -> int:
    """``nbtoolkit doctor``: list what is installed and what is missing; 2 where something needed is missing."""
    missing = 0
    print(f"Python          {sys.version.split()[0]}")
    for name in (*NEEDED, *OPTIONAL):
        try:
            print(f"{name:15s} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing += name in NEEDED
            print(f"{name:15s} missing; {OPTIONAL.get(name, 'pip install nbtoolkit again')}")
    for name, file in FILES.items():
        path = PACKAGE / file
        missing += not path.is_file()
        size = f"{path.stat().st_size / 1e3:.0f} kB" if path.is_file() else "missing; install nbtoolkit again"
        print(f"{name:15s} {size}")
    if importlib.util.find_spec("torch"):
        import torch

        print(f"{'GPU':15s} {torch.cuda.get_device_name() if torch.cuda.is_available() else 'none; the CPU is used'}")
    print("Widgets need anywidget where the notebook server runs, too: on a hub, install it there.")
    return 2 if missing else 0


def quiet() -> None:
    """Hide the progress bars and warnings of transformers."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()


def _method(name: str, n_concepts: int) -> Any:
    from ..studies.sweeps import sized

    if n_concepts < 1:
        raise NbtoolkitError(f"--n-concepts is {n_concepts}; expected at least 1.")
    return sized(name, n_concepts, 0)


def _layers(text: str) -> Any:
    return "all" if text == "all" else [_layer(part) for part in text.split(",")]


def _layer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise NbtoolkitError(f"--layers has {text!r}; expected 'all' or whole numbers separated by commas.") from None
