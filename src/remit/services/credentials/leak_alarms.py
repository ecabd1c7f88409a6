# SPDX-License-Identifier: Apache-2.0
"""Sinks that still take a dead credential: a standing finding for each, which resolves itself.

`lease.open` says once that a credential stayed open after an end. Here that becomes visible for as long as it
is so: a finding per credential, settled when its sink has refused it or somebody has closed it by hand, over
restarts of remit too.
"""

from __future__ import annotations

from remit.core.findings.finding import FindingKind, FindingState, finding_id
from remit.core.tasks.task import Task
from remit.ports.broker import UpstreamCredential
from remit.services.credentials.leases import Leases
from remit.services.findings.findings import Findings


def tell_of_leaks(leases: Leases, findings: Findings) -> None:
    """Make a finding of each credential that comes back in a result."""

    def leaked(upstream: str, task: Task, credential: UpstreamCredential) -> None:
        facts = {
            "how": "result",
            "lease": credential.lease,
            "task": task.id,
            "sink": credential.sink or upstream,
        }
        findings.notice(
            FindingKind.CREDENTIAL_LEAKED, f"upstream:{upstream}", credential.lease or "standing", facts
        )

    leases.on_leak(leaked)


class SinkAlarms:
    """Keeps the findings about open sinks as the leases are."""

    def __init__(self, *, leases: Leases, findings: Findings) -> None:
        """Take the parts; which findings are open is read at the first look."""
        self._leases = leases
        self._findings = findings
        self._open: dict[str, str] | None = None

    async def look(self) -> int:
        """Open a finding for each sink that stays open, and settle those of sinks that are dead; gives how
        many are open. For a background loop.
        """
        known = self._open if self._open is not None else await self._left()
        sinks = {one.lease: one for one in self._leases.open_sinks()}
        for lease, sink in sinks.items():
            if sink.alarmed and lease not in known:
                facts = {
                    "lease": lease,
                    "kind": sink.kind,
                    "sink": sink.sink,
                    "task": sink.task,
                    "why": sink.why,
                }
                found = await self._findings.see(
                    FindingKind.SINK_OPEN, f"upstream:{sink.upstream}", lease, facts
                )
                known[lease] = found.id
        settled = [one for one in known if one not in sinks]
        # INVARIANT: what is still kept is not dead, whoever looks after it.
        kept = await self._leases.kept() if settled else frozenset()
        for lease in [one for one in settled if one not in kept]:
            await self._findings.resolve(
                known[lease],
                by="remit",
                resolution="its sink refuses it now, or a person has closed it by hand",
            )
            del known[lease]
        self._open = known
        return len(known)

    async def _left(self) -> dict[str, str]:
        """Return the findings that a process before this one has left open, by lease."""
        found = await self._findings.about(state=FindingState.OPEN)
        return {
            str(one.facts.get("lease", "")): one.id
            for one in found
            if one.kind is FindingKind.SINK_OPEN
            and one.id == finding_id(one.kind, one.about, str(one.facts.get("lease", "")))
        }
