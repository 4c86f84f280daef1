"""What leaves a notebook: pages and their languages, addresses, pictures, labels."""

import json
import re

import pytest

from nbtoolkit.widgets import DictionaryComparison, Explorer


def payload(path):
    return json.loads(re.search(r'id="data">(.*?)</script>', path.read_text("utf-8"), re.DOTALL)[1])


@pytest.mark.parametrize("view", [Explorer, DictionaryComparison])
def test_chinese_texts_come_by_request_and_are_in_every_page(study, tmp_path, view):
    w, sent = view(study), []
    w.send = lambda content, buffers=None: sent.append(content)
    w._channel.receive(w, {"kind": "request", "id": 1, "op": "texts"}, [])
    texts = sent[0]["data"]
    assert len(texts) > 200 and "回答" in texts.values()
    assert payload(w.to_html(tmp_path / "x.html"))["data"]["texts"] == texts
    assert "回答" not in w._esm and len(json.dumps(w._meta)) < 20_000
