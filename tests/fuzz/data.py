"""Data and feature files of others: listings, JSON of COCO, Karpathy and LLaVA, Parquet, xl-vlms, autoencoders, images."""

import io
import json
import os
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from safetensors.numpy import save_file

import nbtoolkit as nbt
from nbtoolkit.data import image_size, read_image, thumbnail

from ..data.made import encoded, gradient
from .mutate import damaged, product, take, texts
from .run import Silent, attack, judged
from .studies import changed_tables, columns_of

TURNS = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A dog."}]
CONTENTS = {
    "coco": {"info": {"year": 2014}, "images": [{"id": 9, "file_name": "a.jpg"}, {"id": 7, "file_name": "b.jpg"}],
             "annotations": [{"id": 1, "image_id": 7, "caption": "a cat"}, {"id": 2, "image_id": 9, "caption": "a dog"}]},
    "karpathy": {"dataset": "coco", "images": [
        {"filepath": ".", "filename": "a.jpg", "cocoid": 1, "split": "train", "sentences": [{"raw": "a dog", "tokens": ["a"]}]},
        {"filename": "b.jpg", "cocoid": 40, "split": "test", "sentences": [{"raw": "a cat"}, {"raw": "the cat"}]}]},
    "records": [{"image": "a.jpg", "caption": ["a dog", "one dog"]}, {"image": "b.jpg", "caption": "a cat", "image_id": "b"}],
    "llava": [{"id": "7", "image": "a.jpg", "conversations": TURNS},
              {"id": 8, "image": ["b.jpg", "c.jpg"], "conversations": TURNS}],
}  # fmt: skip
CSV = ["image,caption,id\na.jpg,a dog,1\nb.jpg,\"a, b\",2\n", "image|caption\na.jpg|\" A dog\nb.jpg|a \"b\" c\n",
       "image\tcaption\r\na.jpg\ta dog\r\nb.jpg\tun caf\u00e9\r\n"]  # fmt: skip
NAMES = ("x.", "captions.", "olumn", "data set is empty", "first image")


def right(data):
    """Whether what was read has texts as ids and captions, and each id once."""
    texts = all(isinstance(t, str) for group in data["captions"] for t in group)
    if not texts or len(set(data["id"])) != len(data) or not all(isinstance(i, str) for i in data["id"]):
        raise Silent("ids or captions of another kind")


def _images(place):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        gradient().save(place / name)


