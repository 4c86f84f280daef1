"""Whatever a page sends, a request gets one reply, and nothing is raised in the kernel."""

import sys
import threading
import time

import pytest

import nbtoolkit as nbt
from nbtoolkit.widgets.base import RESTORED_EVERY
from nbtoolkit.widgets.channel import QUEUE, Channel, Job, Reply
from nbtoolkit.widgets.refusals import MAX_TOGETHER, PER_SECOND, Later, Refusals

NAN = float("nan")
ABLATE = {"op": "ablate", "layers": [1]}


@pytest.fixture(scope="module")
def explorer(study, model):
    view = nbt.explore(study, model)
    yield view
    view.close()


def single(message):
    """Messages of one kind: of a message with many errors, each as a reply."""
    return [{"kind": "reply", **reply} for reply in message["replies"]] if message["kind"] == "replies" else [message]


def replies(view, message, buffers=(), n=1):
    """What the view sends for a message: ``n`` replies, and none after them."""
    sent = []
    view.send = lambda content, buffers=None: sent.extend(single(content))
    view._channel.receive(view, message, list(buffers))
    end = time.monotonic() + 20
    while len(sent) < n and time.monotonic() < end:
        view._channel._refusals.flush()
        time.sleep(0.005)
    while view._channel._jobs and time.monotonic() < end:
        time.sleep(0.005)
    assert len(sent) == n
    return sent


@pytest.mark.parametrize(
    "message",
    [
        *(None, [1], "x", {}, {"kind": ["cancel"], "id": [1]}, {"kind": "cancel", "id": NAN}),
        *({"kind": "request", "op": "ids", "id": number} for number in (None, "1", NAN, True, 2**53 + 1, [1])),
        {"kind": "request"},
    ],
)
def test_what_is_no_request_or_has_no_number_gets_no_reply(explorer, message):
    replies(explorer, message, n=0)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (
            {"id": 1},
            "op is of type NoneType; expected one of thumbs, sample, activations, layer, concepts, search, ids, map, lacking, concept_page, threads, matches",
        ),
        ({"id": 1, "op": ["ids"]}, "op is of type list; expected one of thumbs"),
        ({"id": 1, "op": "__init__"}, "op is '__init__'; expected one of thumbs"),
        ({"id": 1, "op": "ids", "args": [1]}, "args of ids is a list; expected names and values"),
        ({"id": 1, "op": "sample", "args": None}, "args of sample is a NoneType; expected names and values"),
    ],
)
def test_a_malformed_request_is_answered_with_the_reason(explorer, message, error):
    (reply,) = replies(explorer, {"kind": "request", **message})
    assert reply["kind"] == "reply" and error in reply["error"] and reply["id"] == 1


