# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a rule in Rego is found before it counts: with file, line, rule and remediation."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from remit.adapters.policy.rego import RegoPolicies
from remit.adapters.policy.rego.engine import RegoLoaded
from remit.adapters.policy.rego.program import OpaProgram
from remit.core.decisions.decision import Outcome, weigh
from remit.core.errors import ConfigInvalid
from remit.ports.policy import LoadedPolicy, PolicySource, Problem
from tests.samples.policy_requests import CLERK, PAY, READ, SUMMARISE, TOOLS, request, source, tool
from tests.servers import opa_server

ALL = 'package remit\n\npermit contains "all"\n\n'
FILE = "policies/test.rego"
#: Has the argument `path` of `contracts/read` as a number.
PAGES = tool("books", "turn", {"path": {"type": "integer"}, "odd": {}})
NUMBER = "to_number(input.context.args.path) > 3"


def engine(**settings: object) -> RegoPolicies:
    """Return Rego in process."""
    return RegoPolicies(program=opa_server.program(), **settings)  # type: ignore[arg-type]


def problems(text: str, *more: PolicySource) -> list[Problem]:
    """Return what is wrong with a file."""
    return engine().check([*source(text, FILE), *more], [*TOOLS, PAGES], [SUMMARISE])


def load(text: str, **settings: object) -> LoadedPolicy:
    """Load one file."""
    policy = engine(**settings).load(source(text, FILE), TOOLS, [SUMMARISE], [CLERK])
    assert not policy.served
    return policy


def written(rule: str) -> str:
    """Return a file with a rule, in which `IT` stands for the head of a forbid."""
    body = rule.replace("IT ", 'forbid contains "it" if ').replace("IT", 'forbid contains "it"')
    return f"{ALL}{body}\n"


