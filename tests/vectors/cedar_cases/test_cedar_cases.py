# SPDX-License-Identifier: Apache-2.0
"""Cedar's own cases and example policies, as remit reads, splits and evaluates policies.

The cases are in two packages: those of Cedar's command line program, in its crate, and those of Cedar's
implementation in Go, whose expected findings of the validator come from Cedar's own. Nothing of them is here.
Cedar's integration tests have the same form, but are in no package: a checkout of them can be named.
"""

from __future__ import annotations

import enum
import itertools
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cedarpy
import msgspec
import pytest

from remit.adapters.policy.cedar import CedarPolicies, rule_groups
from remit.adapters.policy.cedar.check import validate_alone
from remit.adapters.policy.cedar.checks.checker_process import CheckerProcess
from remit.adapters.policy.cedar.checks.known_check import IncrementalCheck
from remit.adapters.policy.cedar.policy_text import quoted
from remit.adapters.policy.cedar.reads import Uid
from remit.adapters.policy.cedar.rule import CedarRule, parse, policy_set
from remit.adapters.policy.cedar.rule_cache import CompiledRules
from remit.adapters.policy.cedar.rule_groups import Found, Part, Stand, steady
from remit.adapters.policy.cedar.rule_parts import rule_parts
from remit.adapters.policy.types import Kind, Shape
from remit.ports.policy import PolicySource
from tests.samples.policy_requests import CLERK, SUMMARISE, TOOLS

Json = Any
Note = Callable[[str, object], None]

#: A checkout of Cedar's integration tests. Of its folders only `tests` and `sample-data` are read.
INTEGRATION = "REMIT_CEDAR_INTEGRATION_TESTS"
GO_MODULE = "github.com/cedar-policy/cedar-go@v1.9.1"
CRATE, CRATE_VERSION = "cedar-policy-cli", "4.14.1"
#: Cases of the crate that are wrong on purpose, by a word in the names of their files.
WRONG = ("fail", "missing-reason", "unexpected-error", "tests-error")
_OWN_ID = re.compile(r'@id\("[^"]*"\)')
_ERRED = re.compile(r"(?:policy|rule) `([^`]*)`")


class Verdict(enum.Enum):
    """What became of a policy, a validation or a request."""

    PASSED = "passed"
    TEMPLATE = "is a template, which remit refuses"
    NAME = "has an id that remit refuses, and is tried without it"
    REFUSED = "does not fit its schema, and remit refuses the call"
    IDLE = "can match no call, which remit says in its own words"
    DIFFERS = "expects what Cedar itself does not answer"
    FAILED = "failed"


#: What becomes of all cases of these versions: of policies, validations and requests.
GO = {Verdict.PASSED: 230, Verdict.REFUSED: 10, Verdict.IDLE: 4, Verdict.DIFFERS: 2}
PROGRAM = {Verdict.PASSED: 47}
PROGRAM_WRONG = {Verdict.PASSED: 14, Verdict.DIFFERS: 7}
#: Of the example policies, and of their calls.
EXAMPLES = {Verdict.PASSED: 20, Verdict.NAME: 8, Verdict.TEMPLATE: 2}
DECIDED = {"allow": 69, "deny": 1052, "an error": 289}


class Asked(msgspec.Struct, frozen=True):
    """A request with what Cedar answers; `errors` are ids of policies, or their number."""

    request: dict[str, Json]
    entities: str
    decision: str
    reasons: frozenset[str]
    errors: frozenset[str] | int
    fits: bool = True


class Case(msgspec.Struct, frozen=True):
    """Policies with what is asked.

    `invalid` are the policies that do not fit the schema, `None` if unknown, and `idle` those that only fit
    no action. With `own_ids` a policy is called by its `@id`, else by its number.
    """

    name: str
    policies: str
    schema: str
    asked: tuple[Asked, ...]
    valid: bool | None = None
    invalid: frozenset[str] | None = None
    idle: frozenset[str] = frozenset()
    own_ids: bool = False


