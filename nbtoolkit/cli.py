"""The command line: ``nbtoolkit demo | study | reproduce | export | doctor``. Errors take one line and exit with status 2."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .errors import NbtoolkitError
from .lab import need_lab, serve


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nbtoolkit", description="What does this multimodal model mean by this word?")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="study a word of the embedded world and open the first notebook")
    demo.add_argument("--token", default="dog", help="the word (dog, cat, bear, baby, bus, train, car, cake)")
    demo.add_argument("--n-concepts", type=int, default=20)
    demo.add_argument("--out", type=Path, help="study folder (default: TOKEN.study)")
    demo.add_argument(
        "--html", type=Path, metavar="FILE", help="write the interactive page instead of opening JupyterLab"
    )
    demo.add_argument("--no-browser", action="store_true", help="print JupyterLab's address and keep serving")
    demo.set_defaults(run=_demo)

    study = commands.add_parser("study", help="study a word of any model and data; resumes where it was stopped")
    study.add_argument("--model", required=True, help="toy, a folder, or a Hugging Face id")
    study.add_argument(
        "--data",
        required=True,
        help="toy, a Parquet file, COCO captions (.json), a folder with captions.jsonl, or a Hugging Face id",
    )
    study.add_argument("--split", help="split of the data, such as train")
    study.add_argument("--images", type=Path, help="folder of the pictures that a COCO file or a listing names")
    study.add_argument("--n", type=int, help="use the first N pictures only")
    study.add_argument("--token", required=True)
    study.add_argument("--out", type=Path, required=True, help="study folder to write")
    study.add_argument("--n-concepts", type=int, default=20)
    study.add_argument("--method", default="SemiNMF", help="SemiNMF, PCA, KMeans, LargestNorm, …")
    study.add_argument("--layers", default="all", help="all, or layers separated by commas, such as 1,16,-1")
    study.add_argument(
        "--captions",
        choices=("generate", "given"),
        default="generate",
        help="let the model caption, or read the data's captions",
    )
    study.add_argument(
        "--scorer", help="CLIP judge: toy, a folder, or a Hugging Face id (default: toy for --model toy, else none)"
    )
    study.add_argument("--prompt", help="what the model is asked (default: what its family expects)")
    study.add_argument("--batch-size", type=int)
    study.add_argument("--dtype", default="auto", help="number format of the model: auto, bfloat16, float16, float32")
    study.add_argument(
        "--dask-address",
        metavar="ADDRESS",
        help="scheduler of a Dask cluster, such as tcp://host:8786; 'local' starts workers here",
    )
    study.add_argument("--device", default="auto")
    study.add_argument("--html", type=Path, metavar="FILE", help="also write the interactive page")
    study.set_defaults(run=_study)

    again = commands.add_parser(
        "reproduce", help="the paper's whole evaluation: a report in HTML and the scores in CSV"
    )
    again.add_argument("--model", default="toy", help="toy, a folder, or a Hugging Face id")
    again.add_argument("--data", default="toy", help="what to learn from (as for study)")
    again.add_argument("--test-data", help="what to test on (default: the test split of --data)")
    again.add_argument(
        "--tokens", default="dog,cat,bear,baby,bus,train,car,cake", help="the words, separated by commas"
    )
    again.add_argument(
        "--scorer",
        default=None,
        help="CLIP judge (default: toy for --model toy, else openai/clip-vit-base-patch32, the paper's)",
    )
    again.add_argument(
        "--text-encoder", help="encoder for BERTScore, such as roberta-large, the paper's (default: none)"
    )
    again.add_argument("--n-concepts", type=int, default=20)
    again.add_argument("--n", type=int, help="use the first N pictures of each only")
    again.add_argument("--images", type=Path, help="folder of the pictures that COCO files name")
    again.add_argument(
        "--out", type=Path, default=Path("reproduction"), help="folder of the report; a stopped run goes on there"
    )
    again.set_defaults(run=_reproduce)

    export = commands.add_parser("export", help="write a study as one self-contained interactive page")
    export.add_argument("study", type=Path)
    export.add_argument("file", type=Path)
    export.add_argument("--max-mb", type=float, default=20.0, help="budget for pictures, in MB")
    export.set_defaults(run=_export)

    doctor = commands.add_parser("doctor", help="say what is installed, what is missing and what to do")
    doctor.set_defaults(run=_doctor)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 on success, 2 on an error, which is printed on one line."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    args = _parser().parse_args(argv)
    try:
        return int(args.run(args) or 0)
    except (NbtoolkitError, OSError) as error:
        print("nbtoolkit:", " ".join(str(error).split()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("nbtoolkit: stopped; finished shards are kept", file=sys.stderr)
        return 130


def _quiet() -> None:
    """Keep the libraries' own bars out of ours."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()


def _method(name: str, n_concepts: int) -> Any:
    from .sweeps import sized

    if n_concepts < 1:
        raise NbtoolkitError(f"--n-concepts is {n_concepts}; expected at least 1.")
    return sized(name, n_concepts, 0)


