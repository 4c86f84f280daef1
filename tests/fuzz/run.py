"""Attacks by name, and one run of an attack: what held, what failed, the worst time, the peak memory."""

import contextlib
import random
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nbtoolkit.errors import NbtoolkitError

SECONDS, MB = 10, 1000  # limits of one case, and of what an attack may add to the memory
Case = tuple[str, Callable[[], str]]  # what is tried, and the check that gives a word for what held
ATTACKS: dict[str, "Attack"] = {}


@dataclass(frozen=True)
class Attack:
    """Cases of one kind.

    Attributes
    ----------
    cases
        Called with a random generator, the number of cases and an empty folder; gives at most so many.
    sample, full
        Number of cases in the tests, and in the table.
    table
        1 for files, messages and texts; 2 for processes; 3 for bombs.
    """

    name: str
    cases: Callable[[random.Random, int, Path], Iterator[Case]]
    sample: int
    full: int
    table: int = 1
    seconds: int = SECONDS


@dataclass
class Result:
    """Outcome of an attack; ``how`` counts the words of what held."""

    name: str
    how: Counter = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    worst: float = 0.0
    mb: float = 0.0
    cpu: float = 0.0

    @property
    def held(self):
        return sum(self.how.values())

    @property
    def tried(self):
        return self.held + len(self.failures)


class Silent(AssertionError):
    """Something else came back than was written, without a word."""


def attack(name, sample, full, table=1, seconds=SECONDS):
    """Decorator that registers the cases of an attack."""

    def register(cases):
        ATTACKS[name] = Attack(name, cases, sample, full, table, seconds)
        return cases

    return register


def judged(read, names, same=None):
    """``"refused"`` for one error of ours that names a file, else what ``same`` makes of the value: ``"same"`` or ``"read"``.

    Parameters
    ----------
    read
        Reads what is attacked.
    names
        Texts of which an error has to have one.
    same
        Given the value: whether it is what was written, or None where anything of the right kind is right.
    """
    try:
        value = read()
    except NbtoolkitError as error:
        if not any(name in str(error) for name in names):
            raise AssertionError(f"the error names none of {names}: {error}") from error
        return "refused"
    verdict = None if same is None else same(value)
    if verdict is False:
        raise Silent("other content, without a word")
    return "same" if verdict else "read"


def run(one, n, seed, place):
    """Run an attack in an empty folder and give its :class:`Result`."""
    result, start = Result(one.name), time.process_time()
    with _peak() as peak:
        for label, check in one.cases(random.Random(f"{seed} {one.name}"), n, place):
            began = time.monotonic()
            try:
                with _limit(one.seconds):
                    result.how[check()] += 1
            except (Exception, SystemExit) as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                text = f"{label}: {type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
                result.failures.append(text[:600])
            result.worst = max(result.worst, time.monotonic() - began)
    result.mb, result.cpu = peak[0], time.process_time() - start
    if result.mb > MB:
        result.failures.append(f"{result.mb:.0f} MB of memory")
    return result


@contextlib.contextmanager
def _limit(seconds):
    """Raise TimeoutError in what takes longer, also where it waits for the system."""

    def stop(*_):
        raise TimeoutError(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _peak():
    """List that holds, after the block, the MB that it added at most; 0 where the system does not tell."""
    status, reset, peak = Path("/proc/self/status"), Path("/proc/self/clear_refs"), [0.0]

    def kb(name):
        return int(status.read_text().split(f"{name}:")[1].split()[0])

    try:
        reset.write_text("5")  # the largest size begins anew
        before = kb("VmRSS")
    except (OSError, IndexError):
        yield peak
        return
    yield peak
    peak[0] = max(0.0, (kb("VmHWM") - before) / 1024)


def table(results, cases=True):
    """The results as lines of Markdown."""
    lines = ["| attack | tried | held | failed | worst seconds | peak MB | CPU s |", "|---|---|---|---|---|---|---|"]
    for r in results:
        how = ", ".join(f"{n:,} {word}" for word, n in r.how.most_common())
        lines.append(
            f"| {r.name} | {r.tried:,} | {r.held:,}{f' ({how})' if how else ''} | {len(r.failures)} | {r.worst:.2f} | "
            f"{r.mb:.0f} | {r.cpu:.1f} |"
        )
    tried, held, failed = (sum(v) for v in zip(*((r.tried, r.held, len(r.failures)) for r in results), strict=True))
    lines.append(f"| all | {tried:,} | {held:,} | {failed} | {max(r.worst for r in results):.2f} | "
                 f"{max(r.mb for r in results):.0f} | {sum(r.cpu for r in results):.1f} |")  # fmt: skip
    return "\n".join(lines)
