"""What has to run on a GPU, in under eight minutes: ``python tests/benchmarks/gpu.py``.

Extraction in bfloat16 and float16 with the check of overflow, smaller batches where memory runs out, ``device_map``, training
of the embedded world's tower and projector and of its captioner, and the cost per image of a model of LLaVA-1.5-7B's shape
against the estimate before a run. It prints a table and ends with 1 if a part fails; without a GPU it says so and ends with 0.
``--device cpu --tiny`` runs the same functions on a CPU, at sizes that a test can afford.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import datasets
import numpy as np
import torch
import transformers as hf

sys.path.insert(0, str(Path(__file__).parents[2]))

import nbtoolkit as nbt
from nbtoolkit.data import captioned, raw_images
from nbtoolkit.extraction import ReadingOptions, estimate
from nbtoolkit.extraction.options import ReadingPlan
from nbtoolkit.extraction.reader import Reader
from nbtoolkit.models.adapter import Model
from nbtoolkit.models.memory import weight_bytes
from nbtoolkit.toy.training import train
from nbtoolkit.toy.training.images import training_images
from tests.zoo.parts import END, WORDS, Zoo, template

LIMIT = 480  # seconds
TOKEN = "dog"
Result = tuple[bool | None, str]  # passed (None: cannot run here), and the figure


def extraction(device: str, tiny: bool, dtype: str) -> Result:
    """States in half precision against those in float32 on the CPU; overflow is refused."""
    data = nbt.load_data("toy", n=40 if tiny else 400)
    read = functools.partial(nbt.extract, data=data, token=TOKEN, captions="given", progress=False)
    half, full = read(nbt.load_model("toy", device=device, dtype=dtype)), read(nbt.load_model("toy", device="cpu"))
    same = half.sample_ids == full.sample_ids
    gap = float(np.linalg.norm(half.states - full.states) / np.linalg.norm(full.states)) if same else float("inf")
    model = nbt.load_model("toy", device=device, dtype=dtype)
    with torch.no_grad():
        model.blocks[1].mlp.down_proj.weight.fill_(torch.finfo(getattr(torch, dtype)).max / 2)
    try:
        read(model)
        refusal = "not refused"
    except nbt.NbtoolkitError as error:
        refusal = "refused" if f"overflow torch.{dtype}" in str(error) else str(error)
    return gap < 0.05 and refusal == "refused", f"{len(half)} rows, relative error {gap:.1e}; overflow {refusal}"


def random_llava(device: str, tiny: bool) -> Model:
    """A model of LLaVA-1.5-7B's shape with random weights in bfloat16, and its image processor; or a tiny one in float32."""
    zoo = Zoo("<image>")
    side, patch = 336, 14
    vision, text, kind = {}, {}, torch.bfloat16
    if tiny:
        side, kind = 112, torch.float32
        vision = {
            "hidden_size": 64,
            "intermediate_size": 256,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "projection_dim": 64,
        }
        text = {
            "hidden_size": 128,
            "intermediate_size": 256,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "vocab_size": 1000,
        }
    else:
        vision = {
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "projection_dim": 768,
        }
        text = {"vocab_size": 32064}  # the defaults of Llama are those of the 7B model
    config = hf.LlavaConfig(
        vision_config=hf.CLIPVisionConfig(image_size=side, patch_size=patch, **vision),
        text_config=hf.LlamaConfig(**text, max_position_embeddings=4096, pad_token_id=0),
        image_token_index=zoo["<image>"],
        image_seq_length=(side // patch) ** 2,
    )
    torch.manual_seed(0)
    with torch.device(device):
        model = hf.AutoModelForImageTextToText.from_config(config, dtype=kind).eval()
    words = set(zoo.tokenizer.convert_tokens_to_ids(list(WORDS)))
    with torch.no_grad():
        head = model.get_output_embeddings().weight
        head[[i for i in range(len(head)) if i not in words]] = 0  # no response ends before its limit
    model.generation_config.update(pad_token_id=0, eos_token_id=END)
    images = hf.CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    processor = hf.LlavaProcessor(images, zoo.tokenizer, patch_size=patch, vision_feature_select_strategy="default",
                                  num_additional_image_tokens=1, chat_template=template("<image>"))  # fmt: skip
    return Model(model, processor, name="random LLaVA")


def reader(model: Model, data: datasets.Dataset, batch_size: int | str, new: int) -> Reader:
    """A reader whose token is a word of the tokenizer; responses are complete."""
    ids = ((int(model.tokenizer.convert_tokens_to_ids(TOKEN)),),)
    options = ReadingOptions(max_new_tokens=new, stop_early=False, batch_size=batch_size)
    return Reader(model, raw_images(data), ReadingPlan((TOKEN,), ids, tuple(range(model.n_layers + 1)), options))


def scenes(n: int) -> datasets.Dataset:
    """Images of the embedded world, all with the one caption that makes them candidates."""
    return captioned(nbt.toy.scenes(n)).map(lambda _: {"captions": [TOKEN]}, keep_in_memory=True)


def back_off(device: str, tiny: bool) -> Result:
    """Fewer images per batch once memory runs out, and the same rows: on a GPU it runs out in earnest."""
    model, data, n = (
        nbt.load_model("toy", device=device),
        nbt.load_data("toy", n=60 if tiny else 600),
        16 if tiny else 256,
    )
    read = functools.partial(nbt.extract, model, data, TOKEN, progress=False, batch_size=n, max_new_tokens=12)
    sizes: list[int] = []
    original, on_gpu = Reader._read, torch.device(device).type == "cuda"

    def watched(self: Reader, batch: Any) -> Any:
        if not on_gpu and len(batch.samples) > 4:
            raise torch.OutOfMemoryError("the benchmark plays a small device")
        rows = original(self, batch)
        sizes.append(len(batch.samples))
        return rows

    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    whole = read()
    if on_gpu:
        start, peak = weight_bytes(model.hf), torch.cuda.max_memory_allocated()
        torch.cuda.empty_cache()
        share = (start + (peak - start) * 0.4) / torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(share)
    try:
        with mock.patch.object(Reader, "_read", watched):
            part = read()
    finally:
        if on_gpu:
            torch.cuda.set_per_process_memory_fraction(1.0)
    same = part.sample_ids == whole.sample_ids and np.allclose(
        part.states, whole.states, atol=1e-3 * np.abs(whole.states).max()
    )
    return same and max(sizes) < min(
        n, whole.source.n_candidates
    ), f"batches of {n} became {max(sizes)}; rows {'equal' if same else 'differ'}"


def device_map(device: str, tiny: bool) -> Result:
    """A model that accelerate has placed gives the states of one that was moved."""
    if importlib.util.find_spec("accelerate") is None:
        return None, "accelerate is not installed"
    data = nbt.load_data("toy", n=40 if tiny else 200)
    place = "auto" if torch.device(device).type == "cuda" else device
    read = functools.partial(nbt.extract, data=data, token=TOKEN, captions="given", progress=False)
    placed, moved = (
        read(nbt.load_model("toy", dtype="float32", **where)) for where in ({"device_map": place}, {"device": device})
    )
    gap = float(np.abs(placed.states - moved.states).max() / np.abs(moved.states).max())
    return placed.sample_ids == moved.sample_ids and gap < 1e-3, f"device_map={place!r}: relative difference {gap:.1e}"


def training(device: str, tiny: bool) -> Result:
    """Some steps of tower with projector, and of the captioner, from the shipped weights: all of them change and stay finite."""
    n_steps = 2 if tiny else 40
    model = nbt.load_model("toy", device=device, dtype="float32")
    before = {name: p.detach().clone() for name, p in model.hf.named_parameters()}
    model.hf.train()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        images, factors = training_images(out, 64 if tiny else 512, 0)
        run = {"n_steps": n_steps, "random_state": 0, "device": device}
        train.train_tower(model.hf, images, factors, out, **run)
        train.train_captions(model.hf, model.tokenizer, images, factors, out, **run)
    still = [name for name, p in model.hf.named_parameters() if torch.equal(p, before[name])]
    finite = all(bool(p.isfinite().all()) for p in model.hf.parameters())
    projector = [name for name in before if "projector" in name and name not in still]
    moved = f"{len(before) - len(still)} of {len(before)} weights changed"
    return bool(projector) and finite, f"{n_steps} steps each; {moved}, {'all finite' if finite else 'not finite'}"


def cost(device: str, tiny: bool) -> Result:
    """Time and memory per image of a model of 7B shape, against the estimate before the run."""
    model, data, new = random_llava(device, tiny), scenes(16 if tiny else 64), 8 if tiny else 20
    expected = estimate(model, data, max_new_tokens=new, batch_size=8)
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        base = torch.cuda.memory_allocated()
    start = time.perf_counter()
    reader(model, data, 8, new).shard(range(len(data)))
    seconds = (time.perf_counter() - start) / len(data)
    ratio = expected.seconds_per_image / seconds
    figure = f"{expected.positions} positions; {1000 * seconds:.0f} ms per image, estimated {1000 * expected.seconds_per_image:.0f}"
    passed = 0.4 < ratio < 2.5 or tiny  # at tiny sizes the machine's other work decides
    if on_gpu:
        taken = (torch.cuda.max_memory_allocated() - base) / 8
        figure += f"; {taken / 1e6:.0f} MB per image, estimated {expected.bytes_per_image / 1e6:.0f}"
        passed = passed and 0.7 < expected.bytes_per_image / taken < 4
    return passed, figure


PARTS: dict[str, Callable[[str, bool], Result]] = {
    "extraction in bfloat16": functools.partial(extraction, dtype="bfloat16"),
    "extraction in float16": functools.partial(extraction, dtype="float16"),
    "smaller batches where memory runs out": back_off,
    "device_map": device_map,
    "training of projector and captioner": training,
    "cost of a 7B shape against the estimate": cost,
}


def main(argv: list[str] | None = None) -> int:
    """Run all parts; 0 if none fails."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="sizes for a CPU")
    args = parser.parse_args(argv)
    if torch.device(args.device).type == "cuda" and not torch.cuda.is_available():
        print("No GPU is at hand, so nothing was run; --device cpu --tiny runs the same functions on the CPU.")
        return 0
    start, failed = time.perf_counter(), 0
    name = torch.cuda.get_device_name(args.device) if torch.device(args.device).type == "cuda" else args.device
    print(f"{name}, torch {torch.__version__}, transformers {hf.__version__}")
    for part, run in PARTS.items():
        begin = time.perf_counter()
        try:
            passed, figure = run(args.device, args.tiny)
        except Exception as error:  # the other parts are still worth running
            passed, figure = False, f"{type(error).__name__}: {str(error)[:300]}"
        failed += passed is False
        mark = {True: "ok", False: "FAILED", None: "skipped"}[passed]
        print(f"{part:40s} {mark:8s} {time.perf_counter() - begin:6.1f} s  {figure}", flush=True)
    seconds = time.perf_counter() - start
    late = seconds > LIMIT
    print(f"{'all parts':40s} {'FAILED' if failed or late else 'ok':8s} {seconds:6.1f} s  expected at most {LIMIT} s")
    return int(bool(failed) or late)


if __name__ == "__main__":
    sys.exit(main())