def go_cases() -> list[Case]:
    """Return the cases of Cedar in Go; skips the test, with the reason, without them."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("these cases are in a Go module and there is no Go here")
    found = json.loads(_said([go, "mod", "download", "-json", GO_MODULE]))
    place = Path(found["Dir"]) / "x" / "exp" / "schema" / "validate"
    return [
        _integration_case(place, path)
        for path in sorted((place / "testdata").glob("*.json"))
        if not path.stem.endswith((".entities", ".validation"))
    ]


def crate_data(folder: Path) -> Path:
    """Return the example data of Cedar's program; skips the test, with the reason, without it."""
    cargo = shutil.which("cargo")
    if cargo is None:
        pytest.skip("these cases are in a crate and there is no cargo here")
    (folder / "src").mkdir()
    (folder / "src" / "lib.rs").touch()
    package = '[package]\nname = "cases"\nversion = "0.0.0"\nedition = "2021"\n'
    (folder / "Cargo.toml").write_text(f'{package}[dependencies]\n{CRATE} = "={CRATE_VERSION}"\n')
    said = _said([cargo, "metadata", "--format-version", "1", "--manifest-path", str(folder / "Cargo.toml")])
    (found,) = [one["manifest_path"] for one in json.loads(said)["packages"] if one["name"] == CRATE]
    return Path(found).parent / "sample-data"


def crate_cases(place: Path, *, wrong: bool = False) -> list[Case]:
    """Return the cases of Cedar's program: those that hold, or those that are wrong on purpose."""
    found = []
    for path in sorted(place.rglob("tests-*.json")):
        if "format" in path.name or any(word in path.stem for word in WRONG) is not wrong:
            continue
        asked = tuple(
            Asked(
                {name: _from_text(one["request"][name]) for name in ("principal", "action", "resource")}
                | {"context": one["request"]["context"]},
                json.dumps(one["entities"]),
                one["decision"],
                frozenset(one["reason"]),
                one["num_errors"],
            )
            for one in json.loads(path.read_text())
        )
        schema = (path.parent / "schema.cedarschema").read_text()
        name = f"{path.parent.name}/{path.stem}"
        found.append(
            Case(name, (path.parent / "policy.cedar").read_text(), schema, asked, valid=True, own_ids=True)
        )
    return found


def integration_cases() -> list[Case]:
    """Return Cedar's integration tests; skips the test without them."""
    if not (named := os.environ.get(INTEGRATION)):
        pytest.skip(f"Cedar's integration tests are in no package; {INTEGRATION} may name a checkout")
    root = Path(named)
    found = sorted((root / "tests").rglob("*.json"))
    return [_integration_case(root, path) for path in found if "shouldValidate" in _json(path)]


def _integration_case(root: Path, path: Path) -> Case:
    case = json.loads(path.read_text())
    beside = path.with_suffix(".validation.json")
    known = json.loads(beside.read_text()) if beside.exists() else {}
    fits = [one["strict"] for one in known.get("requestValidation") or ()]
    policies = known.get("policyValidation", {}).get("perPolicy", {})
    entities = (root / case["entities"]).read_text()
    asked = []
    for number, one in enumerate(case.get("requests", case.get("queries"))):
        if None in (one["principal"], one["resource"]) or "decision" not in one:
            continue  # a request without an end is none since Cedar 4
        asked.append(
            Asked(
                {name: one[name] for name in ("principal", "action", "resource", "context")},
                entities,
                one["decision"].lower(),
                frozenset(one.get("reason", one.get("reasons"))),
                frozenset(one["errors"]),
                fits[number] if fits else one.get("validateRequest", True),
            )
        )
    return Case(
        str(path.relative_to(root)),
        (root / case["policies"]).read_text(),
        (root / case["schema"]).read_text(),
        tuple(asked),
        case["shouldValidate"],
        frozenset(name for name, one in policies.items() if not one["strict"]) if known else None,
        frozenset(name for name, one in policies.items() if _is_idle(one.get("strictErrors", ()))),
    )


def _is_idle(errors: Sequence[str]) -> bool:
    return bool(errors) and all("unable to find an applicable action" in one for one in errors)


def _said(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"these cases cannot be had: `{command[0]}` said {done.stderr[-300:]}")
    return done.stdout


def _from_text(uid: str) -> dict[str, str]:
    kind, _, name = uid.partition('::"')
    return {"type": kind, "id": json.loads(f'"{name}')}


def rules_of(text: str) -> tuple[list[CedarRule], Verdict]:
    """Return the rules that remit reads, and why it reads none."""
    rules, problems = parse([PolicySource("policies/case.cedar", text)])
    for problem in problems:
        if problem.severity == "error":
            assert problem.line, problem
            assert problem.remediation, problem
            if "template" in problem.text:
                return [], Verdict.TEMPLATE
            if "characters that an id cannot have" in problem.text:
                return [], Verdict.NAME
            return [], Verdict.FAILED
    return rules, Verdict.PASSED


