"""Whatever a page sends, a request gets one reply, and nothing is raised in the kernel."""

import time

import pytest

import nbtoolkit as nbt

NAN = float("nan")
ABLATE = {"op": "ablate", "layers": [1]}


@pytest.fixture(scope="module")
def explorer(study, model):
    view = nbt.explore(study, model)
    yield view
    view.close()


def replies(view, message, buffers=(), n=1):
    """What the view sends for a message: ``n`` replies, and none after them."""
    sent = []
    view.send = lambda content, buffers=None: sent.append(content)
    view._channel.receive(view, message, list(buffers))
    end = time.monotonic() + 20
    while len(sent) < n and time.monotonic() < end:
        time.sleep(0.005)
    while view._channel._jobs and time.monotonic() < end:
        time.sleep(0.005)
    assert len(sent) == n
    return sent


@pytest.mark.parametrize(
    "message", [None, [1], "x", {}, {"kind": ["cancel"], "id": [1]}, {"kind": "cancel", "id": NAN}]
)
def test_what_is_no_request_gets_no_reply(explorer, message):
    replies(explorer, message, n=0)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({}, "id of a request is of type NoneType; expected an integer"),
        ({"id": "1", "op": "ids"}, "id of a request is of type str; expected an integer"),
        ({"id": NAN, "op": "ids"}, "id of a request is of type float; expected an integer"),
        (
            {"id": 1},
            "op is of type NoneType; expected one of thumbs, sample, activations, layer, concepts, search, ids, concept_maps",
        ),
        ({"id": 1, "op": ["ids"]}, "op is of type list; expected one of thumbs"),
        ({"id": 1, "op": "__init__"}, "op is '__init__'; expected one of thumbs"),
        ({"id": 1, "op": "ids", "args": [1]}, "args of ids is a list; expected names and values"),
        ({"id": 1, "op": "sample", "args": None}, "args of sample is a NoneType; expected names and values"),
    ],
)
def test_a_malformed_request_is_answered_with_the_reason(explorer, message, error):
    (reply,) = replies(explorer, {"kind": "request", **message})
    assert reply["kind"] == "reply" and error in reply["error"]
    assert reply["id"] == (1 if message.get("id") == 1 else None)


@pytest.mark.parametrize(
    ("op", "args", "error"),
    [
        ("ids", {"x": 1}, "ids has no argument 'x'; expected none"),
        ("thumbs", {"rows": [-1]}, "row is -1; expected 0 … 39"),
        ("thumbs", {"rows": [NAN]}, "An entry of rows is a float; expected an integer"),
        ("thumbs", {"rows": [0] * 501}, "rows has 501 entries; expected at most 500"),
        ("sample", {"row": -1}, "row is -1; expected 0 … 39"),
        ("sample", {"row": 40}, "row is 40; expected 0 … 39"),
        ("sample", {"row": True}, "row is a bool; expected an integer"),
        ("activations", {"layer": 4, "start": -1}, "start is -1; expected 0 … 39"),
        ("activations", {"layer": NAN}, "layer is a float; expected an integer"),
        ("layer", {"layer": "../4"}, "layer is a str; expected an integer"),
        ("layer", {}, "layer was given no layer"),
        ("ablate", {"sample": "SAMPLE", "edits": [ABLATE] * 10_000}, "edits is 10000 entries; expected a list of at most 32"),
        ("ablate", {"sample": "SAMPLE", "edits": "x" * 10**6}, "edits is a str; expected a list"),
        ("ablate", {"sample": "SAMPLE", "edits": [{**ABLATE, "layers": [NAN]}]}, "layers of edits[0] is [nan]; expected integers of"),
        ("ablate", {"sample": "SAMPLE", "edits": [{"op": "ablate", "layer": 4, "concept": -1}]}, "concept of edits[0] is -1; expected 0 … 7"),
        ("ablate", {"sample": "SAMPLE", "at": NAN}, "at is a float; expected an integer"),
        ("ablate", {"sample": "SAMPLE", "session": 1}, "ablate has no argument 'session'; expected sample, edits, at"),
        ("ablate", {"sample": -1}, "sample is an int; expected a text"),
        ("ablate", {"sample": ["SAMPLE"]}, "sample is a list; expected a text"),
        ("layer_effects", {"samples": ["SAMPLE"] * 41}, "samples has 41 entries; expected at most 40"),
        ("layer_effects", {"samples": ["SAMPLE"], "part": "x"}, "part is 'x'; expected one of 'block', 'attention', 'mlp'"),
        ("explain", {"at": 4, "image": "/etc/hostname"}, "image is a str; expected the bytes of a JPEG or PNG"),
        ("explain", {"at": 4}, "image is a NoneType; expected the bytes of a JPEG or PNG"),
        ("concepts_per_token", {"sample": "../a", "at": 4}, "No sample '../a' in this study"),
        ("attribution", {"sample": "SAMPLE", "at": 99}, "layer is 99; expected one of the layers"),
        ("extend", {"layers": ["/etc"]}, "An entry of layers is a str; expected an integer"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_answered_with_the_reason(explorer, study, op, args, error):
    sample = study.samples[0].id
    args = {k: [sample if x == "SAMPLE" else x for x in v] if k == "samples" else v for k, v in args.items()}
    args = {k: sample if v == "SAMPLE" else v for k, v in args.items()}
    (reply,) = replies(explorer, {"kind": "request", "id": 2, "op": op, "args": args})
    assert reply["id"] == 2 and error in reply["error"] and len(reply["error"]) <= 1000


def test_bytes_reach_only_operations_that_take_an_image(explorer):
    (reply,) = replies(explorer, {"kind": "request", "id": 3, "op": "ids", "args": {}}, [b"x"])
    assert "ids has no argument 'image'; expected none" in reply["error"]
    (reply,) = replies(explorer, {"kind": "request", "id": 4, "op": "explain", "args": {"at": 4}}, [b"\xff" * 10**6])
    assert reply["error"].startswith("DataError: The image cannot be read")


def test_a_running_request_has_its_number_for_itself(explorer, study):
    explorer._channel._jobs[5] = object()
    try:
        sent = []
        explorer.send = lambda content, buffers=None: sent.append(content)
        explorer._channel.receive(explorer, {"kind": "request", "id": 5, "op": "ids"}, [])
    finally:
        del explorer._channel._jobs[5]
    assert "id is 5; expected one that no running request has" in sent[0]["error"]


def test_a_reply_that_cannot_be_sent_is_replaced_by_the_reason(explorer):
    sent = []

    def send(content, buffers=None):
        if "data" in content:
            raise ValueError("Out of range float values are not JSON compliant")
        sent.append(content)

    explorer.send = send
    explorer._channel.receive(explorer, {"kind": "request", "id": 6, "op": "ids"}, [])
    assert sent == [{"kind": "reply", "id": 6, "error": "ValueError: Out of range float values are not JSON compliant"}]


def test_a_closed_view_says_so(study):
    view = nbt.explore(study)
    view.close()
    (reply,) = replies(view, {"kind": "request", "id": 1, "op": "ids"})
    assert reply["error"] == "NbtoolkitError: The view is closed. Run the cell again."