@pytest.mark.parametrize(
    ("rule", "severity", "said", "remediation"),
    [
        ("IT input.context.tier_levle > 1", "error", "tier_levle", "`tier_level`"),
        ("IT input.contxt.cleared", "error", "input.contxt", "`context`"),
        ("IT input.principal.grups == []", "error", "grups", "`groups`"),
        ('IT input.context.args.pth == ""', "error", "`pth`", "`path`"),
        (
            'IT input.context.args.path == ""',
            "error",
            "several types",
            "input.action.id",
        ),
        ('IT input.context.args.odd == ""', "error", "takes anything", "arg_names"),
        (
            'IT { input.action.id == "contracts/rea" }',
            "error",
            "exist",
            "contracts/read",
        ),
        ('IT { input.context.tier_level == "high" }', "error", "match", "rego"),
        ("forbid contains input.action.id", "error", "computed", "literal"),
        ('forbid := {"it"}', "error", "not a set of rule ids", "forbid contains"),
        ('default forbid := {"it"}', "error", "not a set of rule ids", "forbid contains"),
        ('forbid contains "a b"', "error", "characters", "ASCII"),
        (
            'permit contains "all"\n\n# METADATA\n# custom: {reason: x}\nforbid contains "all"',
            "error",
            "used",
            "id",
        ),
        ("# METADATA\n# custom: {reson: x}\nIT", "warning", "`custom.reson`", "`reason`"),
        ("# METADATA\n# custom: {reason: 1}\nIT", "error", "not a text", "quotes"),
        (
            "# METADATA\n# custom: {otherwise: aproval}\nIT",
            "error",
            "`otherwise`",
            "approval",
        ),
        ("# METADATA\n# custom: {bounded: 10}\nIT", "error", "`bounded`", "otherwise"),
        ("# METADATA\n# custom: {otherwise: approval, bounded: 1}\nIT", "error", "from 2 to 100", "10"),
        ('# METADATA\n# custom: {otherwise: approval, bounded: "9"}\nIT', "error", "from 2 to 100", "10"),
        (
            '# METADATA\n# custom: {otherwise: approval}\npermit contains "it"',
            "error",
            "`otherwise`",
            "forbid",
        ),
        (
            f'IT {{ input.action.id == "contracts/read"; {NUMBER} }}',
            "error",
            "fail",
            "opa",
        ),
        ("IT time.now_ns() > 1", "error", "`time.now_ns`", "opa"),
        (
            'IT http.send({"method": "get", "url": ""}).status == 1',
            "error",
            "http.send",
            "opa",
        ),
        ("IT 1 / input.context.tier_level > 1", "error", "`div`", "literal"),
        ("IT input.context.tier_level / 0 > 1", "error", "`div`", "literal"),
        (
            'IT regex.match("(", input.action.id)',
            "error",
            "regex.match",
            "valid pattern",
        ),
        ('IT regex.match(input.action.id, "")', "error", "regex.match", "literal"),
        ('IT substring("x", -1, 1) == ""', "error", "substring", "negative"),
        ("IT unknown_function(1)", "error", "unknown_function", ""),
        ('IT input.context.audience == "extern"', "error", "`input.context.audience` is never", "`external`"),
        ('IT input.context.audience != "extern"', "error", "`input.context.audience` is never", "`external`"),
        ('IT not "extern" in input.context.audiences', "error", "never contains", "`external`"),
        ('IT input.context.tier in {"operator", "autonomus"}', "error", "autonomus", "`autonomous`"),
        ('IT input.context.flow.destination == "untrused"', "error", "untrused", "`untrusted`"),
        ('IT input.principal.environment == "producton"', "warning", "producton", "`production`"),
        (
            'IT { input.context.tier == "assistant"; input.context.tier_level >= 3 }',
            "error",
            "never applies: no value of `input.context.tier`",
            "one body",
        ),
        (
            "IT { input.context.cleared; not input.context.cleared }",
            "error",
            "never applies: no value of `input.context.cleared`",
            "one body",
        ),
        (
            "IT { input.context.tier_level > 1; input.context.tier_level < 2 }",
            "error",
            "never applies",
            "one body",
        ),
        ("IT false", "warning", "never applies", "remove"),
        ("IT {", "error", "unexpected", "rego"),
    ],
)
def test_a_problem_names_its_place_and_the_way_out(
    rule: str, severity: str, said: str, remediation: str
) -> None:
    """Each with the file and a line of the rule."""
    found = problems(written(rule))
    named = [one for one in found if said in one.text and one.severity == severity]
    assert named, found
    assert remediation in named[0].remediation
    assert named[0].file == FILE
    assert (named[0].line or 0) >= 5 - ("default" in rule)


@pytest.mark.parametrize(
    "rule",
    [
        'IT { input.action.id == "contracts/read"; input.context.args.path == "" }',
        # What goes through a variable, a helper or `with` may hold.
        "IT { input.context.cleared; some x in [1, 2]; x == 3; not x == 3 }",
        'IT { input.context.tier == "assistant" with input as {}; input.context.tier == "operator" }',
        'IT { input.action.id in {"contracts/read"}; input.context.args.path == "" }',
        "IT input.context.tier_level / 2 > 1",
        'IT regex.match("^contracts/", input.action.id)',
        'IT substring(input.context.now, 11, 2) < "08"',
        'IT strings.reverse(input.action.id) == "x"',
        'IT helper(input.context.label)\n\nhelper(label) if label.class == "public"',
        "IT data.remit.lib.late\n",
    ],
)
def test_a_sound_rule_has_no_problem(rule: str) -> None:
    """Among them all that can fail in general, and cannot fail so."""
    library = PolicySource("policies/lib.rego", 'package remit.lib\n\nlate if input.context.now > "2100"\n')
    assert problems(written(rule), library) == []