def same_policies(rules: Sequence[CedarRule], text: str) -> bool:
    """Return whether remit's pieces, and what it compiles from them, are what Cedar reads in the whole."""
    whole = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]
    compiled = policy_set({rule.ref.id: rule.canonical for rule in rules})
    printed = json.loads(cedarpy.policies_to_json_str(str(compiled)))["staticPolicies"]
    read = [rule.policy for rule in rules]
    return read == [whole[f"policy{number}"] for number in range(len(whole))] and sorted(
        map(_bare, printed.values())
    ) == sorted(map(_bare, read))


def _bare(policy: Json) -> str:
    return json.dumps({name: one for name, one in policy.items() if name != "annotations"}, sort_keys=True)


class Split:
    """Answers requests by remit's index of scopes and in remit's two parts, with the entities of one case."""

    def __init__(self, rules: Sequence[CedarRule], entities: Any, schema: str | None) -> None:
        """Take rules; with a schema, a request that does not fit it is an error."""
        self._rules = rules
        self._entities = entities
        self._schema = schema
        self._named = frozenset[Uid]().union(*(rule.uids for rule in rules))
        self._above: dict[Uid, frozenset[Uid]] = {}
        self._stands: dict[tuple[str, ...], Stand] = {}

    def ask(self, request: dict[str, Json]) -> Found:
        """Return what matches a request."""
        found = Found()
        able = [rule for rule in self._rules if self._matches(rule, request)]
        for kind in (True, False):
            if some := tuple(rule for rule in able if steady(rule) is kind):
                stand = self._stand(some)
                found = found.join(stand.evaluate(rule_groups.Asked(request, stand.part.groups)))
        return found

    def _matches(self, rule: CedarRule, request: dict[str, Json]) -> bool:
        for name in ("principal", "action", "resource"):
            uid = request[name]["type"], request[name]["id"]
            if uid not in self._above:
                self._above[uid] = above(uid, self._named, self._entities)
            if not getattr(rule, name).matches(uid, self._above[uid]):
                return False
        return True

    def _stand(self, rules: tuple[CedarRule, ...]) -> Stand:
        key = tuple(rule.ref.id for rule in rules)
        if key not in self._stands:
            permits = frozenset(rule.ref.id for rule in rules if rule.permits)
            compiled = CompiledRules(rules)
            group = compiled.group(tuple(range(len(rules))), flat=False)
            shape = Shape(Kind.RECORD)
            part = Part(rules, shape, self._schema, permits, False, (group,), group, None)
            self._stands[key] = Stand(part, compiled, {}, self._entities, None)
        return self._stands[key]


def handle(entities: str, schema: str) -> Any:
    """Return entities, with the actions of a schema if they fit it; those of one example do not."""
    try:
        return cedarpy.Entities.from_json_str(entities, schema)
    except ValueError:
        return cedarpy.Entities.from_json_str(entities)


def above(uid: Uid, named: frozenset[Uid], entities: Any) -> frozenset[Uid]:
    """Return an entity with those named entities that Cedar finds it below."""
    question = "permit (principal, action, resource) when {{ {} in {} }};"
    nothing = {name: {"type": "Nothing", "id": ""} for name in ("principal", "action", "resource")}
    return frozenset({uid}) | {
        one
        for one in named
        if cedarpy.is_authorized(nothing, question.format(_text(uid), _text(one)), entities).allowed
    }


def _text(uid: Uid) -> str:
    return f"{uid[0]}::{quoted(uid[1])}"


