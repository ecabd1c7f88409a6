# SPDX-License-Identifier: Apache-2.0
"""Checks and builds Rego policies with the program `opa`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from remit.adapters.policy.cedar.conditions import Conditions
from remit.adapters.policy.rego.builtins import problems_of_calls
from remit.adapters.policy.rego.bundle import manifest, revision_of
from remit.adapters.policy.rego.program import UNREADABLE, OpaFailed, OpaFolder, OpaProgram
from remit.adapters.policy.rego.reads import problems_of_reads
from remit.adapters.policy.rego.rule_groups import GroupedPolicies, grouped
from remit.adapters.policy.rego.rules import RegoRule, ids_of, rules_of
from remit.adapters.policy.rego.syntax import Definition, ParsedFile, definitions, redefined
from remit.adapters.policy.rego.words import bodies_that_never_hold, problems_of_words
from remit.adapters.policy.types import Shape
from remit.core.policy.vocabulary import Words
from remit.core.tools.tool import Tool
from remit.ports.policy import PolicySource, Problem

_SCHEMA: Final = "remit-schema.json"
_BUNDLE: Final = "remit-bundle.tar.gz"
_TESTS: Final = "_test.rego"


class KnownInputs(NamedTuple):
    """What rules can read: the type of `input` by tool, that of a call of no tool, and the schema as text.

    `everywhere` is the type of a call of any tool, or of none: a tool whose arguments are not known yet has
    the type of no tool. `words` are the words of each fact that has a limited number of them.
    """

    by_tool: Mapping[str, Shape]
    bare: Shape
    everywhere: Shape
    schema: str
    tools: Sequence[Tool] = ()
    words: Mapping[str, Words] = {}


class ExaminedRego(NamedTuple):
    """The rules of some files, all definitions there, and their problems."""

    rules: list[RegoRule]
    known: list[Definition]
    problems: list[Problem]


def policies_in(sources: Sequence[PolicySource]) -> list[PolicySource]:
    """Return the files that decide; tests (`_test.rego`) do not."""
    return [one for one in sources if not one.file.endswith(_TESTS)]


def examined(
    program: OpaProgram, sources: Sequence[PolicySource], inputs: KnownInputs, *, in_process: bool
) -> ExaminedRego:
    """Parse and check policies; `in_process` refuses the functions that are not available there."""
    sources = policies_in(sources)
    try:
        with program.folder({one.file: one.text for one in sources}) as folder:
            return _examined(folder, sources, inputs, in_process=in_process)
    except OpaFailed as fault:
        return ExaminedRego([], [], [_failure(fault)])


def _examined(
    folder: OpaFolder, sources: Sequence[PolicySource], inputs: KnownInputs, *, in_process: bool
) -> ExaminedRego:
    files: list[ParsedFile] = []
    problems: list[Problem] = []
    for source in sources:
        tree = folder.parse(source.file)
        if isinstance(tree, list):
            problems += tree
        else:
            files.append(ParsedFile(source.file, source.text, tree))
    try:
        known = definitions(files)
        rules, found = rules_of(known)
    except (LookupError, TypeError, AttributeError, ValueError):
        raise OpaFailed(UNREADABLE) from None
    problems += [*_operators(files), *found]
    if not _wrong(problems):
        problems += problems_of_reads(rules, inputs.by_tool, inputs.everywhere)
    if not _wrong(problems):
        problems += _comparisons(known, rules, inputs)
    if in_process:
        problems += problems_of_calls(known)
    if not _wrong(problems) and sources:
        folder.write(_SCHEMA, inputs.schema)
        problems += _named(folder.check("--schema", _SCHEMA, *(one.file for one in sources)), rules)
    return ExaminedRego(rules, known, problems)


def _operators(files: Sequence[ParsedFile]) -> Iterator[Problem]:
    for name, file, line in redefined(files):
        text = f"`{name}` is what an operator stands for, and this would give it another meaning"
        yield Problem("error", text, file, line, remediation="give it another name")


def _comparisons(
    known: Sequence[Definition], rules: Sequence[RegoRule], inputs: KnownInputs
) -> Iterator[Problem]:
    ids = ids_of(known)
    tools = {one.ref.id: [tool for tool in inputs.tools if tool.id in (one.tools or ())] for one in rules}
    found = list(problems_of_words(known, ids, {**tools, "": inputs.tools}, inputs.words))
    yield from found
    if not _wrong(found):  # else the finding says more
        yield from bodies_that_never_hold(known, ids, Conditions(inputs.words))


def built(program: OpaProgram, sources: Sequence[PolicySource], found: ExaminedRego, *, wasm: bool) -> bytes:
    """Return the bundle of policies that were examined; raise `OpaFailed`.

    A server looks up the rules of a tool by itself, so it gets the policies as they are.
    """
    sources = policies_in(sources)
    made = grouped(sources, found.rules, found.known) if wasm else GroupedPolicies(sources)
    files = {
        ".manifest": manifest(found.rules, made.divided, revision_of(sources)),
        "remit_decision.rego": made.module,
        **{one.file: one.text for one in made.sources},
    }
    entries = [word for name in sorted(made.divided.entries) for word in ("--entrypoint", name)]
    with program.folder({f"bundle/{name}": text for name, text in files.items()}) as folder:
        folder.build(
            *("--bundle", "bundle", *entries, "--output", _BUNDLE),
            *("--target", "wasm" if wasm else "rego"),
        )
        return folder.read(_BUNDLE)


def _failure(fault: OpaFailed) -> Problem:
    text = f"the policies cannot be checked: {fault}"
    return Problem("error", text, remediation="write fewer and simpler rules; check them file by file")


def _wrong(problems: Sequence[Problem]) -> bool:
    return any(one.severity == "error" for one in problems)


def _named(problems: Sequence[Problem], rules: Sequence[RegoRule]) -> Iterator[Problem]:
    """Yield problems with the rules in which they are: the last one that begins before the place."""
    for one in problems:
        above = [rule for rule in rules if rule.file == one.file and rule.line <= (one.line or 0)]
        rule = max(above, key=lambda rule: rule.line).ref.id if above else ""
        yield Problem(one.severity, one.text, one.file, one.line, rule, one.remediation)
