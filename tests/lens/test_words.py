"""Words by their first sub-token, with and without a space in front."""

from types import SimpleNamespace

from nbtoolkit.lens.words import watch
from nbtoolkit.text.tokens import Span

PIECES = ["a", " dog", "dog", " cat", "cat", " ", "gr", "ass", " gr"]


class Tokenizer:
    """The longest piece first, as byte-pair encodings without a prefix space have it."""

    unk_token_id = None

    def __call__(self, text, add_special_tokens):
        ids = []
        while text:
            piece = max((p for p in PIECES if text.startswith(p)), key=len)
            ids.append(PIECES.index(piece))
            text = text[len(piece) :]
        return {"input_ids": ids}

    def decode(self, ids):
        return "".join(PIECES[i] for i in ids)


def test_the_other_spelling_is_that_without_the_space():
    t = SimpleNamespace(word="dog", foil="cat", piece_ids=(1,), span=Span(1, 1, " ", "dog"),
                        quantity=SimpleNamespace(foil="cat", parting=((0, 3),)), model=SimpleNamespace(tokenizer=Tokenizer()))  # fmt: skip
    watched = watch(t, ["grass"])
    assert watched.words == ("dog", "cat", "grass") and watched.n_pieces == (1, 1, 2)
    assert watched.pieces == (" dog", " cat", " gr") and watched.other_pieces == ("dog", "cat", "gr")
    assert watched.ids == (1, 3, 8) and watched.other_ids == (2, 4, 6) and watched.note == ""
