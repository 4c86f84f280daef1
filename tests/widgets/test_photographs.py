"""Images outside the study: each is a sample of the view, kept in its state and in exported pages."""

import base64
import io
import json
import re

import datasets
import pytest
import traitlets
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit.data import read_image
from nbtoolkit.widgets import ConceptGallery, Explorer, SampleAttribution, payloads, photographs
from nbtoolkit.widgets.photographs import MAX_PHOTOS, checked
from nbtoolkit.widgets.study_picture import study_picture

from ..conftest import PHOTOS


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def text(data):
    return base64.b64encode(data).decode()


def colour(i=0, size=(40, 30), mode="RGB"):
    return Image.new(mode, size, (20 * i, 255 - 20 * i, 7) if mode == "RGB" else (0, 0, 0, 0))


@pytest.fixture(scope="module")
def dog(study):
    """An image to which the response contains the token."""
    return study.samples[0].image


@pytest.fixture(scope="module")
def bus():
    """An image to which the response lacks it."""
    test = nbt.load_data("toy", split="test", n=40)
    return read_image(next(p for p, c in zip(test["image"], test["captions"], strict=True) if "bus" in c[0]))


@pytest.fixture
def view(study, model, data):
    view = nbt.explore(study, model, data=data, layer=4)
    yield view
    view.close()


def ask(view, op, buffers=(), **args):
    """The reply to a request, and its buffers."""
    sent = []
    view.send = lambda content, buffers=None: sent.append((content, buffers))
    view._channel.receive(view, {"kind": "request", "id": 1, "op": op, "args": args}, list(buffers))
    if op in view._channel._slow:
        view._channel._pool.submit(lambda: None).result()
    replies = [(content, its) for content, its in sent if content["kind"] == "reply"]
    return replies[-1]


def test_an_image_by_its_path_is_a_sample(view, study, dog, tmp_path):
    (tmp_path / "mine.jpg").write_bytes(dog)
    session, asked = view._session, []
    respond = session.respond
    session.respond = lambda *question: asked.append(1) or respond(*question)
    result = view.explain(tmp_path / "mine.jpg")
    assert result["pieces"][1].strip() == study.token and len(result["activations"]) == 8
    (photo,) = view.photos
    assert view.sample == photo["id"] and photo["name"] == "mine.jpg" and photo["caption"] == ""
    again = [session.run("explain", {"at": layer}) for layer in (4, 3)]
    assert again[0] == result != again[1]
    view.explain(tmp_path / "mine.jpg")  # the same image twice is one
    assert len(view.photos) == 1
    before, shown = view.photos, view.sample
    with pytest.raises(nbt.NbtoolkitError, match=r"missing\.jpg"):
        view.explain(tmp_path / "missing.jpg")
    with pytest.raises(nbt.NbtoolkitError, match="explain needs a model"):
        nbt.explore(study).explain(tmp_path / "mine.jpg")
    assert (view.photos, view.sample) == (before, shown)
    assert len(asked) <= 2  # one response per image, not one per layer


def test_every_operation_takes_it(view, study, dog):
    view.explain(dog)
    for op, args in {
        "concept_maps": {"at": 4},
        "concepts_per_token": {"at": 4},
        "attribution": {"at": 4},
        "ablate": {"edits": [{"op": "ablate", "layer": 4, "concept": 0}], "at": 4},
    }.items():
        reply, _ = ask(view, op, sample=view.sample, **args)
        assert "error" not in reply and "data" in reply, (op, reply)
    reply, _ = ask(view, "layer_effects", samples=[view.sample, study.samples[1].id])
    assert reply["data"]["samples"] == [view.sample, study.samples[1].id]


def test_a_response_without_the_token_is_shown_with_its_image(view, study, bus, dog):
    with pytest.raises(nbt.errors.NothingFoundError, match=r"'dog' is in none of 1 responses.*bus.*caption="):
        view.explain(bus)
    sample = view.sample
    reply, (values,) = ask(view, "photograph", sample=sample, at=4)
    assert "bus" in reply["data"]["caption"] and reply["data"]["position"] is None and values == b""
    assert "error" not in ask(view, "concept_maps", sample=sample, at=4)[0]  # these need no token
    assert view.explain(bus, caption="a dog on a bus")["pieces"] == ["a ", "dog", " on a bus"]
    assert [photo["caption"] for photo in view.photos] == ["", "a dog on a bus"]
    reply, _ = ask(view, "caption_photo", sample=sample, caption="my dog")
    assert view.sample == reply["data"]["id"] != sample and len(view.photos) == 2
    reply, _ = ask(view, "ablate", sample=view.sample, edits=[], at=4)
    assert "bus" in " ".join(word for _, word in reply["data"]["difference"]), (
        "of the model's response, not of a person's"
    )


