# SPDX-License-Identifier: Apache-2.0
"""What a live task begins with: an index of what its intent states, and what is known of the time before.

The index lives in memory, with its task's one owner. Where it is lost (remit was started again, or the task
was forgotten for want of room) and the task has made calls, nothing can be told of what these brought:
whatever is not of the intent is unknown from then on.
"""

from __future__ import annotations

from remit.core.flow.provenance import Index
from remit.core.tasks.task import Task


def begun(task: Task, key: bytes, *, calls: int, above: Index | None) -> Index:
    """Return the index of a task that is bound now, after `calls` calls; `above` is that of its parent.

    Values that a parent met keep in its child the provenance that they had there.
    """
    index = above.child(key) if above is not None else Index(key)
    # What those calls brought is not known here: a value that is met again may have stood there.
    index.full = calls > 0 or (above.full if above is not None else bool(task.parent))
    if not task.intent.requested_by.startswith("agent:"):
        # INVARIANT: an agent's own words are no intent, even where it opens its tasks by itself.
        index.state(task.intent.goal, task.intent.params)
    hear(index, task, 0)
    return index


def hear(index: Index, task: Task, heard: int) -> int:
    """Take in what the person behind the task has said after the first `heard` turns; gives the new count."""
    turns = task.intent.turns
    for turn in turns[heard:]:
        index.state(turn.text, {})
    return len(turns)
