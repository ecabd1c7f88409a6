# SPDX-License-Identifier: Apache-2.0
"""Cases for policies, as people write them in YAML: what is called, and how it has to be decided."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta

from remit.config.reading.decoding import Problems, read
from remit.config.reading.section import Seconds, Section
from remit.config.reading.yaml_lines import Node, read_text, read_yaml
from remit.core.circumstances.circumstances import UNKNOWN, BudgetUse
from remit.core.errors import ConfigInvalid, NotFound
from remit.core.json_value import Json

#: Folder of the cases, beside `policies/`.
CASES: Final = "tests"
ENDINGS: Final = (".yaml", ".yml")
MAX_FILE_BYTES: Final = 1 << 20
MAX_FILES: Final = 1000
Expected = Literal["permit", "deny", "defer"]


class StatedAgent(Section, frozen=True, kw_only=True):
    """The agent of a call with given facts."""

    name: str = "agent"
    groups: tuple[str, ...] = ()
    owner: str = "owner"
    purpose: str = ""
    environment: str = "development"
    initiative: str = ""
    state: Literal["registered", "active", "suspended", "retired"] = "active"


class StatedTask(Section, frozen=True, kw_only=True):
    """The task of a call with given facts."""

    type: str = ""
    on_behalf_of: str = ""
    requested_by: str = ""
    params: dict[str, Json] = {}


class StatedLabel(Section, frozen=True, kw_only=True):
    """The label of the task of a call with given facts."""

    data_class: Annotated[str, Meta(description="one of the data classes")] = ""
    categories: tuple[str, ...] = ()
    untrusted: bool = False
    zones: tuple[str, ...] = ()


class StatedEnvironment(Section, frozen=True, kw_only=True):
    """Where and when a call with given facts is made."""

    windows: tuple[str, ...] = ()
    frozen: bool = False
    network: str = UNKNOWN
    risk: Literal["low", "medium", "high", "unknown"] = "unknown"


class StatedPosture(Section, frozen=True, kw_only=True):
    """What is known about the agent of a call with given facts."""

    attestation: str = ""
    findings: tuple[str, ...] = ()
    claims: dict[str, Json] = {}


class StatedBudget(BudgetUse, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the task of a call with given facts has used, and has left."""


#: A Monday at noon: a case decides the same whenever it runs.
WORKDAY = "2026-01-05T12:00:00Z"


class StatedFacts(Section, frozen=True, kw_only=True):
    """What policies read of a call, where a case states it; every other fact is as for a harmless call."""

    agent: StatedAgent = StatedAgent()
    task: StatedTask = StatedTask()
    label: StatedLabel = StatedLabel()
    flow: dict[str, Json] = {}
    provenance: dict[str, str] = {}
    record: dict[str, Json] = {}
    assurance: str = "key-bound"
    crossings: int = 0
    history: Annotated[dict[str, int], Meta(description="what happened before, by counter")] = {}
    environment: StatedEnvironment = StatedEnvironment()
    posture: StatedPosture = StatedPosture()
    budget: StatedBudget = StatedBudget()
    now: Annotated[str, Meta(description="a time, such as 2026-03-04T12:00:00Z")] = WORKDAY


class CaseStep(Section, frozen=True, kw_only=True):
    """One call of a case, and how it has to be decided.

    `rules` must be among the rules that decide. `result` is what the tool returns, with `error` as its own
    error; `approve` lets a person approve a deferred call, which then has to pass. `says` is a message of the
    person before the call, `wait` the time that passes before it.
    """

    call: Annotated[str, Meta(description="upstream/tool")]
    arguments: dict[str, Json] = {}
    expect: Expected
    rules: tuple[str, ...] = ()
    result: Json = None
    error: bool = False
    approve: bool = False
    says: str = ""
    wait: Seconds = 0