def judge(case: Case) -> Iterator[tuple[Verdict, str]]:
    """Yield what becomes of a case's policies, their validation, and each request."""
    rules, verdict = rules_of(case.policies)
    if verdict is Verdict.PASSED and not same_policies(rules, case.policies):
        verdict = Verdict.FAILED
    yield verdict, f"{case.name}: its policies"
    if verdict is not Verdict.PASSED:
        return
    own = case.own_ids
    names = {rule.ref.id: _cedar_id(number, rule, own=own) for number, rule in enumerate(rules)}
    found = frozenset(names.get(one, one) for one in validate_alone(rules, case.schema))
    if case.invalid is not None:
        verdict = Verdict.FAILED
        if found == case.invalid - case.idle:
            verdict = Verdict.IDLE if case.idle else Verdict.PASSED
        yield verdict, f"{case.name}: invalid are {sorted(found)}, not {sorted(case.invalid)}"
    elif case.valid is not None:
        yield (
            (Verdict.PASSED if case.valid is not bool(found) else Verdict.FAILED),
            f"{case.name}: invalid are {sorted(found)}",
        )
    for asked in case.asked:
        yield _heard(case, {names[rule.ref.id]: rule for rule in rules}, asked, unfit=found)


def _cedar_id(number: int, rule: CedarRule, *, own: bool) -> str:
    """Return the id that Cedar gives a policy."""
    named = rule.policy.get("annotations", {}).get("id") if own else None
    return named or f"policy{number}"


def _heard(
    case: Case, by_name: Mapping[str, CedarRule], asked: Asked, *, unfit: frozenset[str]
) -> tuple[Verdict, str]:
    entities = handle(asked.entities, case.schema)
    found = Split(list(by_name.values()), entities, case.schema).ask(asked.request)
    told = f"{case.name}: {found} for {asked.request}"
    if not asked.fits:
        return (Verdict.FAILED if found.permits or found.forbids else Verdict.REFUSED), told
    policies = policy_set({name: rule.canonical for name, rule in by_name.items()})
    said = by_cedar(asked.request, policies, entities, case.schema)
    can_fail = {name for name, rule in by_name.items() if rule_parts(rule.policy)[2]}
    known = {_uid(one["uid"]) for one in json.loads(asked.entities)}
    # A read of an entity that is not there fails, too; remit always gives the entities of a call.
    there = all(_uid(asked.request[name]) in known for name in ("principal", "resource"))
    if by_remit(found, by_name) != said or (there and not said[2] <= can_fail | unfit):
        return Verdict.FAILED, f"{told}, and Cedar says {said}"
    errors: frozenset[str] | int = said[2] if isinstance(asked.errors, frozenset) else len(said[2])
    if (said[0], said[1], errors) != (asked.decision, asked.reasons, asked.errors):
        return Verdict.DIFFERS, f"{told} is not {asked}"
    return Verdict.PASSED, told


Answer = tuple[str, frozenset[str], frozenset[str]]
"""The decision, the policies that determine it, and those that err."""


def by_cedar(request: dict[str, Json], policies: Any, entities: Any, schema: str | None) -> Answer:
    """Return the answer of Cedar to the whole set of policies."""
    whole = cedarpy.is_authorized(request, policies, entities, schema)
    reasons = frozenset(whole.diagnostics.reasons)
    return "allow" if whole.allowed else "deny", reasons, _errs(whole.diagnostics.errors)


def by_remit(found: Found, by_name: Mapping[str, CedarRule]) -> Answer:
    """Return remit's answer, with the names that Cedar has for the policies."""
    names = {rule.ref.id: name for name, rule in by_name.items()}
    decision = "allow" if found.permits and not found.forbids else "deny"
    spoke = frozenset(names[one] for one in found.forbids or found.permits)
    return decision, spoke, frozenset(names[one] for one in _errs(found.errors))


def _errs(texts: Sequence[str]) -> frozenset[str]:
    found = [(text, _ERRED.search(text)) for text in texts]
    assert all(one for _, one in found), found
    return frozenset(one.group(1) for _, one in found if one)


def counted(cases: Sequence[Case]) -> dict[Verdict, int]:
    """Judge cases, and return how often there was which verdict."""
    judged = [one for case in cases for one in judge(case)]
    failed = [why for verdict, why in judged if verdict is Verdict.FAILED]
    assert not failed, "\n".join(failed)
    return Counter(verdict for verdict, _ in judged)


def note(found: Mapping[Verdict, int], record: Note) -> None:
    """Keep the figures for the documentation."""
    for verdict, number in found.items():
        record(verdict.value, number)