def test_the_state_and_an_exported_page_hold_it(view, study, model, dog, bus, tmp_path):
    view.explain(dog, name="mine.jpg")
    mine = view.sample
    with pytest.raises(nbt.NbtoolkitError):
        view.explain(bus, name="../bus.png")
    state = json.loads(json.dumps(view.state()))
    assert nbt.explore(study, model, **state).state() == state == nbt.explore(study, **state).state()
    assert [photo["name"] for photo in view.photos] == ["mine.jpg", "bus.png"]
    assert view.get_state("photos")["photos"] == [
        {"id": photo["id"], "name": photo["name"], "given": False} for photo in view.photos
    ]  # a long message would be dropped by hosts: a page requests the images one by one
    page = json.loads(
        re.search(r'id="data">(.*?)</script>', view.to_html(tmp_path / "x.html").read_text("utf-8"), re.DOTALL)[1]
    )
    assert "jpeg" not in page["state"]["photos"][0] and page["state"]["sample"] == view.sample
    own = page["data"]["photos"]
    assert set(own) == {photo["id"] for photo in view.photos} and set(own[mine]["layers"]) == set("12345")
    assert own[mine]["layers"]["4"]["pieces"][1] == "dog" and own[view.sample]["layers"]["4"]["position"] is None
    assert read_image(base64.b64decode(own[mine]["image"])).size == read_image(dog).size
    alone = nbt.explore(study, **state)  # without a model there is the image alone
    page = json.loads(
        re.search(r'id="data">(.*?)</script>', alone.to_html(tmp_path / "y.html").read_text("utf-8"), re.DOTALL)[1]
    )
    assert page["data"]["photos"][mine]["layers"] == {}


def test_the_picture_of_the_view_shows_it(view, study, dog, bus):
    result = view.explain(dog)
    picture = study_picture(view)
    assert picture.sample.id == view.sample and picture.sample.pieces[picture.sample.position] == "dog"
    assert picture.bars[0][1] == pytest.approx(max(result["activations"])) and picture.rest == result["unexplained"]
    with pytest.raises(nbt.NbtoolkitError):
        view.explain(bus)
    picture = study_picture(view)
    assert "bus" in picture.sample.caption and picture.bars == [] and view.snapshot()
    alone = study_picture(nbt.explore(study, **view.state()))
    assert alone.sample.id == view.sample and alone.bars == []


def test_maps_of_it_are_exported_too(view, dog, tmp_path, monkeypatch):
    view.explain(dog)
    monkeypatch.setattr(payloads, "exemplar_rows", lambda *_: [])  # these take long
    path = view.to_html(tmp_path / "maps.html", maps=True, progress=False)
    page = json.loads(re.search(r'id="data">(.*?)</script>', path.read_text("utf-8"), re.DOTALL)[1])
    for op in ("concept_maps", "concepts_per_token", "attribution"):
        assert f"4:{view.sample}" in page["data"]["results"][op]


def test_one_is_removed(view, study):
    with pytest.raises(nbt.NbtoolkitError, match="There is no image 'photo:1' outside the study; expected one of"):
        view.remove_photo("photo:1")
    ids = [view.add_photo(encoded(colour(i)), f"{i}.png") for i in range(3)]
    view.remove_photo(ids[2])
    assert view.sample == ids[1]
    view.sample = ids[0]
    view.remove_photo(ids[1])
    assert view.sample == ids[0]
    view.remove_photo(ids[0])
    assert view.sample == study.samples[0].id and view.photos == []
    view.sample = view.add_photo(encoded(colour()), "")
    view.photos = []
    assert view.sample == study.samples[0].id


def test_a_page_is_sent_the_image_before_it_is_selected(view, monkeypatch):
    """Hosts tell the view of the traits of one message in an order of their own."""
    sent = []
    monkeypatch.setattr(type(view), "send_state", lambda self, key=None: sent.append(key))
    view.add_photo(encoded(colour()), "a.png")
    assert sent == ["photos", "sample"]
    view.remove_photo(view.sample)
    assert sent == ["photos", "sample"] * 2


def test_views_share_it(study, model):
    one, other = nbt.explore(study, model), ConceptGallery(study)
    traitlets.link((one, "photos"), (other, "photos"))
    traitlets.link((one, "sample"), (other, "sample"))
    one.add_photo(encoded(colour()), "a.png")
    assert other.sample == one.sample and other.photos == one.photos


