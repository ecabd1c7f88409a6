# SPDX-License-Identifier: Apache-2.0
"""Floor 5: the only place that names adapters. Assembles one process from its configuration.

Names are looked up when they are used: a scan needs none of the adapters of a service.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from remit.compose.build import (
        built_policies,
        last_seen_tools,
        log_origin,
        policy_engine,
        policy_prover,
        surveying_engine,
    )
    from remit.compose.process import application, open_records, open_services

__all__ = [
    "application",
    "built_policies",
    "last_seen_tools",
    "log_origin",
    "open_records",
    "open_services",
    "policy_engine",
    "policy_prover",
    "surveying_engine",
]
_OF_PROCESS: Final = frozenset({"application", "open_records", "open_services"})


def __getattr__(name: str) -> object:
    """Return a name of this package's modules."""
    if name not in __all__:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    return getattr(import_module(f"{__name__}.{'process' if name in _OF_PROCESS else 'build'}"), name)
