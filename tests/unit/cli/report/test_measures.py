# SPDX-License-Identifier: Apache-2.0
"""Each measure tells what holds from what does not, on a log that a person can count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from remit.cli.report.control_files import FRAMEWORKS, framework, measures
from remit.cli.report.measures import measure_all, take
from remit.core.controls.status import ControlStatus, Count
from remit.core.evidence.selection import SignedLog
from tests.worlds.control_logs import event, tables_of

Json = Any
MEASURES = measures()
WINDOW = {"since": "2026-03-01T00:00:00", "until": "2026-03-31T00:00:00", "kinds": "ownerless,tool-changed"}
LATE = "2026-03-30T09:00:00.000000Z"
EARLY = "2025-06-01T09:00:00.000000Z"


def call(**facts: Json) -> dict[str, Json]:
    """Return the decision on a call that was made."""
    usual = {"tool": "desk/write", "outcome": "permit", "effect": "reversible", "agent": "clerk", "task": "t"}
    return event("decision.made", **(usual | facts))


def flow(provenance: str, **more: Json) -> dict[str, Json]:
    """Return facts of a call whose destination is of this provenance."""
    return {"facts": {"agent": "x", "flow": {"destination": provenance}} | more}


def opened(task: str = "t", **facts: Json) -> dict[str, Json]:
    """Return the opening of a task."""
    usual = {"task_type": "work", "tools": ["desk/read"], "deadline": "2026-03-02T09:30:00+00:00"}
    return event("task.opened", task=task, agent="clerk", **(usual | facts))


#: A log for each measure, with the subjects in it, those that hold, and those that are unknown.
CASES: dict[str, tuple[list[dict[str, Json]], tuple[int, int, int]]] = {
    "agents-owned": (
        [
            *(event("agent.registered", agent=one, owner="lena") for one in ("a", "b", "c")),
            event("agent.registered", agent="d", owner=""),
            event("agent.changed", agent="c", change="state", state="retired"),
            event("finding.seen", finding="f", finding_kind="ownerless", about="agent:b"),
            event("finding.seen", finding="g", finding_kind="ownerless", about="agent:a"),
            event("finding.resolved", finding="g", finding_kind="ownerless", about="agent:a"),
        ],
        (3, 1, 0),
    ),
    "agents-reviewed": (
        [
            *(event("agent.registered", agent=one, at=EARLY) for one in ("a", "b", "c")),
            event("agent.registered", agent="new", at=LATE),
            event("agent.reviewed", agent="a", at=LATE),
            event("agent.reviewed", agent="b", at=LATE, waits=True),
            event("agent.reviewed", agent="c", at=EARLY),
        ],
        (3, 1, 0),
    ),
    "approvals-by-others": (
        [
            opened(sealed={"requested_by": "lena", "on_behalf_of": "lena"}),
            event("approval.decided", task="t", approval="1", state="approved", sealed={"by": "omar"}),
            event("approval.decided", task="t", approval="2", state="approved", sealed={"by": "lena"}),
            event("approval.decided", task="t", approval="3", state="approved"),
            event("approval.decided", task="t", approval="4", state="denied"),
        ],
        (3, 1, 1),
    ),
    "approvals-read": (
        [
            event("approval.requested", task="t", approval="1"),
            event("approval.requested", task="t", approval="2"),
            event("approval.requested", task="t", approval="3"),
            event("approval.decided", approval="1", state="approved", at="2026-03-02T09:00:02Z"),
            event("approval.decided", approval="2", state="denied", at="2026-03-02T09:00:01Z"),
        ],
        (2, 1, 0),
    ),
    "calls-attributed": (
        [event("agent.registered", agent="clerk"), opened(), call(), call(agent="ghost"), call(task="none")],
        (3, 1, 0),
    ),
    "calls-before-end": (
        [call(), call(task="open"), event("task.ended", task="t"), call(), call(outcome="deny")],
        (2, 1, 0),
    ),
    "calls-bound": (
        [
            call(sender="dpop"),
            call(sender="mtls", effect="irreversible"),
            call(sender="bearer"),
            call(),
            call(sender="bearer", effect="none"),
            call(sender="bearer", outcome="deny"),
            call(sender="bearer", outcome="deny", observed=True),
            call(sender="bearer", at=EARLY),
        ],
        (5, 2, 0),
    ),
    "calls-proven": ([call(assurance="key-bound"), call(assurance="asserted"), call()], (3, 1, 0)),
    "calls-recorded": (
        [
            call(call="1"),
            event("tool.called", call="1", tool="x"),
            event("tool.called", call="2", tool="x"),
            call(call="2"),
            event("tool.called", call="3", tool="x"),
        ],
        (3, 1, 0),
    ),
    "calls-under-policy": (
        [event("bundle.applied", bundle="b"), call(bundle="b"), call(bundle="c"), call()],
        (3, 1, 0),
    ),
    "code-unled": (
        [
            call(facts={"flow": {"code": "intent"}}),
            call(facts={"flow": {"code": "untrusted"}}),
            call(facts={"flow": {}}),
        ],
        (2, 1, 0),
    ),
    "delegation-narrows": (
        [
            opened("p", tools=["a", "b"]),
            opened("c", parent="p", tools=["a"]),
            opened("d", parent="p", tools=["a", "x"]),
            opened("e", parent="gone", tools=["a"]),
        ],
        (3, 1, 0),
    ),
    "delegation-ends": (
        [
            opened("p"),
            opened("c", parent="p"),
            opened("d", parent="p"),
            event("task.ended", task="p"),
            event("task.ended", task="c"),
        ],
        (2, 1, 0),
    ),
    "ends-complete": (
        [
            event(
                "closure.made", scope="a", indeterminate=[], closings=[["task", "t", 0], ["token", "k", 5]]
            ),
            event("closure.made", scope="b", indeterminate=["d"], closings=[]),
            event("closure.made", scope="c", indeterminate=[], closings=[["lease", "l", -1, -1, 0, "x"]]),
        ],
        (3, 1, 0),
    ),
    "ends-fenced": (
        [
            event("closure.made", scope="a", fence_us=900, acknowledged=[["r", 5]]),
            event("closure.made", scope="b", fence_us=900),
            event("closure.made", scope="c", fence_us=2_000_000),
            event("closure.made", scope="d", fence_us=900, acknowledged=[["r", 5], ["s", -1]]),
        ],
        (4, 2, 0),
    ),
    "ends-explained": (
        [event("fence.raised", scope="a", reason="done"), event("fence.raised", scope="b", reason=" ")],
        (2, 1, 0),
    ),
    "findings-closed": (
        [
            *(event("finding.seen", finding=one, finding_kind="ownerless", about="x") for one in "abcd"),
            event("finding.resolved", finding="b", finding_kind="ownerless", about="x"),
            event("finding.answered", finding="c", finding_kind="ownerless", about="x", state="accepted"),
            event("finding.answered", finding="d", finding_kind="ownerless", about="x", state="false"),
            event("finding.reopened", finding="d", finding_kind="ownerless", about="x"),
            event("finding.seen", finding="e", finding_kind="shared-key", about="x"),
            event("finding.seen", finding="f", finding_kind="tool-changed", about="x", at=EARLY),
            event("finding.seen", finding="g", finding_kind="tool-changed", about="x", at=EARLY),
            event("finding.resolved", finding="g", finding_kind="tool-changed", about="x", at=EARLY),
        ],
        (5, 2, 0),
    ),
    "intents-stated": (
        [opened(sealed={"goal": "g", "on_behalf_of": "lena"}), opened(sealed={"goal": "g"}), opened()],
        (3, 1, 1),
    ),
    "leases-ended": (
        [
            *(event("lease.issued", lease=one, task="t", sink="db", until="") for one in "ab"),
            event("lease.issued", lease="c", task="open", sink="db", until=""),
            event("task.ended", task="t"),
            event("lease.dead", lease="a", task="t"),
            event("lease.closed", lease="b", task="t"),
        ],
        (2, 1, 0),
    ),
    "leases-short": (
        [
            event("lease.issued", lease="a", sink="db", until="2026-03-02T10:00:00+00:00"),
            event("lease.issued", lease="b", sink="db", until=""),
            event("lease.issued", lease="c", sink="db", until="2027-03-02T10:00:00+00:00"),
        ],
        (3, 1, 0),
    ),
    "outcomes-known": (
        [
            *(call(call=one) for one in "abc"),
            call(call="d", effect="none"),
            event("tool.called", call="a", outcome="ok"),
            event("tool.called", call="b", outcome="unknown"),
        ],
        (3, 1, 0),
    ),
    "permissions-used": (
        [
            opened(tools=["desk/read", "desk/write"]),
            opened("open", tools=["desk/pay"]),
            call(),
            call(tool="desk/read", outcome="deny"),
            event("task.ended", task="t"),
        ],
        (2, 1, 0),
    ),
    "policy-by-two": (
        [
            event("bundle.applied", bundle="a", previous="", sealed={"by": "remit"}),
            event("bundle.applied", bundle="b", previous="a", sealed={"by": "root", "second": "omar"}),
            event("bundle.applied", bundle="c", previous="b", sealed={"by": "root"}),
            event("bundle.applied", bundle="d", previous="c"),
        ],
        (3, 1, 1),
    ),
    "refusals-enforced": (
        [call(), call(outcome="deny"), call(outcome="defer"), call(outcome="deny", observed=True)],
        (3, 2, 0),
    ),
    "scans-complete": (
        [
            event("scan.delivered", scope="a", complete=True),
            event("scan.delivered", scope="b", complete=False),
        ],
        (2, 1, 0),
    ),
    "sends-cleared": (
        [
            call(audience="external", class_="internal"),
            call(audience="external", class_="confidential"),
            call(audience="external", class_="confidential", approval="a"),
            call(audience="internal", class_="confidential"),
        ],
        (3, 2, 0),
    ),
    "sign-ins-strong": (
        [event("person.signed_in", method="passkey"), event("person.signed_in", method="code")],
        (2, 1, 0),
    ),
    "signals-accepted": (
        [event("signal.received", transmitter="idp"), event("signal.refused", transmitter="idp")],
        (2, 1, 0),
    ),
    "tainted-unled": (
        [
            call(**flow("untrusted", untrusted=True)),
            call(**flow("intent", untrusted=True)),
            call(**flow("untrusted")),
        ],
        (2, 1, 0),
    ),
    "tasks-bounded": (
        [opened(), opened("u", deadline="2026-04-02T09:30:00+00:00"), opened("v", deadline="")],
        (3, 1, 0),
    ),
    "tokens-bound": ([event("token.issued", bound="dpop"), event("token.issued", bound="no")], (2, 1, 0)),
    "tokens-short": (
        [
            event("token.issued", expires=1772442300, audience=["a"]),
            event("token.issued", expires=1772442300, audience=[]),
            event("token.issued", expires=1872442300, audience=["a"]),
        ],
        (3, 1, 0),
    ),
    "tools-pinned": (
        [
            event("tool.pinned", tool="a"),
            call(tool="a"),
            call(tool="a"),
            call(tool="b"),
            call(tool="remit/plan"),
        ],
        (2, 1, 0),
    ),
    "tool-changes-reviewed": (
        [
            event("tool.accepted", tool="b"),
            event("tool.changed", tool="a"),
            event("tool.changed", tool="b"),
            event("tool.accepted", tool="a"),
        ],
        (2, 1, 0),
    ),
    "values-unled": (
        [
            call(**flow("intent")),
            call(**flow("untrusted")),
            call(**flow("untrusted"), approval="a"),
            call(**flow("untrusted"), effect="none"),
            call(),
        ],
        (4, 2, 0),
    ),
}


def test_each_measure_has_a_case() -> None:
    """A measure that no test has counted measures nothing."""
    assert set(CASES) == set(MEASURES)


@pytest.mark.parametrize("name", sorted(MEASURES))
def test_what_holds_is_counted_and_what_does_not_is_named(name: str, tmp_path: Path) -> None:
    """The exceptions are as many as do not hold, each with the index of its event."""
    events, (total, holding, unknown) = CASES[name]
    tables = tables_of(tmp_path, *events)
    found = take(MEASURES[name], tables, WINDOW)
    assert found.count == Count(total=total, holding=holding, unknown=unknown)
    assert len(found.exceptions) == total - holding
    assert all(0 <= index < len(events) and isinstance(label, str) for index, label in found.exceptions)
    tables.close()


def test_an_empty_log_measures_nothing(tmp_path: Path) -> None:
    """Nothing is counted, nothing fails, and no control is met."""
    tables = tables_of(tmp_path)
    for measure in MEASURES.values():
        nothing = {"since": None, "until": None, "kinds": ""}
        assert take(measure, tables, nothing).count == Count(), measure.name
    log = SignedLog(origin="remit/default", verifier="", size=0, note="")
    for name in FRAMEWORKS:
        report = measure_all(framework(name), MEASURES, tables, log, 86_400)
        unknown = {ControlStatus.NOT_MEASURED, ControlStatus.OUTSIDE}
        assert {one.status for one in report.answers} <= unknown
    tables.close()
