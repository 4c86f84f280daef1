"""Arguments of the commands."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import NbtoolkitError
from ..files import user_path
from ..live.instruments import INSTRUMENTS
from ..types.naming import RULES
from . import commands, inspection
from .commands import FOUR, SLOW, TOKENS

IMAGE_TOKENS = "the most positions that an image may take (default: as many as the processor makes)"


def make_parser() -> argparse.ArgumentParser:
    """Parser of the command line; ``args.run`` is the command's function."""
    parser = argparse.ArgumentParser(prog="nbtoolkit", description="Why does this multimodal model say this word?")
    parser.add_argument("--version", action="version", version=f"nbtoolkit {__version__}")
    group = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (_demo, _study, _inspect, _reproduce, _benchmark, _export, _doctor):
        add(group)
    return parser


def _path(text: str) -> Path:
    try:
        return user_path(text)
    except NbtoolkitError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _demo(group: Any) -> None:
    demo = group.add_parser("demo", help="study a word of the embedded world and open the first notebook")
    demo.add_argument("--token", default="dog", help=f"the word ({TOKENS.replace(',', ', ')})")
    demo.add_argument("--n-concepts", type=int, default=20)
    demo.add_argument("--out", type=_path, help="study folder (default: TOKEN.study)")
    demo.add_argument(
        "--html", type=_path, metavar="FILE", help="write the interactive page instead of opening JupyterLab"
    )
    demo.add_argument("--no-browser", action="store_true", help="print JupyterLab's address and keep serving")
    demo.set_defaults(run=commands.demo)


def _study(group: Any) -> None:
    study = group.add_parser("study", help="study a word of any model and data; resumes where it was stopped")
    study.add_argument("--model", required=True, help="toy, toy-plain, toy-smollm2, a folder, or a Hugging Face id")
    study.add_argument(
        "--data",
        help="toy, toy-second, a Parquet file, COCO captions (.json), a folder with captions.jsonl, or a Hugging Face id "
        "(default: the scenes that an embedded model was trained on)",
    )
    study.add_argument("--split", help="split of the data, such as train")
    study.add_argument("--images", type=_path, help="folder of the images that a COCO file or a listing names")
    study.add_argument("--n", type=int, help="use the first N images only")
    study.add_argument("--token", required=True)
    study.add_argument("--out", type=_path, required=True, help="study folder to write")
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
        "--scorer", help="CLIP scorer: toy, a folder, or a Hugging Face id (default: toy for --model toy, else none)"
    )
    _naming(study)
    study.add_argument(
        "--prompt",
        help="the question, or the column of the data that has one per image (default: what the model's family expects)",
    )
    study.add_argument("--system", default="", metavar="TEXT", help="text of a system message before every question")
    study.add_argument("--batch-size", type=int)
    study.add_argument("--max-image-tokens", type=int, help=IMAGE_TOKENS)
    study.add_argument("--dtype", default="auto", help="number format of the model: auto, bfloat16, float16, float32")
    study.add_argument(
        "--dask-address",
        metavar="ADDRESS",
        help="scheduler of a Dask cluster, such as tcp://host:8786; 'local' starts workers here",
    )
    study.add_argument("--device", default="auto")
    study.add_argument("--html", type=_path, metavar="FILE", help="also write the interactive page")
    study.set_defaults(run=commands.study)


