# SPDX-License-Identifier: Apache-2.0
"""Reach of credentials: whose calls carry them, and what is one place since one opens it."""

from __future__ import annotations

from remit.core.policy.reach import CredentialSource, Lifetime, ReachSurvey, StepKind
from tests.samples.reach import FILES, INBOX, MAIL, Lenient, acts, bundle, reads, task


def test_a_credential_says_whose_calls_carry_it_and_beside_what() -> None:
    """Each task type that has a tool there is listed; a credential that no calls carry has no holder."""
    key, lease = CredentialSource("env:MAIL_KEY"), CredentialSource("oauth: remit at idp", Lifetime.TASK)
    reader = task("look-up", "files/read")
    made = bundle((MAIL, INBOX, FILES), task("triage", "mail/send", "mail/inbox"), reader)
    opens = {"mail": (key,), "files": (lease,), "other": (CredentialSource("env:OTHER"),)}
    by_name = {
        one.credential.name: one for one in ReachSurvey(made, Lenient(), credentials=opens).credentials
    }
    (triage,) = by_name["env:MAIL_KEY"].holders
    assert (triage.runner.name, triage.tools, triage.untrusted) == (
        "triage", ("mail/send", "mail/inbox"), True,
    )  # fmt: skip
    (look_up,) = by_name["oauth: remit at idp"].holders
    assert (look_up.runner.name, look_up.untrusted) == ("look-up", False)
    assert by_name["env:OTHER"].holders == ()


def test_two_upstreams_that_one_credential_opens_are_one_place() -> None:
    """What one task type writes through the one, another may read through the other: they come together."""
    write, read = acts("crm/note", "internal"), reads("crm-search/find", "internal")
    types = (task("intake", "mail/inbox", "crm/note"), task("answer", "crm-search/find", "mail/send"))
    made = bundle((INBOX, MAIL, write, read), *types)
    apart = {"crm": (CredentialSource("env:ONE"),), "crm-search": (CredentialSource("env:TWO"),)}
    assert ReachSurvey(made, Lenient(), credentials=apart).toxic == ()
    shared = {"crm": (CredentialSource("env:ONE"),), "crm-search": (CredentialSource("env:ONE"),)}
    survey = ReachSurvey(made, Lenient(), credentials=shared)
    (found,) = survey.toxic
    assert found.runner.name == "answer"
    assert found.crosses
    (inflow,) = [one for one in found.untrusted if not one.direct]
    assert "what env:ONE opens" in [step.name for step in inflow.route if step.kind is StepKind.STORE]
    assert "what env:ONE opens" in [one.via for one in survey.handovers]