class PolicyCase(Section, frozen=True, kw_only=True):
    """One case: a task with steps, rehearsed whole, or one call with given facts."""

    case: Annotated[str, Meta(description="what has to hold, in words", min_length=1)]
    task: str = ""
    agent: str = ""
    on_behalf_of: str = ""
    alone: Annotated[bool, Meta(description="the agent requests the task itself, for no person")] = False
    environment: Annotated[str, Meta(description="where an agent that is new here belongs")] = ""
    intent: str = ""
    params: dict[str, Json] = {}
    plan: tuple[str, ...] | None = None
    at: Annotated[str, Meta(description="when the task is opened, such as 2026-03-04T23:00:00Z")] = WORKDAY
    facts: StatedFacts | None = None
    steps: Annotated[tuple[CaseStep, ...], Meta(description="calls, in order", min_length=1)]


class CaseFile(Section, frozen=True, kw_only=True):
    """A file of cases."""

    cases: Annotated[tuple[PolicyCase, ...], Meta(description="cases, in order")]


class ReadCase(Section, frozen=True, kw_only=True):
    """A case with its place: the line of the case, and that of each step."""

    file: str
    line: int
    step_lines: tuple[int, ...]
    case: PolicyCase


def read_cases(folder: Path, paths: tuple[str, ...] = ()) -> list[ReadCase]:
    """Return the cases of files and folders, by default those of `tests/` in a bundle's folder.

    Raises `NotFound` if there is none, and `ConfigInvalid` with file and line for a case that is not valid.
    """
    found: list[ReadCase] = []
    for place in [Path(path) for path in paths] or [folder / CASES]:
        if place.is_dir() or not paths:
            files = sorted(one for one in place.rglob("*") if one.suffix in ENDINGS)
        else:
            files = [place]
        for file in files[:MAX_FILES]:
            name = file.relative_to(folder).as_posix() if file.is_relative_to(folder) else str(file)
            found += _cases(file, name)
    if not found:
        raise NotFound(
            "no case to test",
            remediation=f"write one in `{CASES}/` (docs/howto/test-policies.md), or give its file",
        )
    return found


def _cases(file: Path, name: str) -> list[ReadCase]:
    try:
        content = file.read_bytes()
    except OSError as fault:
        raise ConfigInvalid(
            f"cannot be read: {fault.strerror}", file=name, remediation="give a file of cases"
        ) from None
    if len(content) > MAX_FILE_BYTES:
        raise ConfigInvalid("is larger than 1 MiB", file=name, remediation="split it")
    node = read_yaml(read_text(content, name), name)
    problems = Problems(name, file.parent)
    form = read(node, CaseFile, problems)
    if isinstance(form, CaseFile):
        for number, case in enumerate(form.cases):
            _sense(case, node, f"cases[{number}]", problems)
    if problems.found:
        raise problems.found[0]
    assert isinstance(form, CaseFile)
    return [
        ReadCase(
            file=name,
            line=node.line_of(f"cases[{number}].case"),
            step_lines=tuple(
                node.line_of(f"cases[{number}].steps[{step}].call") for step in range(len(case.steps))
            ),
            case=case,
        )
        for number, case in enumerate(form.cases)
    ]


def _sense(case: PolicyCase, node: Node, key: str, problems: Problems) -> None:
    """Note what a case says and cannot mean."""
    line = node.line_of(f"{key}.case")
    if case.facts is None and not case.task:
        way = "name the task type with `task:`, or state the facts of one call with `facts:`"
        problems.add("a case has a task, or facts", line=line, key=key, remediation=way)
    whole = case.task or len(case.steps) > 1 or case.intent or case.plan is not None or case.at != WORKDAY
    if case.facts is not None and whole:
        way = "leave out `task`, `intent`, `plan` and `at`, and write one step; or leave out `facts`"
        problems.add("a case with facts is one call", line=line, key=key, remediation=way)
    for number, step in enumerate(case.steps):
        upstream, _, name = step.call.partition("/")
        if not upstream or not name:
            at = f"{key}.steps[{number}].call"
            problems.add(
                f"`{step.call[:80]}` is not a tool",
                line=node.line_of(at),
                key=at,
                remediation="write `upstream/tool`",
            )
