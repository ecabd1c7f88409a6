# SPDX-License-Identifier: Apache-2.0
"""Reports of scans: an ordinary one, and one in which every text of others is hostile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from remit.core.discovery.discovered import Discovered, FilePlace
from remit.core.discovery.scan import (
    ScanCounts,
    ScannedFinding,
    ScanReport,
    SkippedFile,
    SkipReason,
    Standing,
)
from remit.core.findings.kinds import FindingKind, Severity

NOW = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
#: Breaks out of whatever it is put into, if it can.
HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J\x1b[31m\u202egnp.exe\u200b\r\n</script><script>alert(1)</script>"
    "<img src=x onerror=alert(2)>\"'`](javascript:alert(3)) "
    "![x](https://evil.example/p.png) @ada #1 [link](1) {0} "
    '=HYPERLINK("https://evil.example")|-{{ 7*7 }}{% raw %}\x00\U000e0041'
)


def exposed(which: str = "a", **more: object) -> Discovered:
    """Return a finding of a database password in a prompt."""
    told: dict[str, object] = {
        "kind": FindingKind.SECRET_EXPOSED,
        "about": f"credential:{which}1f09",
        "which": "",
        "says": "The password of `crm_admin` stands in the prompt of support-bot.",
        "places": (
            FilePlace(file="agents/support/prompt.md", line=14, column=22),
            FilePlace(file=".claude/projects/crm/1f.jsonl", line=209, inside="message.content"),
        ),
        "owner": "ada",
        "evidence": {
            "agents": ["support-bot"],
            "fingerprint": "1f" * 16,
            "tail": "9k2f",
            "user": "crm_admin",
        },
        "reach": ("read and write all tables of crm on db.example.com", "create roles"),
    }
    return Discovered(**{**told, **more})  # type: ignore[arg-type]


def escalation(**more: object) -> Discovered:
    """Return a finding of a path to administrator rights."""
    told: dict[str, object] = {
        "kind": FindingKind.ESCALATION_PATH,
        "about": "principal:arn:aws:iam::111122223333:role/deploy-agent",
        "which": "iam:PassRole",
        "says": "deploy-agent can become administrator of the account in three steps.",
        "places": (FilePlace(file="exports/account.json", inside="RoleDetailList.3"),),
        "steps": (
            "deploy-agent may call `iam:PassRole` for every role.",
            "It may call `lambda:CreateFunction`, and start a function with the role `admin`.",
            "The function calls AWS with the rights of `admin`.",
        ),
        "reach": ("everything in account 111122223333",),
    }
    return Discovered(**{**told, **more})  # type: ignore[arg-type]


def report(found: list[ScannedFinding] | None = None, **more: object) -> ScanReport:
    """Return the report of a scan that found some things."""
    ordinary = [
        scanned(escalation()),
        scanned(exposed(), standing=Standing.KNOWN, first_seen=NOW - timedelta(days=30)),
        scanned(
            Discovered(
                kind=FindingKind.UNPINNED_COMMAND,
                about="server:files",
                which="claude-code",
                says="The server `files` is started from whatever version `npx` finds.",
                places=(FilePlace(file=".mcp.json", line=5, inside="mcpServers.files"),),
                evidence={"command": "npx -y @modelcontextprotocol/server-filesystem"},
            )
        ),
        scanned(exposed("b"), standing=Standing.ACCEPTED, because="a test account"),
    ]
    told: dict[str, object] = {
        "base": "/home/ada/crm",
        "roots": ("/home/ada/crm",),
        "started": NOW - timedelta(seconds=4),
        "ended": NOW,
        "complete": True,
        "found": tuple(ordinary if found is None else found),
        "counts": ScanCounts(
            files=2841, unchanged=2790, size_bytes=91_000_000, agents=3, servers=5, exports=1
        ),
    }
    return ScanReport(**{**told, **more})  # type: ignore[arg-type]


def scanned(finding: Discovered, **more: object) -> ScannedFinding:
    """Return a finding with its history."""
    return ScannedFinding(**{"finding": finding, "first_seen": NOW, "last_seen": NOW, **more})  # type: ignore[arg-type]


def hostile_report() -> ScanReport:
    """Return a report in which every text that comes from files is hostile."""
    finding = Discovered(
        kind=FindingKind.POISONED_TOOL,
        about=f"server:{HOSTILE}",
        which=HOSTILE,
        says=HOSTILE,
        places=tuple(
            FilePlace(file=f"{n}{HOSTILE}", line=n, inside=HOSTILE, commit=HOSTILE) for n in range(1, 6)
        ),
        severity=Severity.CRITICAL,
        owner=HOSTILE,
        evidence={HOSTILE: HOSTILE, "list": [HOSTILE, {"deep": HOSTILE}], "agent": HOSTILE},
        steps=(HOSTILE, HOSTILE),
        reach=(HOSTILE,),
        remediation=HOSTILE,
    )
    return report(
        [scanned(finding), scanned(exposed("c", says=HOSTILE), standing=Standing.ACCEPTED, because=HOSTILE)],
        fixed=(scanned(exposed("d", says=HOSTILE), standing=Standing.FIXED),),
        base=HOSTILE,
        complete=False,
        skipped=(SkippedFile(file=HOSTILE, why=SkipReason.SLOW),),
        counts=ScanCounts(files=1, skipped={SkipReason.SLOW: 1}),
        faults=(HOSTILE,),
    )
