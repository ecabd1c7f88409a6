# SPDX-License-Identifier: Apache-2.0
"""The beginning of a live task: an index of what its intent states, and of what is known from before.

The index is in memory, with the task's single owner. Where it is lost (remit restarted, or evicted the task
for lack of room) and the task has made calls, their results are unknown: from then on, every value that is
not from the intent is unknown.
"""

from __future__ import annotations

from remit.core.flow.provenance import Index
from remit.core.tasks.task import Task


def begun(task: Task, key: bytes, *, calls: int, above: Index | None) -> Index:
    """Return the index of a task that is bound now, after `calls` calls; `above` is the index of its parent.

    Values that a parent met keep their provenance in the child.
    """
    index = above.child(key) if above is not None else Index(key)
    # The results of those calls are unknown here: a value may have occurred in them.
    index.full = calls > 0 or (above.full if above is not None else bool(task.parent))
    if not task.intent.requested_by.startswith("agent:"):
        # INVARIANT: an agent's own words are no intent, even where it opens its tasks by itself.
        index.state(task.intent.goal, task.intent.params)
    hear(index, task, 0)
    return index


def hear(index: Index, task: Task, heard: int) -> int:
    """Add the person's messages after the first `heard` ones; return the new count."""
    messages = task.intent.messages
    for message in messages[heard:]:
        index.state(message.text, {})
    return len(messages)