def _inspect(group: Any) -> None:
    listing = "\n".join(
        textwrap.fill(f"{one.name:17s} {one.summary}", 100, initial_indent="  ", subsequent_indent=" " * 20)
        for one in INSTRUMENTS.values()
    )
    command = group.add_parser(
        "inspect",
        help="why does a model say this word to this image? Instruments, one file each, and a page that shows them",
        description="Measure with several instruments where in the image a word of a response comes from, and through what.",
        epilog=f"instruments:\n{listing}\n\nstatus: 0; 2 on an error; 3 where an instrument was refused, and the others were not",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--model", required=True, help="toy, toy-plain, toy-smollm2, a folder, or a Hugging Face id")
    command.add_argument(
        "--image", required=True, help="the image: a file, or toy:3 and toy-second:3, scenes of the embedded worlds"
    )
    command.add_argument("--question", help="question or instruction (default: what the model's family expects)")
    command.add_argument("--word", required=True, help="a word of the response")
    command.add_argument("--foil", help="word that the word is compared with, such as cat for dog")
    command.add_argument("--response", help="response to read (default: the model's own)")
    command.add_argument(
        "--occurrence", type=int, default=0, help="which occurrence of the word in the response, from 0 (default: 0)"
    )
    command.add_argument(
        "--quantity",
        default="auto",
        help="what is measured: log_prob, logit, logit_difference, or auto (the default), which is log p, or where "
        "that is saturated or a foil is given, the logit difference to the foil",
    )
    command.add_argument(
        "--with",
        dest="instruments",
        default="lens,occlusion,attention",
        metavar="NAMES",
        help="instruments, separated by commas, or all (default: lens,occlusion,attention); the list is below",
    )
    command.add_argument(
        "--out", type=_path, required=True, help="folder to write; that of another inspection is replaced"
    )
    command.add_argument("--system", default="", metavar="TEXT", help="text of a system message before the question")
    command.add_argument("--max-image-tokens", type=int, help=IMAGE_TOKENS)
    command.add_argument("--dtype", default="auto", help="number format of the model: auto, bfloat16, float16, float32")
    command.add_argument("--device", default="auto")
    command.set_defaults(run=inspection.inspect)


def _reproduce(group: Any) -> None:
    command = group.add_parser("reproduce", help="the paper's whole evaluation: a report in HTML and the scores in CSV")
    command.add_argument("--model", default="toy", help="toy, toy-plain, toy-smollm2, a folder, or a Hugging Face id")
    command.add_argument(
        "--data", help="data to learn from (as for study; default: toy, or toy-second for its two models)"
    )
    command.add_argument("--test-data", help="data to test on (default: the test split of --data)")
    command.add_argument(
        "--settings",
        choices=("paper", "released", "nbtoolkit"),
        default="nbtoolkit",
        help="paper: λ = 1, as printed; released: λ = 2, as in the authors' code; nbtoolkit: λ by the norm of the states, words by "
        "a measured rule (the default)",
    )
    command.add_argument(
        "--tokens",
        help=f"the words, separated by commas (default: {TOKENS}; of toy-smollm2 {FOUR})",
    )
    command.add_argument(
        "--scorer",
        default=None,
        help="CLIP scorer (default: toy for the embedded models, else openai/clip-vit-base-patch32, the paper's)",
    )
    command.add_argument(
        "--text-encoder",
        default="auto",
        help="encoder for BERTScore, such as roberta-large, the paper's; none; auto (the default): what is at hand without a "
        "download, else the scorer's text tower where it tells captions apart",
    )
    command.add_argument("--max-image-tokens", type=int, help=IMAGE_TOKENS)
    command.add_argument("--n-concepts", type=int, default=20)
    command.add_argument("--layer", type=int, default=-1, help="layer of the tables; negative ones count from the last")
    command.add_argument(
        "--layers", default="all", help="layers of Figure 6: all, or layers separated by commas, such as 1,16,-1"
    )
    command.add_argument("--random-state", type=int, default=0)
    command.add_argument("--n-replicates", type=int, help="times that every dictionary is learnt again (default: 5)")
    command.add_argument(
        "--n-ablations",
        type=int,
        help="concepts per method that are ablated for the causal column (default: 10, of toy-smollm2 4; 0: none)",
    )
    _naming(command, None, " (default: that of the settings)")
    some = ", ".join(f"of {model} {quick['n']}" for model, quick in SLOW.items())
    command.add_argument("--n", type=int, help=f"use the first N images of each only (default: all; {some})")
    command.add_argument("--images", type=_path, help="folder of the images that COCO files name")
    command.add_argument(
        "--out", type=_path, default=Path("reproduction"), help="folder of the report; a stopped run resumes there"
    )
    command.set_defaults(run=commands.reproduce)


def _benchmark(group: Any) -> None:
    command = group.add_parser(
        "benchmark",
        help="score methods that learn concepts against the truth of the embedded worlds: a report and a table",
    )
    command.add_argument("--methods", help="names separated by semicolons, such as 'PCA;KMeans' (default: all of them)")
    command.add_argument("--tasks", help="names of tasks separated by semicolons, such as 'second world;n = 20'")
    command.add_argument("--quick", action="store_true", help="two small tasks instead of all (about a minute)")
    command.add_argument(
        "--out", type=_path, default=Path("benchmark"), help="folder of report, table and cached states"
    )
    command.add_argument(
        "--html", type=_path, metavar="FILE", help="file of the report (default: benchmark.html in --out)"
    )
    command.add_argument(
        "--csv", type=_path, metavar="FILE", help="file of the table (default: benchmark.csv in --out)"
    )
    command.add_argument(
        "--replicates", type=int, default=5, help="dictionaries learnt again per method, for intervals"
    )
    command.add_argument(
        "--maps",
        type=int,
        metavar="N",
        help="images for the table of attribution maps (default: 30, 5 with --quick, 0 with --tasks)",
    )
    command.add_argument("--random-state", type=int, default=0)
    command.set_defaults(run=commands.benchmark)


def _naming(command: Any, default: str | None = "auto", note: str = "") -> None:
    command.add_argument(
        "--naming",
        choices=("auto", *RULES),
        default=default,
        help="how words are read: auto (measured on the model), paper (without the final norm), norm, centred, norm-centred"
        + note,
    )


def _export(group: Any) -> None:
    export = group.add_parser("export", help="write a study as one self-contained interactive page")
    export.add_argument("study", type=_path)
    export.add_argument("file", type=_path)
    export.add_argument("--max-mb", type=float, help="budget for images, in MB (default: the page has 8 MB)")
    export.set_defaults(run=commands.export)


def _doctor(group: Any) -> None:
    doctor = group.add_parser("doctor", help="list what is installed and what is missing, with what to do")
    doctor.set_defaults(run=commands.doctor)