def test_a_page_adds_and_removes_one(view, study, tmp_path):
    turned = Image.new("RGB", (40, 20), "red")
    exif = Image.Exif()
    exif[0x0112] = 6
    reply, _ = ask(view, "add_photo", [encoded(turned, "JPEG", exif=exif) + b"trailing bytes"], name="C:\\a\\b.jpg")
    (photo,) = view.photos
    assert view.sample == reply["data"]["id"] == photo["id"] and photo["name"] == "b.jpg"
    jpeg = base64.b64decode(photo["jpeg"])
    assert b"trailing" not in jpeg and read_image(jpeg).size == (20, 40)  # upright, encoded again
    reply, (sent,) = ask(view, "photo", sample=photo["id"])
    assert reply["data"]["aspect"] == 0.5 and read_image(sent).size == (20, 40)
    for wrong, message in ([b"no image"], "The image cannot be read"), ([], "add_photo was given no image"):
        reply, _ = ask(view, "add_photo", wrong, name="notes.txt")
        assert message in reply["error"] and len(view.photos) == 1
    reply, _ = ask(view, "add_photo", [b""], name="x")
    assert "error" in reply
    assert "no image 'x' outside" in ask(view, "photo", sample="x")[0]["error"]
    ask(view, "remove_photo", sample=photo["id"])
    assert view.photos == [] and view.sample == study.samples[0].id
    bare = nbt.explore(study)
    assert "op is 'add_photo'" in ask(bare, "add_photo", [b""])[0]["error"]


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(encoded(colour(size=(1, 1))), id="one pixel"),
        pytest.param(encoded(colour(size=(3000, 2000)), "JPEG"), id="large"),
        pytest.param(encoded(colour(mode="RGBA", size=(40, 30))), id="transparent"),
        pytest.param(encoded(colour(), "GIF", save_all=True, append_images=[colour(5)]), id="animated"),
        pytest.param(encoded(colour(), "WEBP"), id="WebP"),
    ],
)
def test_whatever_the_image(view, image):
    view.sample = view.add_photo(image, "it")
    kept = read_image(base64.b64decode(view.photos[0]["jpeg"]))
    assert max(kept.size) <= 1024 and kept.mode == "RGB"
    reply, _ = ask(view, "photograph", sample=view.sample, at=4)
    assert reply["data"]["caption"]


WRONG = [
    ("x", "photos is a str; expected a list of at most 12 dicts."),
    ([{"jpeg": text(encoded(colour(i)))} for i in range(13)], "photos is 13 entries; expected a list of at most 12"),
    (["/etc/hostname"], r"photos\[0\] is str; expected a dict with 'jpeg'"),
    ([{"jpeg": "", "path": "/etc/hostname"}], r"photos\[0\] is \['jpeg', 'path'\]; expected"),
    ([{"jpeg": "not base64!"}], r"jpeg of photos\[0\] is not an image: it is no base64."),
    ([{"jpeg": text(b"no image")}], r"jpeg of photos\[0\] is not an image: The image cannot be read"),
    ([{"jpeg": text(encoded(colour())), "name": 3}], r"name of photos\[0\] is no text of at most 1,000 characters."),
    ([{"jpeg": text(encoded(colour())), "id": "photo:1"}], r"id of photos\[0\] is 'photo:1'; expected 'photo:\w{8}'"),
]


@pytest.mark.parametrize(("photos", "message"), WRONG)
def test_wrong_ones_are_refused(study, photos, message):
    with pytest.raises(nbt.NbtoolkitError, match=message):
        checked(photos)
    with pytest.raises(traitlets.TraitError):
        SampleAttribution(study, photos=photos)
    with pytest.raises(traitlets.TraitError, match="No sample 'photo:1' in this study"):
        Explorer(study, sample="photo:1")


def test_ids_are_those_of_no_sample_of_the_study():
    jpeg = encoded(colour(), "JPEG")
    short = photographs.number(jpeg)
    assert photographs.number(jpeg, taken={short}) == photographs.number(jpeg, taken={short, "x"}) != short
    assert photographs.photograph(jpeg, "a" * 200 + ".jpg")["name"].endswith("a.jpg")


def test_a_view_has_twelve_at_most(view):
    for i in range(MAX_PHOTOS):
        view.add_photo(encoded(colour(i)), f"{i}")
    with pytest.raises(nbt.NbtoolkitError, match="The view has 12 images outside the study. Remove one of them first."):
        view.add_photo(encoded(colour(0, (9, 9))), "one more")
    view.add_photo(encoded(colour(3)), "one of them")
    assert len(view.photos) == MAX_PHOTOS


@pytest.mark.skipif(not PHOTOS.exists(), reason="the real photographs are not here")
def test_real_photographs(view):
    row = datasets.load_dataset("parquet", data_files=str(PHOTOS), split="train")[0]
    sample = view.add_photo(encoded(read_image(row["image"]), "JPEG"), row["id"])
    reply, _ = ask(view, "photograph", sample=sample, at=4)
    assert reply["data"]["caption"] and "error" not in ask(view, "concept_maps", sample=sample, at=4)[0]
