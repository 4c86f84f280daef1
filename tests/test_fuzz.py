"""A sample of every attack, and the long run where the environment asks for it; ``python -m tests.fuzz`` prints the table."""

import logging
import os
import tempfile
from pathlib import Path

import datasets
import pytest

from .fuzz import attacks, mutate
from .fuzz.run import Attack, Silent, judged, run, table
from .fuzz.studies import small

ATTACKS = attacks.ATTACKS
LONG = os.environ.get("NBTOOLKIT_FUZZ", "")


@pytest.fixture(scope="module", autouse=True)
def _quiet(model):
    """Without log records of refused messages and bars of small files."""
    logger, level = logging.getLogger("nbtoolkit"), logging.getLogger("nbtoolkit").level
    logger.setLevel(logging.CRITICAL + 1)
    datasets.disable_progress_bars()
    attacks.prepare()
    yield
    datasets.enable_progress_bars()
    logger.setLevel(level)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:  # pytest's folders are closed to other users
        Path(folder).chmod(0o755)  # who look at a read-only disk
        yield Path(folder)


def tried(one, n, seed, place):
    result = run(one, n, seed, place)
    assert result.tried and not result.failures, f"{len(result.failures)} failed: {result.failures[:5]}"
    return result


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name, one in ATTACKS.items() if one.sample])
def test_a_sample_of_the_attack_holds(name, place):
    tried(ATTACKS[name], ATTACKS[name].sample, 0, place)


@pytest.mark.slow
@pytest.mark.parametrize("name", attacks.bombs.BOMBS)
def test_a_bomb_takes_less_than_a_gigabyte_and_ten_seconds(name, place):
    tried(ATTACKS[name], 1, 0, place)


@pytest.mark.fuzz
@pytest.mark.skipif(not LONG.isdigit(), reason="long: set NBTOOLKIT_FUZZ to a seed, or run python -m tests.fuzz")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", list(ATTACKS))
def test_the_whole_attack_holds(name, place):
    tried(ATTACKS[name], ATTACKS[name].full, int(LONG or 0), place)


# --- the judge -------------------------------------------------------------------------------------------


def outcome_of(check, place, seconds=10):
    """Result of an attack of one case."""
    return run(Attack("x", lambda rng, n, place: iter([("case", check)]), 1, 1, seconds=seconds), 1, 0, place)


def test_every_kind_of_failure_is_counted(place):
    """Another exception, other content, an error without a name, a pipe that waits, memory."""
    study = small()
    path = study.save(place / "dog.study")
    whole = (path / "states.safetensors").read_bytes()

    def other_exception():
        return judged(lambda: [][0], ["x"])

    def silent():
        return judged(lambda: 5, ["x"], lambda value: value == 4)

    def nameless():
        def read():
            raise attacks.studies.StudyError("It is damaged.")

        return judged(read, ["dog.study"])

    def waits():
        os.mkfifo(place / "pipe")
        (place / "pipe").open("rb").close()
        return "read"

    def large():
        return "read" if b"x" * 1_200_000_000 else ""

    for check, text in (
        (other_exception, "IndexError"),
        (silent, "Silent"),
        (nameless, "names none of"),
        (waits, "TimeoutError"),
    ):
        result = outcome_of(check, place, 0.5)
        assert result.held == 0 and result.tried == 1 and text in result.failures[0], result
    result = outcome_of(large, place)
    assert result.held == 1 and (not result.mb or "MB of memory" in result.failures[0])
    assert "| x | 2 | 1 (1 read) | 1 |" in table([result]) or not result.mb
    (path / "states.safetensors").write_bytes(whole[:-4] + b"\0\0\0\0")
    attacks.studies.rehash(path)
    with pytest.raises(Silent):
        attacks.studies.outcome(path, attacks.studies.content(study))


def test_changes_are_those_of_the_seed_and_cover_every_place():
    value = {"a": [1, {"b": "x"}], "c": None}
    assert len([*mutate.paths(value)]) == 6 and len([*mutate.flips(b"ab")]) == 16
    import random

    one, again = ([*mutate.texts(value, 50, random.Random(3))] for _ in range(2))
    assert one == again and len({text for _, text in one}) > 45
    labels = [label for label, _ in mutate.texts(value, 10**6, random.Random(0))]
    assert {label.split(" is ")[0] for label in labels} == {str(path) for path in mutate.paths(value)}
    assert [*mutate.take(4, "abc", "x")] == ["a", "x", "b", "c"]
