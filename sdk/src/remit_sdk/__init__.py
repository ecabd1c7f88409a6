# SPDX-License-Identifier: Apache-2.0
"""The SDK that agents import. It depends on the protocol only, not on remit's services.

`remit_sdk.task` opens a task (`remit_sdk.task_loop`). Names are loaded when they are first used, so that a
program that needs one part does not wait for the others.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from remit_sdk.open_task import Task
    from remit_sdk.refusal import Permit, Refused
    from remit_sdk.task_loop import BlockingTask, task

__version__ = "0.1.0"
__all__ = ["BlockingTask", "Permit", "Refused", "Task", "task"]

_HOMES: Final = {
    "BlockingTask": "task_loop",
    "Permit": "refusal",
    "Refused": "refusal",
    "Task": "open_task",
    "task": "task_loop",
}


def __getattr__(name: str) -> Any:
    """Return one of the names of `__all__`."""
    if name not in _HOMES:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