def _reading(path, label, raw):
    """Case of a file that is read as data."""

    def check():
        path.write_bytes(raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogatepass"))
        try:
            return judged(lambda: nbt.load_data(path), NAMES, right)
        finally:
            path.unlink()

    return f"{path.name}: {label}", check


@attack("listings: JSONL, CSV, TSV: every value, bytes", 200, 2500)
def listings(rng, n, place):
    _images(place)
    row = {"file_name": "a.jpg", "caption": ["a dog"], "id": 1, "split": "train"}
    other = json.dumps(row | {"file_name": "b.jpg", "id": 2})
    lines = [(_reading(place / "x.jsonl", label, f"{other}\n{text}\n")) for label, text in texts(row, n, rng)]
    lines += [
        _reading(place / "x.jsonl", label, f"{json.dumps(CONTENTS['llava'][1])}\n{text}\n")
        for label, text in texts(CONTENTS["llava"][0], n, rng)
    ]
    rng.shuffle(lines)
    whole = f"{other}\n{json.dumps(row)}\n"

    def tables(k):
        for label, raw in damaged(CSV[k].encode(), n, rng):
            yield _reading(place / ("x.csv", "x.txt", "x.tsv")[k], label, raw)

    bits = (_reading(place / "x.jsonl", label, raw) for label, raw in damaged(whole.encode(), n, rng))
    yield from take(n, lines, bits, tables(0), tables(1), tables(2))


@attack("listings of 120,000 rows: another id, the last repeated, one image", 3, 3, seconds=20)
def long_listings(rng, n, place):
    _images(place)
    for label, last in {"other ids": "z", "a repeated id": "0", "an empty id": ""}.items():
        ids = [*(str(k) for k in range(119_999)), last]
        lines = "\n".join(f'{{"file_name": "a.jpg", "caption": "a dog", "id": "{i}"}}' for i in ids)
        yield _reading(place / "x.jsonl", label, lines)


@attack("COCO, Karpathy's splits, records and LLaVA conversations as JSON: every value, bytes", 200, 2500)
def json_files(rng, n, place):
    _images(place)

    def changes(name):
        for label, text in texts(CONTENTS[name], n, rng):
            yield _reading(place / "x.json", f"{name} {label}", text)

    def bits(name):
        for label, raw in damaged(json.dumps(CONTENTS[name]).encode(), n, rng):
            yield _reading(place / "x.json", f"{name} {label}", raw)

    yield from take(n, *map(changes, CONTENTS), *map(bits, CONTENTS))


def _parquet(place, table, **options):
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


@attack("Parquet data: columns missing, extra, mistyped; bytes", 150, 1000)
def parquet_files(rng, n, place):
    cells = [{"bytes": encoded(gradient()), "path": None}] * 3
    table = pa.table({"id": ["a", "b", "c"], "image": cells, "captions": [["a dog"], ["a cat"], []], "n": [1, 2, 3]})
    cases = [_reading(place / "x.parquet", label, _parquet(place, t)) for label, t in changed_tables(table)]
    for kind, column in columns_of(3).items():
        lists = pa.ListArray.from_arrays([0, 1, 2, 3], column)
        cases.append(
            _reading(
                place / "x.parquet",
                f"captions are lists of {kind}",
                _parquet(place, table.set_column(2, "captions", lists)),
            )
        )
        structs = pa.StructArray.from_arrays([column], ["raw"])
        cases.append(
            _reading(
                place / "x.parquet",
                f"captions are records of {kind}",
                _parquet(place, table.set_column(2, "captions", structs)),
            )
        )
    rng.shuffle(cases)
    bits = (_reading(place / "x.parquet", label, raw) for label, raw in damaged(_parquet(place, table), n, rng))
    yield from take(n, cases, bits)


# --- feature files and autoencoders ----------------------------------------------------------------------

BLOCKS = ("language_model.model.layers.30", "language_model.model.layers.31")


def features(n=6):
    """What the paper's authors store."""
    generator = torch.Generator().manual_seed(0)
    states = [{m: torch.randn(1, 1, 8, generator=generator).half() for m in BLOCKS} for _ in range(n)]
    return {"hidden_states": states, "image": [[f"val2014/{i}.jpg"] for i in range(n)], "model_predictions": [["a dog"]] * n,
            "token_of_interest_mask": [torch.tensor([i != 2]) for i in range(n)]}  # fmt: skip


ODD = {
    "None": None,
    "a number": 5, "a text": "x", "a list": [], "a mapping": {}, "lists": [[[1]]], "NaN": torch.full((1, 1, 8), torch.nan),
    "whole numbers": torch.zeros(1, 1, 8, dtype=torch.int64), "nothing": torch.zeros(0),
    "a scalar": torch.zeros(()), "complex": torch.zeros(1, 1, 8, dtype=torch.complex64),
    "huge": torch.zeros(1).expand(1, 1, 2**40), "sparse": torch.zeros(1, 1, 8).to_sparse(), "wide": torch.zeros(1, 1, 9),
}  # fmt: skip


@attack("xl-vlms feature files: content of other kinds, bytes", 100, 700)
def feature_files(rng, n, place):
    path = place / "x.pth"

    def reading(label, write):
        def check():
            write()
            return judged(lambda: nbt.read_xl_vlms(path, "dog"), ("x.pth",), lambda reps: None if len(reps) else False)

        return label, check

    cases = []
    for key, (label, value), where in product(rng, [*features()], ODD.items(), ("all", "one", "first")):
        content = features()
        if where == "all":
            content[key] = value
        else:
            content[key][3 if where == "one" else 0] = value
        cases.append(reading(f"{key}: {label} ({where})", lambda c=content: torch.save(c, path)))
    torch.save(features(), path)
    whole = path.read_bytes()
    bits = (reading(label, lambda raw=raw: path.write_bytes(raw)) for label, raw in damaged(whole, n, rng))
    yield from take(n, cases, bits)


@attack("autoencoders of SAELens: settings and weights of other kinds, bytes", 150, 1500)
def autoencoders(rng, n, place):
    folder = place / "sae"
    folder.mkdir()
    generator = np.random.default_rng(0)
    weights = {"W_enc": (6, 9), "b_enc": (9,), "W_dec": (9, 6), "b_dec": (6,)}
    save_file(
        {k: generator.normal(size=s).astype(np.float32) for k, s in weights.items()}, folder / "sae_weights.safetensors"
    )
    about = {"architecture": "topk", "k": 3, "d_in": 6, "d_sae": 9, "apply_b_dec_to_input": True, "normalize_activations": "none",
             "activation_fn_kwargs": {"k": 3}, "metadata": {"hook_name": "x"}}  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps(about))

    def reading(name, label, raw):
        def check():
            whole = (folder / name).read_bytes()
            (folder / name).write_bytes(raw)
            try:
                return judged(lambda: nbt.read_sae(folder), ("cfg.json", "sae_weights", "sae'"), None)
            finally:
                (folder / name).write_bytes(whole)

        return f"{name}: {label}", check

    settings = (
        reading("cfg.json", label, text.encode("utf-8", "surrogatepass")) for label, text in texts(about, n, rng)
    )
    raw = (folder / "sae_weights.safetensors").read_bytes()
    yield from take(
        n, settings, (reading("sae_weights.safetensors", label, other) for label, other in damaged(raw, n, rng))
    )