def test_a_helper_is_not_extended_from_another_file() -> None:
    """A second definition of the same name would be a further case of the first, for rules elsewhere."""
    one = f'{ALL}forbid contains "it" if not calm\n\ncalm if input.context.cleared\n'
    other = PolicySource("policies/other.rego", "package remit\n\ncalm if input.context.tier_level < 9\n")
    (problem,) = problems(one, other)
    assert (problem.severity, problem.file, problem.line) == ("error", other.file, 3)
    assert FILE in problem.text
    assert problem.remediation


@pytest.mark.parametrize(
    ("file", "library", "line"),
    [
        ("package remit\n\nequal(x, y) if x != y\n", "package lib\n", 3),
        ("package remit\n\ninternal.member_2(x, y) if x != y\n", "package lib\n", 3),
        ("package remit\n\nimport data.lib.differ as equal\n", "package lib\n\ndiffer(x, y) if x != y\n", 3),
    ],
)
def test_an_operator_keeps_its_meaning(file: str, library: str, line: int) -> None:
    """OPA would call such a function for `==` or `in`, and a rule would be for other tools than it says."""
    rule = 'permit contains "all" if input.action.id == "contracts/read"\n'
    (problem, *_) = problems(f"{file}\n{rule}", PolicySource("policies/lib.rego", library))
    assert (problem.severity, problem.file, problem.line) == ("error", FILE, line)
    assert "operator" in problem.text
    assert "another name" in problem.remediation


def test_tests_beside_the_policies_do_not_decide() -> None:
    """A `_test.rego` is for `opa test`; it may use any function, and forbids nothing."""
    beside = PolicySource(
        "policies/it_test.rego", 'package remit\n\nforbid contains "x" if time.now_ns() > 0\n'
    )
    assert problems(ALL, beside) == []


def test_a_rule_for_one_tool_does_not_look_at_others() -> None:
    """An argument of another type under the same name is no misfit of a tool that the rule is not for."""
    text = (
        ALL
        + 'forbid contains "it" if { input.action.id == "contracts/read"; input.context.args.path == "C" }'
    )
    policy = engine().load(source(text, FILE), [*TOOLS, PAGES], [SUMMARISE], [CLERK])
    assert not policy.served
    assert policy.evaluate(request(PAGES, {"path": 3})).permits
    assert policy.evaluate(request(READ, {"path": "C"})).forbids
    assert policy.evaluate(request(READ, {"path": 3})).errors


def test_a_rule_for_one_tool_can_match_no_other() -> None:
    """Which is how two versions of policies are compared, tool by tool."""
    policy = engine().load(
        source(written('IT { input.action.id == "contracts/read"; late }\n\nlate if true'), FILE),
        TOOLS,
        [SUMMARISE],
        [CLERK],
    )
    assert isinstance(policy, RegoLoaded)
    assert {ref.id for ref in policy.applicable(READ, CLERK)} == {"all", "it"}
    assert {ref.id for ref in policy.applicable(PAY, CLERK)} == {"all"}


def test_a_rule_for_one_upstream_can_match_no_other() -> None:
    """Whatever it reads; a variable that is called like a fact is none."""
    policy = load(
        written(
            'IT input.resource.upstream in {"contracts", "changes"}\n\n'
            'forbid contains "any" if { some resource in ["resource"]; input[resource].upstream == "bank" }'
        )
    )
    assert {ref.id for ref in policy.applicable(READ, CLERK)} == {"all", "it", "any"}
    assert {ref.id for ref in policy.applicable(PAY, CLERK)} == {"all", "any"}


def test_a_tool_that_changes_its_types_is_refused() -> None:
    """Until the policies are checked against what it takes now."""
    text = written('IT { input.action.id == "contracts/read"; input.context.args.lines > 9 }')
    changed = tool("contracts", "read", {"path": {"type": "string"}})
    (error,) = load(text).evaluate(request(changed, {"path": "C"})).errors
    assert "`it`" in error


