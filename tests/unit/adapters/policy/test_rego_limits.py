# SPDX-License-Identifier: Apache-2.0
"""A rule that is exponential, a program that traps or answers nonsense, an `opa` that hangs: each refuses."""

from __future__ import annotations

import base64
import gc
import io
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import wasmtime

from remit.adapters.policy.rego import RegoPolicies
from remit.adapters.policy.rego.machine import Machine, Trapped
from remit.adapters.policy.rego.program import OpaProgram
from remit.core.decisions.decision import Outcome, PolicyAnswer, weigh
from remit.core.errors import ConfigInvalid
from remit.ports.policy import LoadedPolicy, PolicySource
from tests.samples.policy_requests import CLERK, PAY, SUMMARISE, TOOLS, request, source
from tests.servers import opa_server

ALL = 'package remit\n\npermit contains "all"\n\n'
FILE = "policies/test.rego"
TEN = ", ".join("0123456789")
LOOPS = "\n".join(f"some x{number} in xs" for number in range(9))
FOREVER = f'forbid contains "it" if {{ xs := [{TEN}]\n{LOOPS}\nx0 + x8 > 100 }}'
#: The product of the argument's length and a growing text needs more memory than there is.
GROWING = f"""forbid contains "it" if {{
	input.action.id == "bank/pay"
	count(input.context.args.tags) > 0
	xs := [{TEN}]
	count([[a, b, c, d, e, f, t] |
		some a in xs; some b in xs; some c in xs; some d in xs; some e in xs; some f in xs
		some t in input.context.args.tags
	]) > 0
}}"""


def load(text: str, **settings: object) -> LoadedPolicy:
    """Load one file."""
    engine = RegoPolicies(program=opa_server.program(), **settings)  # type: ignore[arg-type]
    policy = engine.load(source(ALL + text, FILE), TOOLS, [SUMMARISE], [CLERK])
    assert not policy.served
    return policy


def refusal(answer: PolicyAnswer) -> str:
    """Return the error of an answer that permits nothing and says what to do."""
    assert weigh(answer, frozenset(answer.waivable))[0] is Outcome.DENY
    (error,) = answer.errors
    assert answer.reasons[0].remediation
    return error


def test_an_exponential_rule_refuses() -> None:
    """The limit of instructions ends it, each time."""
    policy = load(FOREVER, fuel=5_000_000)
    assert "too long" in refusal(policy.evaluate(request()))
    assert "too long" in refusal(policy.evaluate(request()))


def test_a_rule_about_another_tool_costs_a_call_nothing() -> None:
    """Not even where its costly part stands before the comparison with its tool."""
    costly = FOREVER.replace("x0 + x8 > 100", 'x0 + x8 > 100; input.action.id == "bank/pay"')
    policy = load(costly, fuel=5_000_000)
    assert policy.evaluate(request()).permits
    assert "too long" in refusal(policy.evaluate(request(PAY, {"to": "x", "amount": 1})))


def test_a_rule_that_needs_too_much_memory_refuses_its_call_and_no_other() -> None:
    """After it, the next call is decided by a new instance."""
    policy = load(GROWING, fuel=10**12)
    assert policy.evaluate(request()).permits
    tags = ["secret-tag"] * 50
    error = refusal(policy.evaluate(request(PAY, {"to": "x", "amount": 1, "tags": tags})))
    assert "secret-tag" not in error
    assert policy.evaluate(request()).permits


def test_a_result_is_kept_for_the_same_facts_only() -> None:
    """Each fact that a rule reads is a part of the question; what failed is asked again."""
    policy = load('forbid contains "it" if { input.context.tier_level > 1; input.context.crossings > 2 }')
    assert policy.evaluate(request()).permits
    for _ in range(2):
        assert policy.evaluate(request(PAY, {"to": "x", "amount": 1}, crossings=3)).forbids
        assert policy.evaluate(request(PAY, {"to": "x", "amount": 1}, crossings=2)).permits
        assert policy.evaluate(request(crossings=3)).permits


def test_a_large_call_fits() -> None:
    """The input may be far larger than the memory that a program begins with."""
    policy = load(
        'forbid contains "it" if { input.action.id == "bank/pay"; "last" in input.context.args.tags }'
    )
    tags = ["x" * 1000] * 4000
    assert policy.evaluate(request(PAY, {"to": "x", "amount": 1, "tags": tags})).permits
    assert policy.evaluate(request(PAY, {"to": "x", "amount": 1, "tags": [*tags, "last"]})).forbids
    assert policy.evaluate(request()).permits


