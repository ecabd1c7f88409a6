# SPDX-License-Identifier: Apache-2.0
"""Traces of calls, for people who look for what takes time. They are no evidence, and may be lost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, Protocol


class TracedStep(NamedTuple):
    """One step of a call: its name, and when it was first begun and last ended."""

    name: str
    began: datetime
    ended: datetime


class CallTrace(Protocol):
    """The trace of one call under way."""

    @property
    def traceparent(self) -> str:
        """What the upstream is told: the W3C `traceparent` of this call's own span."""
        ...

    def ended(self, at: datetime, steps: list[TracedStep], facts: Mapping[str, str], fault: str = "") -> None:
        """Hand the trace over; `facts` are names and outcomes, never the value of an argument.

        `fault` is the code of the error that ended the call. Does not wait and never raises.
        """
        ...


class Tracer(Protocol):
    """Makes traces, and sends them on its own thread. For one event loop."""

    def begin(self, name: str, traceparent: str, at: datetime) -> CallTrace:
        """Begin the trace of a call, below the caller's `traceparent`, or as a trace of its own without one.

        Never raises.
        """
        ...

    async def close(self) -> None:
        """Send what is left, for a few seconds at most."""
        ...