def _demo(args: argparse.Namespace) -> int:
    if args.html is None:
        need_lab()
    _quiet()
    from . import explore, load_data, load_model, load_scorer, study

    out = args.out or Path(f"{args.token}.study")
    print(f"Drawing scenes of the embedded world and asking its small LLaVA about {args.token!r} …", flush=True)
    result = study(
        load_model("toy"),
        load_data("toy"),
        args.token,
        method=_method("SemiNMF", args.n_concepts),
        scorer=load_scorer("toy"),
    )
    result.save(out)
    print(f"{result!r}\nsaved in {out}", flush=True)
    if args.html is not None:
        path = explore(result).to_html(args.html)
        print(f"page: {path} ({path.stat().st_size / 1e6:.1f} MB); open it in any browser")
        return 0
    return serve(args.no_browser)


def _study(args: argparse.Namespace) -> int:
    _quiet()
    from . import explore, load_data, load_model, load_scorer, study

    judge = args.scorer or ("toy" if args.model == "toy" else None)
    layers = "all" if args.layers == "all" else [_whole(part) for part in args.layers.split(",")]
    shards = args.out.with_name(args.out.name + ".shards")
    engine = "dask" if args.dask_address == "local" else args.dask_address
    data = load_data(args.data, split=args.split, images=args.images, n=args.n)
    result = study(load_model(args.model, device=args.device, dtype=args.dtype), data, args.token, layers=layers, prompt=args.prompt, engine=engine,
                   method=_method(args.method, args.n_concepts), scorer=load_scorer(judge) if judge else None, captions=args.captions,
                   batch_size=args.batch_size or "auto", out=shards)  # fmt: skip
    result.save(args.out)
    shutil.rmtree(shards)
    left_out = f"; {len(result.representations.skipped)} pictures left out" if result.representations.skipped else ""
    print(f"{result!r}{left_out}\nsaved in {args.out}")
    if args.html is not None:
        print(f"page: {explore(result).to_html(args.html)}")
    return 0


def _reproduce(args: argparse.Namespace) -> int:
    _quiet()
    from . import load_data, load_model, load_scorer
    from .models import load_text_encoder
    from .report import write_report
    from .reproduction import SIZES, reproduce

    start = time.perf_counter()
    split = "train" if args.test_data is None else None
    data = load_data(args.data, split=split, n=args.n, images=args.images)
    test = load_data(
        args.test_data or args.data, split="test" if args.test_data is None else None, n=args.n, images=args.images
    )
    judge = args.scorer or ("toy" if args.model == "toy" else "openai/clip-vit-base-patch32")
    tokens = [t.strip() for t in args.tokens.split(",") if t.strip()]
    sizes = sorted({*(k for k in SIZES if k <= 2.5 * args.n_concepts), args.n_concepts})
    encoder = load_text_encoder(args.text_encoder) if args.text_encoder else None
    found = reproduce(load_model(args.model), data, test, tokens, load_scorer(judge), n_concepts=args.n_concepts, sizes=sizes, encoder=encoder,
                      cache=args.out / "cache", progress=lambda what: print(f"{time.perf_counter() - start:6.0f} s  {what}", flush=True))  # fmt: skip
    page, table = write_report(found, args.out, title=f"CoX-LMM on {args.model}")
    for text, holds, n in found.claims():
        print(f"{holds:3d} of {n}  {text}")
    print(f"report: {page} ({page.stat().st_size / 1e6:.1f} MB); scores: {table}")
    return 0


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise NbtoolkitError(f"--layers has {text!r}; expected 'all' or whole numbers separated by commas.") from None


def _export(args: argparse.Namespace) -> int:
    from . import explore, open_study

    path = explore(open_study(args.study)).to_html(args.file, max_mb=args.max_mb)
    print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0


def _doctor(_: argparse.Namespace) -> int:
    needed = (
        "nbtoolkit",
        "torch",
        "transformers",
        "datasets",
        "scikit-learn",
        "anywidget",
        "ipywidgets",
        "safetensors",
        "pyarrow",
        "pillow",
    )
    optional = {"jupyterlab": "pip install 'nbtoolkit[lab]'", "distributed": "pip install 'nbtoolkit[distributed]'",
                "torchvision": "most image processors need it: pip install torchvision, of the same kind as torch"}  # fmt: skip
    missing = 0
    print(f"Python          {sys.version.split()[0]}")
    for name in (*needed, *optional):
        try:
            print(f"{name:15s} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing += name in needed
            print(f"{name:15s} missing; {optional.get(name, 'pip install nbtoolkit again')}")
    folder = Path(__file__).parent
    for what, path in (("front end", folder / "widgets/static/nbtoolkit.js"), ("toy captioner", folder / "toy/weights/captioner/model.safetensors"),
                       ("toy scorer", folder / "toy/weights/scorer/model.safetensors")):  # fmt: skip
        found = path.is_file()
        missing += not found
        print(f"{what:15s} {f'{path.stat().st_size / 1e3:.0f} kB' if found else 'missing; install nbtoolkit again'}")
    if importlib.util.find_spec("torch"):
        import torch

        print(f"{'GPU':15s} {torch.cuda.get_device_name() if torch.cuda.is_available() else 'none; the CPU is used'}")
    print("Widgets need anywidget where the notebook server runs, too: on a hub, install it there.")
    return 2 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
