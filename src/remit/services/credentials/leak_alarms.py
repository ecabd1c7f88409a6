# SPDX-License-Identifier: Apache-2.0
"""Sinks that still accept a revoked credential: a standing finding for each, which resolves itself.

The event `lease.open` reports once that a credential stayed open after an end. The finding shows this for as
long as it is true: one finding per credential, also across restarts of remit. It is resolved when the sink
has refused the credential, or when a person has closed the lease by hand.
"""

from __future__ import annotations

from collections.abc import Callable

from remit.core.findings.finding import FindingState, finding_id
from remit.core.findings.kinds import FindingKind
from remit.core.tasks.task import Task
from remit.ports.broker import UpstreamCredential
from remit.services.credentials.leases import Leases
from remit.services.findings.findings import Findings


def leak_findings(findings: Findings) -> Callable[[str, Task, UpstreamCredential], None]:
    """Return what makes a finding of a credential that came back in a result."""

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

    return leaked


class SinkAlarms:
    """Keeps the findings about open sinks in step with the leases."""

    def __init__(self, *, leases: Leases, findings: Findings) -> None:
        """Take the dependencies; the first look reads which findings are open."""
        self._leases = leases
        self._findings = findings
        self._open: dict[str, str] | None = None

    async def look(self) -> int:
        """Open a finding for each sink that stays open, and resolve those of dead sinks; return the number
        open.

        For a background loop.
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
        # INVARIANT: a lease that is still stored is not dead, no matter which process holds it.
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
        """Return, by lease, the findings that an earlier process left open."""
        found = await self._findings.about(state=FindingState.OPEN, kinds=(FindingKind.SINK_OPEN,))
        return {
            str(one.facts.get("lease", "")): one.id
            for one in found
            if one.id == finding_id(one.kind, one.about, str(one.facts.get("lease", "")))
        }
