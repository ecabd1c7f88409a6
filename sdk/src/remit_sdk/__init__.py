# SPDX-License-Identifier: Apache-2.0
"""The SDK that agents import. It depends on the protocol only, not on remit's services.

`remit_sdk.task` opens a task (`remit_sdk.task_loop`). Names are loaded when they are first used, so that a
program that needs one part does not wait for the others.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from remit_sdk.errors import CallFailed as Failed
    from remit_sdk.live_task import GuardedTask
    from remit_sdk.refusal import CallPermit
    from remit_sdk.refusal import CallRefused as Refused
    from remit_sdk.task_loop import BlockingTask, task

__version__ = "0.1.0"
__all__ = ["BlockingTask", "CallPermit", "Failed", "GuardedTask", "Refused", "task"]

_HOMES: Final = {
    "BlockingTask": "task_loop.BlockingTask",
    "CallPermit": "refusal.CallPermit",
    "Failed": "errors.CallFailed",
    "GuardedTask": "live_task.GuardedTask",
    "Refused": "refusal.CallRefused",
    "task": "task_loop.task",
}


def __getattr__(name: str) -> Any:
    """Return one of the names of `__all__`."""
    if name not in _HOMES:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    module, _, member = _HOMES[name].partition(".")
    return getattr(importlib.import_module(f"{__name__}.{module}"), member)