def test_a_decimal_and_a_time_are_what_they_say() -> None:
    """Decimals exactly as numbers; points in time as text that sorts by time."""
    text = f"""{ALL}
forbid contains "much" if {{ input.action.id == "bank/pay"; input.context.args.amount > 12345678901234.5677 }}
forbid contains "late" if input.context.now >= "2026-03-04T12:00:01Z"
forbid contains "now" if input.context.now == "2026-03-04T12:00:00Z"
"""
    policy = load(text)
    answer = policy.evaluate(request(PAY, {"to": "x", "amount": 12345678901234.57}))
    assert [one.id for one in answer.forbids] == ["much", "now"]
    assert [one.id for one in policy.evaluate(request(PAY, {"to": "x", "amount": 1})).forbids] == ["now"]


def test_the_digest_of_a_rule_follows_its_helpers_and_its_notes_and_nothing_else() -> None:
    """An approval that waived a rule does not waive what the rule has become, in whatever file that was."""
    rule = '# METADATA\n# custom: {reason: x, otherwise: approval}\nforbid contains "it" if late\n\n'
    helper = "late if input.context.now > data.remit.lib.hour\n"
    library = 'package remit.lib\n\nhour := "2100"\n'

    def digest(text: str, library: str = library) -> str:
        sources = [*source(ALL + text, FILE), PolicySource("policies/lib.rego", library)]
        policy = engine().load(sources, TOOLS, [SUMMARISE], [CLERK])
        return next(one.digest for one in policy.rules() if one.id == "it")

    first = digest(rule + helper)
    assert (
        digest(f"# a comment\n{rule}\n\n{helper}" + 'forbid contains "other" if input.context.cleared\n')
        == first
    )
    assert digest(rule.replace("reason: x", "reason: y") + helper) != first
    assert digest(rule + helper.replace(">", "<")) != first
    assert digest(rule + helper, library.replace("2100", "2101")) != first


def test_a_bundle_needs_no_program() -> None:
    """What was built elsewhere loads where `opa` is not installed, with the same rules."""
    text = ALL + 'forbid contains "it" if input.context.tier_level > 2'
    built = engine().bundle(source(text, FILE), TOOLS, [SUMMARISE])
    without = RegoPolicies(program=OpaProgram("/nowhere/opa"))
    assert without.check([built], TOOLS, [SUMMARISE]) == []
    policy = without.load([built], TOOLS, [SUMMARISE], [CLERK])
    assert not policy.served
    assert [one[:3] for one in policy.rules()] == [one[:3] for one in load(text).rules()]
    assert weigh(policy.evaluate(request()), frozenset())[0] is Outcome.PERMIT


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x1f\x8b\x08\x00"])
def test_what_is_no_bundle_does_not_load(content: bytes) -> None:
    """The file is named, and the command that builds it."""
    broken = PolicySource("policies/policies.tar.gz", base64.b64encode(content).decode())
    with pytest.raises(ConfigInvalid, match=r"policies/policies\.tar\.gz") as refusal:
        engine().load([broken], TOOLS, [SUMMARISE], [CLERK])
    assert "remit policy build" in refusal.value.remediation


def test_a_bundle_beside_sources_does_not_load() -> None:
    """Only one of them could count."""
    built = engine().bundle(source(ALL, FILE), TOOLS, [SUMMARISE])
    with pytest.raises(ConfigInvalid, match="beside"):
        engine().load([built, *source(ALL, FILE)], TOOLS, [SUMMARISE], [CLERK])


def test_a_bundle_for_a_server_does_not_load_in_process() -> None:
    """It has no program."""
    built = engine(in_process=False).bundle(source(ALL, FILE), TOOLS, [SUMMARISE])
    with pytest.raises(ConfigInvalid, match="no Wasm program"):
        engine().load([built], TOOLS, [SUMMARISE], [CLERK])


def test_without_the_program_sources_do_not_load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The refusal says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (problem,) = RegoPolicies().check(source(ALL, FILE), TOOLS, [SUMMARISE])
    assert "not installed" in problem.text
    assert "install OPA" in problem.remediation
