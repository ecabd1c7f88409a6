# SPDX-License-Identifier: Apache-2.0
"""What can be reached is the same, in whichever language the policies are, and wherever they were built."""

from __future__ import annotations

import msgspec
import pytest

from remit.adapters.policy.cedar import CedarPolicies
from remit.adapters.policy.rego import RegoPolicies
from remit.adapters.policy.rego.server import OpaPolicies, OpaServer
from remit.core.errors import ConfigInvalid
from remit.core.policy.bundle import Bundle, PolicySource
from remit.core.policy.reach import Guard, Openness
from remit.ports.policy import PolicyEngine
from remit.services.policy.reach import survey
from tests.samples.policy_requests import guardrails, rego_guardrails, source
from tests.samples.reach import FILES, INBOX, LOOSE, MAIL, bundle, task
from tests.servers import opa_server

WORLD = (MAIL, INBOX, FILES)
REFUSED = Guard(Openness.REFUSED, ("it",))
TRIAGE = task("triage", "mail/send", "mail/inbox", "files/read")


def found(one: Bundle, engine: PolicyEngine, policies: list[PolicySource]) -> list[tuple[object, ...]]:
    """Return the paths of a survey under policies."""
    seen = survey(msgspec.structs.replace(one, policies=tuple(policies)), engine, {})
    return [(path.kind, path.outlet.tool.id, path.guard) for path in seen.paths]


def rego() -> RegoPolicies:
    """Return Rego in process."""
    return RegoPolicies(classes=LOOSE, program=opa_server.program())


def test_the_guardrails_leave_open_the_same_paths() -> None:
    """In Cedar, in Rego, and in Rego that was built before."""
    one = bundle(WORLD, TRIAGE)
    expected = found(one, CedarPolicies(classes=LOOSE), guardrails())
    assert expected
    assert found(one, rego(), rego_guardrails()) == expected
    built = rego().bundle(rego_guardrails(), WORLD, [TRIAGE])
    assert found(one, rego(), [built]) == expected


@pytest.mark.parametrize(
    "condition",
    [
        'input.context.now > "2000"',
        'input.context.args.to == "x"',
        "late",
        'args.to == "x"',
        'whole := input.context; whole.now > "2000"',
    ],
)
def test_a_rule_that_depends_on_the_call_is_not_relied_on(condition: str) -> None:
    """Also where it reads the fact through a helper or an import: an attacker chooses the call."""
    text = f"""package remit

import input.context.args

permit contains "all"

late if input.context.now > "2000"

used if args.text == ""

forbid contains "it" if {{
	input.action.id == "mail/send"
	{condition}
}}
"""
    tools = tuple(
        msgspec.structs.replace(
            tool,
            surface={
                "inputSchema": {
                    "type": "object",
                    "properties": {name: {"type": "string"} for name in ("to", "text")},
                }
            },
        )
        for tool in WORLD
    )
    openly = found(
        bundle(tools, TRIAGE), rego(), source('package remit\n\npermit contains "all"\n', "a.rego")
    )
    assert openly
    assert [path[:3] for path in found(bundle(tools, TRIAGE), rego(), source(text, "a.rego"))] == [
        path[:3] for path in openly
    ]


def test_a_rule_that_keeps_the_tool_in_a_variable_distinguishes_every_tool() -> None:
    """What it reads of the tool, perhaps its name, is unknown."""
    text = """package remit

permit contains "all"

forbid contains "it" if {
	tool := input.resource
	tool.described
	endswith(tool.id, "/send")
}
"""
    other = msgspec.structs.replace(MAIL, name="archive")
    tools = (other, MAIL, INBOX, FILES)
    triage = task("triage", "mail/archive", "mail/send", "mail/inbox", "files/read")
    paths = found(bundle(tools, triage), rego(), source(text, "a.rego"))
    assert {path[1:] for path in paths} == {("mail/archive", Guard()), ("mail/send", REFUSED)}


def test_a_server_is_not_surveyed() -> None:
    """A survey would ask a server far too often; it says what to do."""
    engine = OpaPolicies(OpaServer("http://127.0.0.1:1"), program=opa_server.program())
    with pytest.raises(ConfigInvalid, match="policy server") as refusal:
        found(bundle(WORLD, TRIAGE), engine, rego_guardrails())
    assert "rego" in refusal.value.remediation