def test_an_argument_beyond_the_limits_of_policies_refuses() -> None:
    """As in Cedar: a text that is too long, a list with too many items, a fraction that is too fine."""
    text = """forbid contains "it" if {
	input.action.id == "bank/pay"
	input.context.args.to == ""
	input.context.args.amount < 0
	input.context.args.tags == []
}"""
    policy = load(text)
    for arguments in (
        {"to": "x" * 100_000, "amount": 1},
        {"to": "x", "amount": 0.00001},
        {"to": "x", "amount": 10**20},
        {"to": "x", "amount": 1, "tags": ["x"] * 5000},
        {"to": "\ud800", "amount": 1},
        {"to": None, "amount": 1},
        {"amount": 1},
    ):
        answer = policy.evaluate(request(PAY, arguments))
        assert weigh(answer, frozenset())[0] is Outcome.DENY
        assert "`it`" in answer.errors[0] or "Unicode" in answer.errors[0]


# -- programs that are no policies ---------------------------------------------------------------------------

#: A program with the interface of a policy; `opa_eval` has the body that a test gives it.
INTERFACE = """
(module
  (import "env" "memory" (memory 2))
  (func (export "opa_malloc") (param i32) (result i32) (i32.const 1024))
  (func (export "opa_json_parse") (param i32 i32) (result i32) (i32.const 1024))
  (func (export "opa_json_dump") (param i32) (result i32) (local.get 0))
  (func (export "opa_heap_ptr_get") (result i32) (i32.const 4096))
  (func (export "builtins") (result i32) (i32.const 16))
  (func (export "entrypoints") (result i32) (i32.const 256))
  (func (export "opa_eval") (param i32 i32 i32 i32 i32 i32 i32) (result i32) {body})
  (data (i32.const 16) "{builtins}\\00")
  (data (i32.const 256) "{entries}\\00")
  (data (i32.const 512) "{answer}\\00")
)
"""


#: What the bundle of these tests promises: one group, of one rule.
ENTRIES = '{"remit_decision/answer":0,"remit_decision/part0":1}'


def program(
    answer: str = "", body: str = "(i32.const 512)", builtins: str = "{}", entries: str = ENTRIES
) -> bytes:
    """Return a program that looks like a policy."""
    text = INTERFACE.replace("{body}", body)
    for place, json in (("{builtins}", builtins), ("{entries}", entries), ("{answer}", answer)):
        text = text.replace(place, json.replace('"', '\\"'))
    return bytes(wasmtime.wat2wasm(text))


def bundle(name: str, change: Callable[[bytes], bytes]) -> PolicySource:
    """Return a bundle that remit built, with one of its files changed."""
    engine = RegoPolicies(program=opa_server.program())
    built = base64.b64decode(engine.bundle(source(ALL, FILE), TOOLS, [SUMMARISE]).text)
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(built)) as old, tarfile.open(fileobj=out, mode="w:gz") as new:
        for member in old:
            stream = old.extractfile(member)
            assert stream is not None
            content = change(stream.read()) if member.name == name else stream.read()
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    return PolicySource("policies/policies.tar.gz", base64.b64encode(out.getvalue()).decode())


def loaded(wasm: bytes) -> LoadedPolicy:
    """Load a program in a bundle."""
    policy = RegoPolicies().load([bundle("/policy.wasm", lambda _: wasm)], TOOLS, [SUMMARISE], [CLERK])
    assert not policy.served
    return policy


def test_the_stand_in_is_a_policy() -> None:
    """What follows fails for what it says, and not for how it is made."""
    assert loaded(program('[{"result":{"permit":["all"],"forbid":[]}}]')).evaluate(request()).permits


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "[]",
        "null",
        "{}",
        "[{}]",
        '[{"result":true}]',
        '[{"result":{"permit":["all"]}}]',
        '[{"result":{"permit":"all","forbid":[]}}]',
        '[{"result":{"permit":["all"],"forbid":[1]}}]',
        '[{"result":{"permit":["other"],"forbid":[]}}]',
        '[{"result":{"permit":["all"],"forbid":["other"]}}]',
        '[{"result":{"permit":["all"],"forbid":["all"]}}]',
        '[{"result":{"permit":["all"],"forbid":[],"more":1}}]',
        '[{"result":{"permit":["all"],"forbid":[]}},{"result":{"permit":["all"],"forbid":[]}}]',
        "[{",
    ],
)
def test_nonsense_refuses(answer: str) -> None:
    """Whatever is no whole decision about known rules."""
    refusal(loaded(program(answer)).evaluate(request()))


def test_a_program_without_an_answer_that_its_bundle_promises_does_not_load() -> None:
    """Else a call of some tool could not be decided."""
    with pytest.raises(ConfigInvalid, match="lacks answers") as refused:
        loaded(program(entries='{"remit_decision/answer":0}'))
    assert "remit policy build" in refused.value.remediation