# --- images ----------------------------------------------------------------------------------------------

KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000")


def _strange(place):
    """Images that are not as others: name to what is opened."""
    ramp = Image.fromarray(np.linspace(0, 65535, 64).reshape(8, 8).astype(np.uint16))
    frames = [gradient(), gradient().rotate(180)]
    yield "16 bits", encoded(ramp)
    yield "CMYK", encoded(gradient("CMYK"), "JPEG")
    yield "palette", encoded(gradient("P"))
    yield "1 x 1", encoded(gradient(size=(1, 1)))
    yield "1 x 10,000", encoded(gradient(size=(1, 10_000)))
    yield "NaN", encoded(Image.fromarray(np.full((4, 4), np.nan, np.float32)), "TIFF")
    for kind in ("GIF", "WEBP"):
        yield f"animated {kind}", encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    for turn in (1, 2, 3, 4, 5, 6, 7, 8, 999):
        exif = gradient().getexif()
        exif[0x0112] = turn
        yield f"EXIF {turn}", encoded(gradient(), "JPEG", exif=exif)
    for kind in ("EPS", "PDF", "ICO", "PCX", "SGI", "TGA", "DDS"):
        yield kind, encoded(gradient(size=(16, 16)), kind)
    yield "nothing", b""
    yield "HTML", b"<!doctype html><html></html>"
    yield "SVG", b"<svg xmlns='http://www.w3.org/2000/svg'/>"
    for value in (None, 5, [], {}, {"bytes": None, "path": None}, {"bytes": "x"}, "", "\0", "x" * 5_000, object()):
        yield f"value {str(value)[:20]!r}", value
    os.mkfifo(place / "pipe.jpg")
    (place / "loop.jpg").symlink_to(place / "loop.jpg")
    for path in (
        place / "pipe.jpg",
        place / "loop.jpg",
        place,
        "/dev/zero",
        "/dev/stdin",
        "/proc/self/mem",
        place / "missing.jpg",
    ):
        yield str(path), path


@attack("images: formats, modes, rotation, pipes, folders, other values; bytes of eight formats", 200, 2500)
def images(rng, n, place):
    def reading(label, cell):
        def check():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow's, of damaged metadata
                assert len(image_size(cell)) == 2
                return judged(lambda: read_image(cell), ("The image", "The path is ''"), _rgb)

        return label, check

    def bits(kind):
        whole = encoded(Image.effect_noise((64, 64), 80).convert("RGB"), kind)
        for label, raw in damaged(whole[:300], n, rng) if rng.random() < 0.5 else damaged(whole, n, rng):
            yield reading(f"{kind}: {label}", raw + whole[300:] if len(raw) <= 310 else raw)

    strange = [reading(label, cell) for label, cell in _strange(place)]
    yield from take(n, strange, *map(bits, KINDS))


def _rgb(image):
    assert image.mode == "RGB" and thumbnail(image)[:2] == b"\xff\xd8"
