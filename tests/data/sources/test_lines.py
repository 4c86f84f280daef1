"""Lines of listings: marks, separators and encodings, stray quotation marks, and what hostile lines are refused with."""

import json
import os

import pytest

import nbtoolkit as nbt
from nbtoolkit.data.sources import lines

ROW = {"file_name": "a.jpg", "caption": "a dog"}


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c", "\r", "\n"])
def test_only_a_newline_ends_a_line_of_json(folder, mark):
    rows = [ROW | {"caption": f"a dog{mark}in a park"}, ROW | {"file_name": "b.jpg"}]
    (folder / "captions.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    assert nbt.load_data(folder)["captions"][:] == [[f"a dog{mark}in a park"], ["a dog"]]


@pytest.mark.parametrize("name", ["captions.jsonl", "captions.csv", "captions.txt", "pairs.tsv"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_marks_and_ends_of_lines_are_no_part_of_a_text(folder, name, encoding, end):
    rows = [json.dumps(ROW), json.dumps(ROW | {"file_name": "b.jpg"}), ""]
    if name != "captions.jsonl":
        rows = ["file_name,caption", "a.jpg,a dog", "b.jpg,a dog", ""]
    (folder / name).write_bytes(end.join(rows).encode(encoding))
    data = nbt.load_data(folder / name)
    assert data["id"][:] == ["a.jpg", "b.jpg"] and data["captions"][:] == [["a dog"]] * 2


@pytest.mark.parametrize("name", ["captions.jsonl", "captions.csv"])
@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("cp1252", r"line 2 has the byte 0xe9 at \d+; expected UTF-8. Save the file as UTF-8, .*'cp1252'"),
        ("latin-1", "line 2 has the byte 0xe9"),
        ("utf-16", "line 1 begins as UTF-16 does; expected UTF-8. .*'utf-16'"),
    ],
)
def test_other_encodings_are_refused_with_the_line_and_advice(folder, name, encoding, message):
    rows = [json.dumps(ROW), json.dumps(ROW | {"caption": "un café"}, ensure_ascii=False)]
    if name == "captions.csv":
        rows = ["file_name,caption", "a.jpg,un café"]
    (folder / name).write_bytes("\n".join(rows).encode(encoding))
    with pytest.raises(nbt.errors.DataError, match=f"{name}, {message}"):
        nbt.load_data(folder)


@pytest.mark.parametrize(
    ("rows", "captions"),
    [
        (['a.jpg," A dog', "b.jpg,two cats", "c.jpg,a bus"], ['" A dog', "two cats", "a bus"]),
        (['a.jpg," A dog', 'b.jpg,a sign "stop"', "c.jpg,a bus"], ['" A dog', 'a sign "stop"', "a bus"]),
        (['a.jpg,"Big" dog', 'b.jpg,"a ""big"" dog, asleep"', "c.jpg,\"'\""], ['"Big" dog', 'a "big" dog, asleep', "'"]),
        (['a.jpg,"a dog', 'on two lines"', "b.jpg,a cat", 'c.jpg,"x"'], ["a dog\non two lines", "a cat", "x"]),
        (['a.jpg,"a dog', '', 'b, c"', 'b.jpg,"', 'c.jpg,"'], ["a dog\n\nb, c", '"', '"']),
        (['a.jpg,5" of snow', 'b.jpg,"', 'c.jpg,"x"'], ['5" of snow', '"', "x"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("mark", [",", "|", "\t"])
def test_a_stray_quotation_mark_costs_no_rows(folder, rows, captions, mark):
    rows = [f"image{mark}caption", *(row.replace(".jpg,", f".jpg{mark}") for row in rows)]
    (folder / "captions.csv").write_text("\n".join(rows), "utf-8")
    data = nbt.load_data(folder)
    assert data["id"][:] == ["a.jpg", "b.jpg", "c.jpg"] and [c for (c,) in data["captions"]] == captions


def test_old_line_ends_of_csv(folder):
    (folder / "captions.csv").write_bytes(b'image,caption\ra.jpg,a dog\rb.jpg,"a, b"\r')
    assert nbt.load_data(folder)["captions"][:] == [["a dog"], ["a, b"]]


HOSTILE = {
    '{"file_name": "a.jpg", "caption": NaN}': "NaN is no number of JSON",
    '{"file_name": "a.jpg", "caption": "x", "n": 1e999}': "beyond the range",
    '{"file_name": "a.jpg", "caption": "x", "caption": "y"}': "the key 'caption' appears twice",
    '{"file_name": "a.jpg", "caption": ' + "[" * 100 + "]" * 100 + "}": "nested deeper than 64",
    '{"file_name": "a.jpg", "caption": ' + "[" * 100_000: "not valid JSON",
    '[{"file_name": "a.jpg"}]': "is not a JSON object",
    "5": "is not a JSON object",
    '"a.jpg"': "is not a JSON object",
    '{"file_name": "a.jpg", "caption": "x"': "not valid JSON",
    '{"file_name": "a.jpg", "caption": 5}': "has the caption 5; expected a text",
    '{"file_name": "a.jpg", "caption": true}': "has the caption True; expected a text",
    '{"file_name": "a.jpg", "caption": [["a", "dog"]]}': "has the caption .*; expected a text",
    '{"file_name": "a.jpg", "caption": [1, 2]}': "has the caption 1; expected a text",
    '{"file_name": "a.jpg", "caption": {"x": "a dog"}}': r"a caption with the keys \['x'\]; expected a text, or a record",
    '{"file_name": "a.jpg", "caption": {"raw": 5}}': "has the caption 5; expected a text",
    '{"file_name": 5, "caption": "x"}': "the image is 5; expected a file name",
    '{"file_name": "", "caption": "x"}': "the image is ''; expected a file name",
    '{"file_name": {"path": "a.jpg"}, "caption": "x"}': "the image is {'path': 'a.jpg'}; expected a file name",
    '{"file_name": ["a.jpg", 5], "caption": "x"}': "the image is 5; expected a file name",
    '{"file_name": "a\\u0000.jpg", "caption": "x"}': "does not lie in the folder",
    '{"file_name": "../a.jpg", "caption": "x"}': "does not lie in the folder",
    '{"file_name": "..", "caption": "x"}': "does not lie in the folder",
    '{"file_name": "/etc/passwd", "caption": "x"}': "does not lie in the folder.*images='/'",
    '{"file_name": "out.jpg", "caption": "x"}': "does not lie in the folder",
    '{"file_name": "loop.jpg", "caption": "x"}': "does not lie in the folder",
    '{"file_name": "a.jpg", "caption": "x", "id": 1.5}': "has the id 1.5; expected a text or a whole number",
    '{"file_name": "a.jpg", "caption": "x", "id": [1]}': "has the id .1.; expected a text or a whole number",
    '{"file_name": "a.jpg", "caption": "x", "id": true}': "has the id True",
    '{"file_name": "a.jpg", "caption": "x", "id": ""}': "has the id ''",
}  # fmt: skip


@pytest.mark.parametrize("line", HOSTILE, ids=[f"{k}" for k in range(len(HOSTILE))])
def test_hostile_lines_of_json_are_one_error_with_the_line(folder, tmp_path_factory, line):
    outside = tmp_path_factory.mktemp("outside") / "b.jpg"
    outside.write_bytes((folder / "b.jpg").read_bytes())
    (folder / "out.jpg").symlink_to(outside)
    (folder / "loop.jpg").symlink_to(folder / "loop2.jpg")
    (folder / "loop2.jpg").symlink_to(outside.parent / "loop.jpg")
    (folder / "captions.jsonl").write_text(json.dumps(ROW) + "\n" + line, "utf-8")
    with pytest.raises(nbt.errors.DataError, match=f"captions.jsonl, line 2.*{HOSTILE[line]}"):
        nbt.load_data(folder)


def test_lone_surrogates_are_replacement_characters(folder):
    (folder / "captions.jsonl").write_text('{"file_name": "a.jpg", "caption": "a dog \\ud83d", "more": "\\udc00"}\n')
    data = nbt.load_data(folder)
    assert data["captions"][:] == [["a dog \ufffd"]] and data["more"][:] == ["\ufffd"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; expected one line per image"),
        ("\n \n", "is empty; expected one line per image"),
        ("image,caption", "is empty; expected one line per image"),
        ("image,caption\na.jpg", "line 2 has 1 fields; expected 2, as in the header"),
        ('image,caption\na.jpg,"a, dog', "line 2 has more than 2 fields; .* A quotation mark of the line is not closed"),
        ("image,caption,caption\na.jpg,a,b", "line 1 has the columns .*; expected a header with each name once"),
        ("image,label\na.jpg,a", r"line 2 has the columns \['image', 'label'\]; expected one for the captions"),
        ('image,caption\n"../b.jpg",a', "line 2: the image '../b.jpg' does not lie in the folder"),
        ('image,caption\n,a', "line 2: the image is ''; expected a file name"),
        ("\x00\x01\x02", "expected one for the image|is empty"),
        ("image,caption\na.jpg,\"" + "x\n" * 100 + '"', "line 3 has 1 fields"),
    ],
)  # fmt: skip
def test_hostile_csv_is_one_error_with_the_line(folder, text, message):
    (folder / "captions.csv").write_text(text, "utf-8")
    with pytest.raises(nbt.errors.DataError, match=message):
        nbt.load_data(folder)


@pytest.mark.parametrize("name", ["captions.jsonl", "captions.csv"])
def test_lines_and_files_are_bounded_and_regular(folder, tmp_path, name, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST", 100)
    (folder / name).write_text("x" * 200)
    with pytest.raises(nbt.errors.DataError, match="line 1 has more than 100 bytes"):
        nbt.load_data(folder)
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(nbt.errors.DataError, match=f"{name}' is a named pipe; expected a regular file"):
        nbt.load_data(folder / name)
    (folder / name).unlink()
    (folder / name).symlink_to("/dev/zero")
    with pytest.raises(nbt.errors.DataError, match=f"{name}' is a device; expected a regular file"):
        nbt.load_data(folder / name)
    with pytest.raises(nbt.errors.DataError, match="has no captions.jsonl"):
        nbt.load_data(folder)


def test_a_field_that_is_very_long_is_refused(folder):
    (folder / "captions.csv").write_text(f'image,caption\na.jpg,"{"x" * 200_000}, y"\n')
    with pytest.raises(nbt.errors.DataError, match="line 2 has a field of more than 131,072 characters"):
        nbt.load_data(folder)