def calls_of(place: Path) -> Iterator[dict[str, Json]]:
    """Yield every call of an example: its entities, by the types of each action, in each of its contexts."""
    entities = [_uid(one["uid"]) for one in _json(entities_of(place))]
    contexts = [{}, *(_json(path) for path in sorted(place.glob("context*.json")))]
    for space, names in _json(place / "schema.cedarschema.json").items():
        prefix = f"{space}::" if space else ""
        for action, one in names["actions"].items():
            kinds = [
                {f"{prefix}{kind.removeprefix(prefix)}" for kind in one["appliesTo"][end]}
                for end in ("principalTypes", "resourceTypes")
            ]
            for (kind, who), (other, what) in itertools.product(entities, entities):
                if kind in kinds[0] and other in kinds[1]:
                    for context in contexts:
                        yield {
                            "principal": {"type": kind, "id": who},
                            "action": {"type": f"{prefix}Action", "id": action},
                            "resource": {"type": other, "id": what},
                            "context": context,
                        }


def entities_of(place: Path) -> Path:
    """Return the file with the entities of an example."""
    (found,) = place.glob("entit*.json")
    return found


def _json(path: Path) -> Json:
    return json.loads(path.read_text())


def _uid(uid: Json) -> Uid:
    uid = uid.get("__entity", uid)
    return uid["type"], uid["id"]


@pytest.mark.slow
def test_the_cases_of_cedar_in_go_pass(record_property: Note) -> None:
    """The same policies fit their schemas, and each answer is Cedar's own."""
    found = counted(go_cases())
    note(found, record_property)
    assert found == GO


@pytest.mark.slow
def test_the_cases_of_cedar_s_program_pass(tmp_path: Path, record_property: Note) -> None:
    """Those that are wrong on purpose are found to be."""
    place = crate_data(tmp_path)
    found = counted(crate_cases(place))
    note(found, record_property)
    assert found == PROGRAM
    assert counted(crate_cases(place, wrong=True)) == PROGRAM_WRONG


@pytest.mark.slow
def test_the_example_policies_decide_every_call_as_in_cedar(tmp_path: Path, record_property: Note) -> None:
    """For each call of the entities of an example: the decision, what determines it, and what errs."""
    place, found, decided = crate_data(tmp_path), Counter[Verdict](), Counter[str]()
    for path in sorted(place.rglob("*.cedar")):
        text = path.read_text()
        rules, verdict = rules_of(text)
        found[verdict] += 1
        if verdict is Verdict.NAME:
            text = _OWN_ID.sub("", text)
            rules, verdict = rules_of(text)
        if verdict is not Verdict.PASSED:
            continue
        assert same_policies(rules, text), path
        if not (path.parent / "schema.cedarschema.json").exists() or not list(path.parent.glob("entit*")):
            continue
        schema = (path.parent / "schema.cedarschema").read_text()
        entities = handle(entities_of(path.parent).read_text(), schema)
        policies = policy_set({rule.ref.id: rule.canonical for rule in rules})
        by_name, split = {rule.ref.id: rule for rule in rules}, Split(rules, entities, None)
        for call in calls_of(path.parent):
            said = by_cedar(call, policies, entities, None)
            assert by_remit(split.ask(call), by_name) == said, (path, call)
            decided["an error" if said[2] else said[0]] += 1
    note({**found, Verdict.PASSED: decided.total()}, record_property)
    assert found == EXAMPLES
    assert decided == DECIDED


@pytest.mark.slow
def test_policies_of_another_world_are_refused_alike_in_the_other_process(tmp_path: Path) -> None:
    """Each of their problems says what to do, and no text stops the process that checks others' texts."""
    texts = [path.read_text() for path in sorted(crate_data(tmp_path).rglob("*.cedar"))]
    texts += [case.policies for case in go_cases()]
    sources = [PolicySource(f"policies/{number}.cedar", text) for number, text in enumerate(texts)]
    here = CedarPolicies().check(sources, TOOLS, [SUMMARISE], [CLERK])
    apart = CedarPolicies(check=IncrementalCheck(CheckerProcess()))
    there = apart.check(sources, TOOLS, [SUMMARISE], [CLERK])
    # Cedar names what it finds in one policy in any order.
    assert sorted(there, key=repr) == sorted(here, key=repr)
    assert {problem.severity for problem in here} == {"error", "warning"}
    assert [problem for problem in here if not problem.remediation or not problem.line] == []


@pytest.mark.slow
def test_the_integration_tests_of_cedar_pass(record_property: Note) -> None:
    """Where a checkout of them is named."""
    found = counted(integration_cases())
    note(found, record_property)
    assert found[Verdict.PASSED]
    assert not found[Verdict.DIFFERS]
