"""What extraction costs, as ratios in one run: ``python tests/benchmarks/extraction.py [cost] [memory] [early] [flat] [dask]``.

CPU seconds of the process (one torch thread), medians of at least five; memory is anonymous memory above what was there
before, sampled. Not a test: machines are shared and noisy. The model is random: LLaVA, hidden 512, 8 layers, 196
image tokens, 20 new tokens.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import datasets
import numpy as np
import torch
import transformers as hf

sys.path.insert(0, str(Path(__file__).parents[2]))

import nbtoolkit as nbt
from nbtoolkit.data import captioned, raw_images, read_image
from nbtoolkit.extraction.options import ReadingOptions, ReadingPlan
from nbtoolkit.extraction.reader import Reader
from nbtoolkit.models.adapter import Model
from tests.zoo.parts import END, WORDS, Zoo, template

NEW, REPEATS = 20, 5


def large() -> Model:
    """The model of the figures, with a tokenizer of words; no caption ends before 20 tokens."""
    torch.manual_seed(0)
    zoo = Zoo("<image>")
    vision = hf.CLIPVisionConfig(
        hidden_size=256,
        intermediate_size=1024,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=224,
        patch_size=16,
    )
    text = hf.LlamaConfig(
        vocab_size=32000,
        hidden_size=512,
        intermediate_size=1376,
        num_hidden_layers=8,
        num_attention_heads=8,
        pad_token_id=0,
    )
    config = hf.LlavaConfig(vision_config=vision, text_config=text, image_token_index=zoo["<image>"], vision_feature_layer=-1,
                            vision_feature_select_strategy="default", image_seq_length=196)  # fmt: skip
    images = hf.CLIPImageProcessorPil(size={"height": 224, "width": 224}, do_center_crop=False)
    processor = hf.LlavaProcessor(images, zoo.tokenizer, patch_size=16, vision_feature_select_strategy="default", num_additional_image_tokens=1,
                                  chat_template=template("<image>"))  # fmt: skip
    model = hf.LlavaForConditionalGeneration(config).eval()
    with torch.no_grad():
        for p in model.parameters():
            if p.ndim > 1:
                p.mul_(3)
        words = set(zoo.tokenizer.convert_tokens_to_ids(WORDS))
        model.lm_head.weight[[i for i in range(32000) if i not in words]] = 0  # their logits are below the best word's
    model.generation_config.update(pad_token_id=0, eos_token_id=END)
    return Model(model, processor, name="random LLaVA")


def pictures(n: int) -> datasets.Dataset:
    """Scenes with the one caption that makes all of them candidates."""
    return captioned(nbt.toy.scenes(n)).map(lambda _: {"captions": ["dog"]}, keep_in_memory=True)


def plan(model: Model, size: int) -> ReadingPlan:
    ids = ((int(model.tokenizer.convert_tokens_to_ids("dog")),),)
    options = ReadingOptions(max_new_tokens=NEW, stop_early=False, batch_size=size)
    return ReadingPlan(("dog",), ids, tuple(range(model.n_layers + 1)), options)


def cpu(run) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def in_turn(*arms) -> list[float]:
    """Median CPU seconds of each arm, run in turn so that noise meets all of them."""
    for arm in arms:
        arm()
    times = [[cpu(arm) for arm in arms] for _ in range(REPEATS)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def peer(model: Model, data, kept: list) -> None:
    """One sample at a time, every hidden state kept on the CPU."""
    for k in range(len(data)):
        inputs = model.inputs([read_image(data[k]["image"])])
        with torch.inference_mode():
            out = model.hf.generate(
                **inputs, max_new_tokens=NEW, do_sample=False, output_hidden_states=True, return_dict_in_generate=True
            )
        kept.append(
            [
                torch.cat([step[layer].detach().cpu() for step in out.hidden_states], 1)
                for layer in range(model.n_layers + 1)
            ]
        )


def cost() -> None:
    torch.set_num_threads(1)
    model, data = large(), raw_images(pictures(16))
    batch = [read_image(data[k]["image"]) for k in range(16)]

    def bare() -> None:
        with torch.inference_mode():
            model.hf.generate(
                **model.inputs([read_image(data[k]["image"]) for k in range(16)]),
                max_new_tokens=NEW,
                do_sample=False,
                num_beams=1,
            )

    reader = Reader(model, data, plan(model, 16))
    generate, extract, one = in_turn(bare, lambda: reader.shard(range(16)), lambda: peer(model, data, []))
    print(
        f"batch of {len(batch)}: generate {generate:.2f} s, extract all {model.n_layers + 1} layers {extract:.2f} s: ratio {extract / generate:.3f}"
    )
    print(
        f"one at a time with output_hidden_states: {one:.2f} s: extraction is {one / extract:.2f} times faster per sample"
    )


class Peak:
    """Largest anonymous memory while the block runs, above what there was before, in MB."""

    def __enter__(self):
        self.before = self.largest = self.now()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def now(self) -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024

    def watch(self) -> None:
        while not self.stop.wait(0.02):
            self.largest = max(self.largest, self.now())

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        self.growth = max(self.largest, self.now()) - self.before


def memory_child(way: str) -> None:
    """Growth over 64 samples, after a first batch has warmed everything up."""
    torch.set_num_threads(1)
    model, data = large(), raw_images(pictures(80))
    size = 16 if way.endswith("16") else 1
    kept: list = []

    def bare(rows) -> None:
        for start in rows[::size]:
            batch = model.inputs([read_image(data[k]["image"]) for k in rows[rows.index(start) :][:size]])
            with torch.inference_mode():
                kept.append(model.hf.generate(**batch, max_new_tokens=NEW, do_sample=False, num_beams=1))

    reader = Reader(model, data, plan(model, size))
    run = {
        "peer": lambda rows: peer(model, data.select(rows), kept),
        "bare": bare,
        "ours": lambda rows: kept.append(reader.shard(rows)),
    }
    run[way.rstrip("0123456789")](range(size))
    with Peak() as peak:
        run[way.rstrip("0123456789")](range(16, 80))
    print(peak.growth)


def memory() -> None:
    ways = ("peer1", "bare1", "ours1", "bare16", "ours16")
    mb = {way: statistics.median(float(child("memory", way)) for _ in range(3)) for way in ways}
    kept = mb["peer1"] - mb["bare1"]
    print("memory growth over 64 samples, MB: " + ", ".join(f"{way} {mb[way]:.0f}" for way in ways))
    for size in ("1", "16"):
        more = mb["ours" + size] - mb["bare" + size]
        print(
            f"  on top of generating at the same batch size {size}: extraction {more:.0f}, every hidden state kept {kept:.0f} ({more / kept:.3f})"
        )


def early() -> None:
    torch.set_num_threads(1)
    model, data = nbt.load_model("toy"), nbt.load_data("toy", n=1500)
    for size in (1, 16, 32):
        arms = [
            functools.partial(nbt.extract, model, data, "dog", batch_size=size, stop_early=e, progress=False)
            for e in (False, True)
        ]
        whole, ended = in_turn(*arms)
        print(
            f"embedded world, batch {size}: whole captions {whole:.2f} s, rows that stop at their token {ended:.2f} s: {1 - ended / whole:.0%} saved"
        )


def listing(folder: Path, n: int) -> Path:
    """A listing of ``n`` samples over 500 picture files."""
    folder.mkdir(parents=True, exist_ok=True)
    scenes = nbt.load_data("toy", n=6000)
    rows = [k for k, c in enumerate(scenes["captions"]) if any("dog" in t.split() for t in c)][:500]
    for k in rows:
        scenes[k]["image"].save(folder / f"{k}.png")
    lines = [
        json.dumps({"id": f"s{i}", "file_name": f"{rows[i % len(rows)]}.png", "caption": "a dog"}) for i in range(n)
    ]
    (folder / "captions.jsonl").write_text("\n".join(lines))
    return folder


def flat_child(folder: str, out: str) -> None:
    torch.set_num_threads(1)
    model, data = nbt.load_model("toy"), nbt.load_data(folder)
    nbt.extract(model, data.select(range(300)), "dog", progress=False, layers=[1])
    with Peak() as peak:
        reps = nbt.extract(model, data, "dog", out=out, progress=False)
    print(peak.before, peak.growth, len(reps))


def flat() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = [
            list(map(float, child("flat", str(listing(Path(folder) / str(n), n)), f"{folder}/out{n}").split()))
            for n in (2000, 20000)
        ]
    peaks = [before + growth for before, growth, _ in found]
    print(f"peak memory: {peaks[0]:.0f} MB over {found[0][2]:.0f} samples, {peaks[1]:.0f} MB over {found[1][2]:.0f}: ratio {peaks[1] / peaks[0]:.3f} "
          f"(growth {found[0][1]:.0f} and {found[1][1]:.0f} MB)")  # fmt: skip


def dask_child(folder: str, out: str, engine: str) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    model, data = nbt.load_model("toy"), nbt.load_data(folder)
    start = time.perf_counter()
    nbt.extract(model, data, "dog", out=out, progress=False, engine=None if engine == "none" else engine)
    print(time.perf_counter() - start)


def dask() -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = listing(Path(folder) / "pictures", 20000)
        found = {}
        for engine in ("none", "dask"):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            wall = float(child("dask", str(source), f"{folder}/{engine}", engine))
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            found[engine] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall
        same = all(
            (Path(folder) / "none" / f.name).read_bytes() == f.read_bytes()
            for f in (Path(folder) / "dask").glob("shard-*.safetensors")
        )
    (one, alone), (two, shared) = found["none"], found["dask"]
    print(f"20,000 samples: one process {one:.0f} CPU s ({alone:.0f} s wall), Dask with two workers {two:.0f} CPU s ({shared:.0f} s wall), starts included: "
          f"{two / one - 1:+.0%} CPU, {alone / shared:.2f} times as fast, shards {'equal' if same else 'NOT equal'}")  # fmt: skip


def child(*args: str) -> str:
    """Run a part of this script in a fresh process; its last line is the answer."""
    done = subprocess.run([sys.executable, __file__, "child", *args], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout.strip().splitlines()[-1]


PARTS = {"cost": cost, "memory": memory, "early": early, "flat": flat, "dask": dask}

if __name__ == "__main__":
    hf.logging.set_verbosity_error()
    hf.logging.disable_progress_bar()
    if sys.argv[1:2] == ["child"]:
        {"memory": memory_child, "flat": flat_child, "dask": dask_child}[sys.argv[2]](*sys.argv[3:])
    else:
        print(
            f"torch {torch.__version__}, transformers {hf.__version__}, numpy {np.__version__}, {os.cpu_count()} cores"
        )
        for part in sys.argv[1:] or PARTS:
            PARTS[part]()
            sys.stdout.flush()