@pytest.mark.parametrize(
    ("op", "args", "error"),
    [
        ("ids", {"x": 1}, "ids has no argument 'x'; expected none"),
        ("thumbs", {"rows": [-1]}, "row is -1; expected 0 … 39"),
        ("thumbs", {"rows": [NAN]}, "An entry of rows is a float; expected an integer"),
        ("thumbs", {"rows": [0] * 65}, "rows has 65 entries; expected at most 64"),
        ("sample", {"row": -1}, "row is -1; expected 0 … 39"),
        ("sample", {"row": 40}, "row is 40; expected 0 … 39"),
        ("sample", {"row": True}, "row is a bool; expected an integer"),
        ("activations", {"layer": 4, "start": -1}, "start is -1; expected 0 … 39"),
        ("activations", {"layer": NAN}, "layer is a float; expected an integer"),
        ("layer", {"layer": "../4"}, "layer is a str; expected an integer"),
        ("layer", {}, "layer was given no layer"),
        ("ablate", {"sample": "SAMPLE", "edits": [ABLATE] * 10_000}, "edits has 10000 entries; expected at most 64"),
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
        explorer.send = lambda content, buffers=None: sent.extend(single(content))
        explorer._channel.receive(explorer, {"kind": "request", "id": 5, "op": "ids"}, [])
        explorer._channel._refusals.flush()
    finally:
        del explorer._channel._jobs[5]
    assert "id is 5; expected one that no running request has" in sent[0]["error"]


def test_a_reply_that_cannot_be_sent_is_replaced_by_the_reason(explorer):
    sent = []

    def send(content, buffers=None):
        if "data" in content:
            raise ValueError("Out of range float values are not JSON compliant")
        sent.extend(single(content))

    explorer.send = send
    explorer._channel.receive(explorer, {"kind": "request", "id": 6, "op": "ids"}, [])
    explorer._channel._refusals.flush()
    assert sent == [{"kind": "reply", "id": 6, "error": "ValueError: Out of range float values are not JSON compliant"}]


def test_a_closed_view_says_so(study):
    view = nbt.explore(study)
    view.close()
    (reply,) = replies(view, {"kind": "request", "id": 1, "op": "ids"})
    assert reply["error"] == "NbtoolkitError: The view is closed. Run the cell again."


class Gate:
    """A channel whose only slow operation waits until it is released, and what it sends."""

    def __init__(self):
        self.sent, self.ran, self.entered, self.released = [], [], threading.Event(), threading.Event()
        self.channel = Channel(lambda content, buffers=None: self.sent.extend(single(content)), {}, {"wait": self.wait})

    def wait(self, job: Job, value: int) -> Reply:
        self.entered.set()
        self.released.wait(20)
        self.ran.append(value)
        return {"value": value}, []

    def request(self, number):
        message = {"kind": "request", "id": number, "op": "wait", "args": {"value": number}}
        self.channel.receive(None, message, [])

    def settle(self):
        self.released.set()
        end = time.monotonic() + 20
        while self.channel._jobs and time.monotonic() < end:
            time.sleep(0.005)


def test_of_many_slow_requests_the_newest_are_answered_and_every_other_gets_the_reason():
    gate = Gate()
    gate.request(0)
    assert gate.entered.wait(20)
    for number in range(1, 10_000):
        gate.request(number)
    assert len(gate.channel._waiting) == QUEUE and len(gate.channel._jobs) == QUEUE + 1
    gate.settle()
    gate.channel._refusals.flush()
    assert gate.ran == [0, *range(10_000 - QUEUE, 10_000)]
    assert sorted(reply["id"] for reply in gate.sent) == list(range(10_000))
    displaced = {reply["error"] for reply in gate.sent if "error" in reply}
    assert displaced == {"Cancelled: Cancelled: 64 newer requests wait."}
    gate.channel.close()


def test_a_view_closes_while_requests_arrive_run_and_wait():
    for _ in range(30):
        gate, start = Gate(), threading.Barrier(3)

        def flood(first, gate=gate, start=start):
            start.wait()
            for number in range(first, first + 500):
                gate.request(number)

        threads = [threading.Thread(target=flood, args=(first,)) for first in (0, 1000)]
        for thread in threads:
            thread.start()
        start.wait()
        gate.channel.close()  # raises nothing
        for thread in threads:
            thread.join()
        assert not gate.channel._waiting
        gate.settle()
        assert not gate.channel._jobs and len(gate.ran) <= 1


def test_a_view_with_requests_that_wait_is_closed_30_times(study, model):
    for _ in range(30):
        view, sample = nbt.explore(study, model), study.samples[0].id
        entered, released = threading.Event(), threading.Event()

        def waits(job, *, sample, at, entered=entered, released=released):
            entered.set()
            released.wait(20)
            return {}, []

        view._channel._slow["attribution"] = waits
        for number in range(200):
            message = {"kind": "request", "id": number, "op": "attribution", "args": {"sample": sample, "at": 4}}
            view._channel.receive(view, message, [])
        assert entered.wait(20) and len(view._channel._jobs) in (QUEUE, QUEUE + 1)  # one runs, or is about to
        view.close()  # raises nothing
        assert view.comm is None and not view._channel._waiting and not view._meta
        assert all(job.cancel.is_set() for job in view._channel._jobs.values())
        released.set()


@pytest.mark.parametrize("name", ["ablate", "layer_effects", "attribution", "explain", "extend", "concept_maps"])
def test_a_slow_request_that_does_not_fit_is_refused_before_it_waits(explorer, name):
    sent = []
    explorer.send = lambda content, buffers=None: sent.extend(single(content))
    args = {"at": "/etc/passwd", "layers": "x", "samples": 1, "sample": {}}
    explorer._channel.receive(explorer, {"kind": "request", "id": 8, "op": name, "args": args}, [])
    explorer._channel._refusals.flush()
    assert sent and sent[0]["error"].startswith("NbtoolkitError: ") and not explorer._channel._jobs


def test_every_request_gets_its_error_and_10_000_errors_are_few_messages(study):
    view, messages = nbt.explore(study), []
    view.send = lambda content, buffers=None: messages.append(content)
    for number in range(10_000):
        view._channel.receive(view, {"kind": "request", "id": number, "op": "sample", "args": {"row": -1 - number}}, [])
    view._channel.receive(view, {"kind": "request", "id": 2**40, "op": "ids"}, [])
    assert messages[-1]["id"] == 2**40 and "data" in messages[-1], "a request that is right waits for nothing"
    view._channel._refusals.flush()
    alone = [message for message in messages if message["kind"] == "reply" and "error" in message]
    assert [message["id"] for message in alone[:PER_SECOND]] == list(range(PER_SECOND)), "a few errors come at once"
    assert len(messages) < 1000, "a front end drops what exceeds 1,000 messages per second"
    errors = {reply["id"]: reply["error"] for message in messages for reply in single(message) if "error" in reply}
    assert errors == {i: f"NbtoolkitError: row is {-1 - i}; expected 0 … 39." for i in range(10_000)}
    view.close()


def test_errors_that_wait_come_by_themselves_and_at_the_latest_as_the_view_closes():
    messages = []
    refusals = Refusals(messages.append)
    for number in range(PER_SECOND + 2):
        refusals.add(number, "x" * 1000)
    end = time.monotonic() + 20
    while messages[-1]["kind"] == "reply" and time.monotonic() < end:
        time.sleep(0.005)
    assert messages[PER_SECOND:] == [
        {"kind": "replies", "replies": [{"id": PER_SECOND + i, "error": "x" * MAX_TOGETHER} for i in (0, 1)]}
    ]
    refusals._second, refusals._count = time.monotonic() + 60, PER_SECOND
    refusals.add(99, "y")
    refusals.close()
    assert messages[-1] == {"kind": "replies", "replies": [{"id": 99, "error": "y"}]}


def test_a_thread_that_cannot_send_is_silent(caplog, capsys):
    done = threading.Event()

    def fails():
        done.set()
        raise OSError("the page is gone")

    later = Later(0.01, fails)
    later.start()
    assert done.wait(20)
    later.close()
    later.start()
    assert later._closed and not caplog.records and capsys.readouterr() == ("", "")


PATHS = ["/etc/hostname", "mine.jpg", {"path": "mine.jpg"}, {"bytes": "mine.jpg"}, ["mine.jpg"], "file:///etc/hostname"]


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_no_message_names_a_file_that_is_opened(explorer, study, path):
    opened = []
    spy = Spy(opened)
    sample = study.samples[0].id
    with spy:
        for name in [*explorer._channel._quick, *explorer._channel._slow]:
            for args in ({"at": 4, "image": path}, {"at": 4, "sample": path}, {"sample": sample, "at": path},
                         {"rows": path}, {"row": path}, {"layer": path}, {"layers": path}, {"samples": path},
                         {"samples": [path]}, {"layer": 4, "query": path}, {"layer": 4, "numbers": path}):  # fmt: skip
                (reply,) = replies(explorer, {"kind": "request", "id": 9, "op": name, "args": args})
                assert "error" in reply or name == "search"
        explorer._handle_msg(update(sample=path, photos=path, labels=path))
    assert opened == [] and explorer.photos == []


class Spy:
    """Context that notes every file that Python opens with one of the names of ``PATHS``."""

    active = None

    def __init__(self, opened):
        self.opened = opened

    def __enter__(self):
        if not hasattr(Spy, "hooked"):
            Spy.hooked = True
            sys.addaudithook(Spy.hook)
        Spy.active = self

    def __exit__(self, *_):
        Spy.active = None

    @staticmethod
    def hook(event, args):
        if Spy.active is not None and event in ("open", "os.stat") and str(args[0]).endswith(("hostname", "mine.jpg")):
            Spy.active.opened.append(args[0])


def update(**state):
    """A message in which a page writes traits."""
    return {"content": {"data": {"method": "update", "state": state}}, "buffers": []}


def malformed(n):
    """Messages as no page of ours sends them: every kind of value at every place."""
    odd = [None, True, -1, 2**70, NAN, "", "x" * 2000, "\ud800", [], [[[]]], {}, {"a": {}}, [NAN], [-1] * 65]
    ops = [
        "thumbs",
        "sample",
        "activations",
        "layer",
        "concepts",
        "search",
        "ids",
        "ablate",
        "explain",
        "extend",
        "__init__",
    ]
    names = ["rows", "row", "layer", "numbers", "query", "at", "sample", "samples", "image", "edits", "session", "x"]
    for i in range(n):
        value, other = odd[i % len(odd)], odd[(i // len(odd)) % len(odd)]
        content = [
            {"kind": "request", "id": i, "op": ops[i % len(ops)], "args": {names[i % len(names)]: value}},
            {"kind": "request", "id": value, "op": other, "args": value},
            {"kind": "request", "id": i, "op": value, "args": other},
            {"kind": value, "id": other},
            value,
        ][i % 5]
        yield [
            {"content": {"data": {"method": "custom", "content": content}}, "buffers": []},
            {"content": {"data": {"method": "update", "state": {"steps": value, "concept": -1 if other is None else other, "_meta": value}}}, "buffers": []},
            {"content": {"data": {"method": "update", "state": value, "buffer_paths": other}}, "buffers": [b"x"]},
            {"content": {"data": {"method": value, "state": other}}, "buffers": []},
            {"content": {"data": value}, "buffers": []},
        ][(0, 0, 0, 0, 1, 1, 2, 3, 4)[i % 9]]  # fmt: skip


def test_10_000_malformed_messages_take_less_than_5_seconds_and_no_traceback(study, model, caplog, capsys):
    view = nbt.explore(study, model)
    before = view.state(), view._meta, view._esm, view._css, view._kind
    sent = []
    view._send = lambda message, buffers=None: sent.append(message)
    messages, start = [*malformed(10_000)], time.process_time()
    for message in messages:
        view._handle_msg(message)
    (reply,) = replies(view, {"kind": "request", "id": 2**40, "op": "ids"})
    assert time.process_time() - start < 5 and len(reply["data"]["ids"]) == 40
    assert (view.state(), view._meta, view._esm, view._css, view._kind) == before
    assert not [record for record in caplog.records if record.exc_info] and len(caplog.records) < 10
    assert capsys.readouterr() == ("", "")
    view.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [("pinned", [NAN]), ("pinned", b"x"), ("labels", {"4:0": b"x"}), ("_kind", "x"), ("_meta", {}),
     ("_esm", "alert(1)"), ("_css", "*{}"), ("photos", [{"jpeg": ""}]), ("steps", [{}]),
     ("_view_module", "x"), ("_model_name", "x"), ("layer", NAN), ("token", -1), ("query", "x" * 201),
     ("step", 99), ("step", -5), ("concept", True), ("overlay", "\ud800"), ("layer", 99), ("layer", "../4"), ("concept", -1), ("sample", "../x"),
     ("metric", "x"), ("labels", {"4:0": 1}),
     ("labels", {"4:0": "x" * 10**7}), ("pinned", [1]), ("pinned", ["4:0"] * 10**6), ("tab", "x"), ("edits", [{"op": "x"}]),
     ("map_window", [10**400, 0, 1, 1]), ("edits", [{"op": "steer", "layer": 4, "word": "a", "strength": 10**400}])],
)  # fmt: skip
def test_a_trait_that_a_page_may_not_write_is_restored(study, caplog, capsys, name, value):
    view = nbt.explore(study)
    before, sent = getattr(view, name), []
    view._send = lambda message, buffers=None: sent.append(message)
    view._handle_msg(update(**{name: value}))
    assert getattr(view, name) == before
    assert any(m["method"] == "update" and name in m["state"] for m in sent), "the page has another value"
    assert any(
        m["method"] == "custom" and m["content"]["kind"] == "failure" and name in m["content"]["text"] for m in sent
    )
    assert not caplog.records and capsys.readouterr() == ("", "")


def test_a_value_that_is_refused_reaches_no_other_page(study):
    view, sent = nbt.explore(study), []
    view._send = lambda message, buffers=None: sent.append(message)
    layer, view._restored = view.layer, {}
    for value in (99, "../4", True, NAN, None):
        view._handle_msg(update(layer=value))
    states = [message["state"] for message in sent if message["method"] in ("update", "echo_update")]
    assert states and all(state == {"layer": layer} for state in states)
    assert [message["method"] for message in sent].count("echo_update") == 1, "the echo for which a page waits"
    view._handle_msg(update(layer=2))
    assert {"method": "echo_update", "state": {"layer": 2}, "buffer_paths": []} in sent
    view.close()


def test_a_trait_that_is_written_again_within_a_second_is_restored_after_it(study):
    view, sent = nbt.explore(study), []
    view._send = lambda message, buffers=None: sent.append(message)
    view._handle_msg(update(step=99))
    now = len(sent)
    for _ in range(100):
        view._handle_msg(update(step=99))
    assert len(sent) == now
    end = time.monotonic() + RESTORED_EVERY + 20
    while len(sent) == now and time.monotonic() < end:
        time.sleep(0.01)
    assert [message["state"] for message in sent[now:]] == [{"step": 0}]
    view.close()


def test_what_a_page_may_write_arrives(study):
    view = nbt.explore(study)
    view._handle_msg(update(layer=2, concept=3, labels={"2:3": "mine"}, pinned=["2:3"]))
    assert (view.layer, view.concept, view.labels, view.pinned) == (2, 3, {"2:3": "mine"}, ["2:3"])
    view._handle_msg(update(labels={"2:3": "a \ud800"}, concept=None))  # as a page that was typed in may send it
    assert (view.labels, view.concept) == ({"2:3": "a \ufffd"}, None)


def test_an_observer_that_raises_is_a_traceback_and_a_sentence_in_the_page(study):
    view, sent = nbt.explore(study), []
    view.observe(lambda change: 1 / 0, "concept")
    view.send = lambda content, buffers=None: sent.append(content)
    with pytest.raises(ZeroDivisionError):
        view.set_state({"concept": 3})
    assert sent == [{"kind": "failure", "text": "ZeroDivisionError: division by zero"}]
