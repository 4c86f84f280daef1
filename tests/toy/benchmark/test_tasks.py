"""Tasks: what is planted, and what no task can have."""

import pytest

from nbtoolkit.errors import MethodError
from nbtoolkit.toy.benchmark.tasks import EXTRA, TASKS, Task, check_tasks, quick_tasks


def test_the_default_tasks_have_every_planted_difficulty():
    assert {e for task in TASKS for e in task.extra} == set(EXTRA)
    assert {task.stream for task in TASKS} == {"plain", "rotated", "massive"}
    assert {task.n for task in TASKS} == {20, 75, 300} and {task.n_concepts for task in TASKS} == {5, 8, 20, 60}
    assert {task.split for task in TASKS} == {"test", "heldout"} and {task.world for task in TASKS} == {
        "first",
        "second",
    }
    assert any(t.label_noise for t in TASKS) and any(t.pixel_noise for t in TASKS) and any(t.distractor for t in TASKS)
    assert len(check_tasks(TASKS)) == len(TASKS) and [t.n for t in quick_tasks()] == [100, 100]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(n=1), "n of task 'x' is 1; expected at least 8 rows"),
        (dict(n_test=3), "n_test of task 'x' is 3"),
        (dict(n=20, n_concepts=21), "n_concepts of task 'x' is 21; expected 1 to n = 20"),
        (dict(model="llava"), "model of task 'x' is 'llava'; expected one of toy, toy-plain, toy-smollm2"),
        (dict(token="zebra"), "token of task 'x' is 'zebra'; expected one of dog, cat"),
        (dict(model="toy", token="bat"), "token of task 'x' is 'bat'"),
        (dict(split="train"), "split of task 'x' is 'train'; expected one of test, heldout, shifted"),
        (dict(stream="tilted"), "stream of task 'x' is 'tilted'"),
        (dict(extra=("speed",)), "extra of task 'x'"),
        (dict(label_noise=1.0), "label_noise 1.0"),
        (dict(model="toy", extra=("maps",)), "expected a captioner of the second world"),
    ],
)
def test_a_task_that_cannot_be_is_one_clear_error(settings, message):
    with pytest.raises(MethodError, match=message):
        Task("x", **settings)


def test_names_of_tasks_differ():
    with pytest.raises(MethodError, match="names that differ"):
        check_tasks([Task("a"), Task("a")])
    with pytest.raises(MethodError, match="at least one"):
        check_tasks([])