@pytest.mark.parametrize(
    "body",
    [
        "unreachable",
        "(loop (br 0)) unreachable",
        "(i32.const -1)",
        "(i32.const 131071)",
        "(i32.load (i32.const 2000000000))",
        "(i32.div_s (i32.const 1) (i32.const 0))",
    ],
)
def test_a_program_that_fails_refuses(body: str) -> None:
    """A trap, a loop without an end, an answer outside of its memory."""
    policy = loaded(program(body=body))
    refusal(policy.evaluate(request()))
    refusal(policy.evaluate(request()))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (b"remit-rego/3", b"remit-rego/2", "its format is `remit-rego/2`, and this one reads `remit-rego/3`"),
        (b'"format"', b'"for"', "was not built by remit"),
        (b'"groups":[{"rules":["all"]', b'"groups":[{"rules":["other"]', "was not built by remit"),
    ],
)
def test_a_bundle_of_another_version_does_not_load(before: bytes, after: bytes, said: str) -> None:
    """Nor one whose groups leave a rule out; `remit policy check` says so, too."""

    def change(text: bytes) -> bytes:
        assert before in text
        return text.replace(before, after)

    (problem,) = RegoPolicies().check([bundle("/.manifest", change)], TOOLS, [SUMMARISE])
    assert said in problem.text
    assert "remit policy build" in problem.remediation


def test_an_answer_without_an_end_refuses() -> None:
    """The memory is full of text."""
    machine = Machine(
        program(body="(memory.fill (i32.const 0) (i32.const 65) (i32.const 131072)) (i32.const 0)")
    )
    with pytest.raises(Trapped, match="without an end"):
        machine.evaluate(b"{}")


def test_a_program_that_is_compiled_already_is_not_compiled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Policies are loaded again whenever an agent changes; each load has its own memory."""
    wasm = program('[{"result":"compiled once"}]')
    made: list[bytes] = []
    compiling = wasmtime.Module

    def compiled(engine: wasmtime.Engine, text: bytes) -> wasmtime.Module:
        made.append(text)
        return compiling(engine, text)

    monkeypatch.setattr(wasmtime, "Module", compiled)
    first = Machine(wasm)
    second = Machine(wasm)
    assert made.count(wasm) == 1
    del first
    gc.collect()
    assert second.evaluate(b"{}") == msgspec.json.encode([{"result": "compiled once"}])


def test_a_program_that_calls_the_host_does_not_load() -> None:
    """The functions are named."""
    with pytest.raises(ConfigInvalid, match=r"`http\.send`") as refusal:
        Machine(program(builtins='{"http.send":0}'))
    assert "opa" in refusal.value.remediation


@pytest.mark.parametrize("wasm", [b"", b"nonsense", b"\0asm\1\0\0\0"])
def test_what_is_no_policy_does_not_load(wasm: bytes) -> None:
    """No program at all, and an empty one."""
    with pytest.raises(ConfigInvalid, match="Wasm") as refusal:
        Machine(wasm)
    assert "remit policy build" in refusal.value.remediation


# -- an `opa` that fails -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("sleep 60", "longer than"),
        ("while :; do :; done", "longer than"),
        ("kill -SEGV $$", "fails"),
        ("exit 3", "failure"),
        ("echo oops >&2; exit 1", "oops"),
        ("echo '{}'", "cannot be read"),
        ("echo oops", "cannot be read"),
    ],
)
def test_an_opa_that_fails_is_a_problem_of_the_policies(tmp_path: Path, script: str, said: str) -> None:
    """With a remediation, whatever it is: the old policies stay."""
    program = tmp_path / "opa"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(stat.S_IRWXU)
    engine = RegoPolicies(program=OpaProgram(str(program), computing_s=1, waiting_s=3))
    (problem,) = engine.check(source(ALL, FILE), TOOLS, [SUMMARISE])
    assert said in problem.text
    assert problem.remediation
    with pytest.raises(ConfigInvalid):
        engine.load(source(ALL, FILE), TOOLS, [SUMMARISE], [CLERK])


def test_a_deeply_nested_rule_is_a_problem() -> None:
    """OPA's parser has its own bound."""
    text = f'{ALL}forbid contains "it" if {"[" * 100_000}1{"]" * 100_000} == []'
    (problem, *_) = RegoPolicies(program=opa_server.program()).check(source(text, FILE), TOOLS, [SUMMARISE])
    assert problem.severity == "error"
    assert len(problem.text) < 1000


def test_the_answer_of_a_machine_is_json() -> None:
    """For the same input it is the same, however often it is asked."""
    machine = Machine(program('[{"result":1}]'))
    assert {machine.evaluate(b"{}") for _ in range(3)} == {msgspec.json.encode([{"result": 1}])}
