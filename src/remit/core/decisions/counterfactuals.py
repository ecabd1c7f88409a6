# SPDX-License-Identifier: Apache-2.0
"""What could have been otherwise about a call: single changes, each of which is decided again.

Nothing here says what a change leads to. A change is offered only where the rules in question read a fact
that it changes, and everything else about the call stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.flow.facts import NO_VALUE
from remit.core.flow.justification import Justification, Provenance
from remit.core.flow.records.participants import KNOWN, UNREAD
from remit.core.identity.workload import Assurance
from remit.core.json_value import Json
from remit.core.label import Classes, Trust
from remit.core.tasks.plan import PLANNED, UNPLANNED
from remit.core.tools.tool import Argument

ChangeKind = Literal[
    "rule", "approval", "argument", "statement", "lookup", "plan", "data", "identity", "task"
]

#: Values that are tried for one argument.
MAX_VALUES: Final = 12
#: Characters of a value in words.
MAX_SHOWN: Final = 60
_KINDS: Final = ("destination", "selector", "personal", "content", "code", "secret", "choice", "amount")
_REACHED: Final = ("destination", "selector", "personal", "secret", "choice", "amount")
#: Dotted names of facts that a change above covers, by their beginnings.
_TRIED: Final = (
    *(
        "context.args.",
        "context.arg_names",
        "context.flow.",
        "context.provenance.",
        "context.destination_trust",
    ),
    *("context.label", "context.task_label", "context.cleared", "context.assurance", "principal.environment"),
    *("context.task.environment", "context.task.type", "context.task.purpose", "context.crossings"),
)


class Counterfactual(msgspec.Struct, frozen=True):
    """One change of a call: its kind, what it is about, its words after an `if`, and the changed request."""

    kind: ChangeKind
    about: str
    words: str
    request: AccessRequest


def counterfactuals(
    request: AccessRequest,
    reads: frozenset[str],
    compared: Sequence[tuple[str, Json]],
    *,
    classes: Classes,
    types: Iterable[str] = (),
) -> Iterator[Counterfactual]:
    """Yield the changes of a call whose facts some rules read.

    `reads` are the dotted names of these facts, `compared` the literals that the rules compare them with.
    `types` are the other task types that grant the tool.
    """
    yield from _arguments(request, reads, compared, classes)
    if any(
        one.startswith(("context.flow", "context.provenance", "context.destination_trust")) for one in reads
    ):
        yield from _flow(request)
    if any(one.startswith(("context.label", "context.task_label", "context.cleared")) for one in reads):
        yield from _labels(request, classes)
    if any(one.startswith("context.assurance") for one in reads):
        now = request.principal.assurance
        for level in Assurance:
            if level > now:
                principal = msgspec.structs.replace(request.principal, assurance=level)
                words = f"the agent proved its identity with assurance {level.word}"
                yield Counterfactual("identity", "assurance", words, _with(request, principal=principal))
    if not reads.isdisjoint({"principal.environment", "context.task.environment"}):
        yield from _environments(request, compared)
    if not reads.isdisjoint({"context.task.type", "context.task.purpose"}):
        for name in types:
            task = msgspec.structs.replace(request.task, type=name)
            yield Counterfactual("task", "type", f"the task were of type `{name}`", _with(request, task=task))


def not_tried(reads: frozenset[str]) -> tuple[str, ...]:
    """Return the facts of which no change is tried; another tool would be another call."""
    return tuple(sorted(one for one in reads if not one.startswith((*_TRIED, "action."))))


def _with(request: AccessRequest, **changes: Any) -> AccessRequest:
    return msgspec.structs.replace(request, **changes)


def _arguments(
    request: AccessRequest, reads: frozenset[str], compared: Sequence[tuple[str, Json]], classes: Classes
) -> Iterator[Counterfactual]:
    schema = request.tool.input_schema
    properties, required = schema.get("properties") or {}, schema.get("required") or ()
    named = {one.split(".")[2] for one in reads if one.startswith("context.args.")}
    if "context.arg_names" in reads:
        named |= {str(value) for fact, value in compared if fact == "context.arg_names"}
    for name in sorted(named):
        spec = properties.get(name) if isinstance(properties, dict) else None
        for value in _values(request, name, spec if isinstance(spec, dict) else {}, compared):
            words = f"`{name}` were {_shown(value)}"
            yield Counterfactual(
                "argument", name, words, _given(request, {**request.arguments, name: value}, classes)
            )
        if name in request.arguments and name not in required:
            left = {one: value for one, value in request.arguments.items() if one != name}
            yield Counterfactual("argument", name, f"`{name}` were left out", _given(request, left, classes))


def _given(request: AccessRequest, arguments: dict[str, Json], classes: Classes) -> AccessRequest:
    tool = request.tool.called_with(arguments)
    cleared = classes.cleared(tool.audience, request.label)
    return _with(request, arguments=arguments, tool=tool, tier=tool.tier, cleared=cleared)


def _values(
    request: AccessRequest, name: str, spec: dict[str, Json], compared: Sequence[tuple[str, Json]]
) -> list[Json]:
    """Return values to try for an argument: what the rules and the schema name, and the task's own."""
    kind, now = spec.get("type"), request.arguments.get(name)
    numbers = kind in ("integer", "number")
    found: list[Json] = []
    for value in (value for fact, value in compared if fact == f"context.args.{name}"):
        if numbers and isinstance(value, int | float) and not isinstance(value, bool):
            found += [value, value - 1, value + 1]
        else:
            found.append(value)
    found += spec.get("enum") or () if isinstance(spec.get("enum"), list) else ()
    found += [False, True] if kind == "boolean" else ()
    found += [value for value in request.task.intent.params.values() if isinstance(value, type(now))]
    if kind == "integer":
        found = [int(value) for value in found if isinstance(value, int | float) and value == int(value)]
    unique = [value for at, value in enumerate(found) if value != now and value not in found[:at]]
    if numbers and isinstance(now, int | float):
        unique.sort(key=lambda value: abs(value - now))
    return unique[:MAX_VALUES]


def _shown(value: Json) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."


def _flow(request: AccessRequest) -> Iterator[Counterfactual]:
    facts = request.flow.facts
    for kind in _KINDS:
        now = getattr(facts, kind)
        names = [name for name in request.arguments if kind in _kinds_of(request.tool.arguments.get(name))]
        if now in (NO_VALUE, Provenance.INTENT.value) or not names:
            continue
        told = " and ".join(f"`{name}`" for name in names)
        yield Counterfactual("statement", kind, f"the person stated {told}", _stated(request, kind, names))
        if not facts.asked:
            asked = _stated(request, kind, names, asked=True)
            words = f"the person stated {told}, and asked for what the tool does"
            yield Counterfactual("statement", kind, words, asked)
        if kind in _REACHED and not getattr(facts, f"{kind}_reached"):
            words = f"a look-up by the task's own parameters had found {told}"
            yield Counterfactual("lookup", kind, words, _reached(request, kind, names))
    if not facts.asked:
        words = "the person's words asked for what the tool does"
        yield Counterfactual("statement", "asked", words, _facts(request, asked=True))
    if facts.plan == UNPLANNED:
        yield Counterfactual(
            "plan", "plan", f"the task's plan named `{request.tool.id}`", _facts(request, plan=PLANNED)
        )
    if facts.participants == UNREAD:
        words = "the task had read who takes part"
        yield Counterfactual("lookup", "participants", words, _facts(request, participants=KNOWN))
    if facts.tainted:
        label = msgspec.structs.replace(request.label, trust=Trust.TRUSTED)
        worst = {kind: "unknown" for kind in _KINDS if getattr(facts, kind) == Provenance.UNTRUSTED.value}
        clean = _facts(request, tainted=False, content_foreign=False, crossed=False, spent=False, **worst)
        words = "the task had read no data that others may have written"
        yield Counterfactual("data", "trust", words, _with(clean, label=label))


def _kinds_of(spec: Argument | None) -> tuple[str, ...]:
    """Return the kinds of facts to which an argument contributes."""
    if spec is None:
        return ("content",)
    own = "choice" if spec.least else "secret" if spec.secret else spec.role.value
    return (own, "personal") if spec.personal else (own,)


def _facts(request: AccessRequest, **changes: Any) -> AccessRequest:
    facts = msgspec.structs.replace(request.flow.facts, **changes)
    return _with(request, flow=msgspec.structs.replace(request.flow, facts=facts))


def _stated(request: AccessRequest, kind: str, names: Sequence[str], **more: Any) -> AccessRequest:
    changes: dict[str, Any] = {kind: Provenance.INTENT.value, "doubtful": False, "closed": False, **more}
    changes |= {"spent": False, "anchored": True} if kind in ("destination", "selector") else {}
    changes |= {"destination_free": False, "destination_among": False} if kind == "destination" else {}
    changes |= {"content_foreign": False} if kind == "content" else {}
    changes |= {"amount_differs": False} if kind == "amount" else {}
    return _justified(_facts(request, **changes, **_reaching(kind)), names, Provenance.INTENT)


def _reached(request: AccessRequest, kind: str, names: Sequence[str]) -> AccessRequest:
    changes: dict[str, Any] = {kind: Provenance.TRUSTED.value, **_reaching(kind)}
    return _justified(_facts(request, **changes), names, Provenance.TRUSTED)


def _reaching(kind: str) -> dict[str, Any]:
    reached = {f"{kind}_reached": True} if kind in _REACHED else {}
    pointed = {f"{kind}_pointed": True} if kind in ("destination", "selector") else {}
    return {**reached, **pointed, **({"personal_parameter": True} if kind == "personal" else {})}


def _justified(request: AccessRequest, names: Sequence[str], provenance: Provenance) -> AccessRequest:
    arguments = {**request.flow.arguments, **{name: Justification(provenance) for name in names}}
    return _with(request, flow=msgspec.structs.replace(request.flow, arguments=arguments))


def _labels(request: AccessRequest, classes: Classes) -> Iterator[Counterfactual]:
    label, audience = request.label, request.tool.audience
    for name in reversed(classes.order[: classes.rank(label.data_class)]):
        lower = msgspec.structs.replace(label, data_class=name)
        changed = _with(request, label=lower, cleared=classes.cleared(audience, lower))
        yield Counterfactual("data", "class", f"the task carried no data above class `{name}`", changed)
    if label.categories:
        lower = msgspec.structs.replace(label, categories=frozenset())
        changed = _with(request, label=lower, cleared=classes.cleared(audience, lower))
        told = ", ".join(f"`{one}`" for one in sorted(label.categories))
        yield Counterfactual("data", "categories", f"the task carried no data of category {told}", changed)
    if label.trust is Trust.UNTRUSTED and not request.flow.facts.tainted:
        trusted = _with(request, label=msgspec.structs.replace(label, trust=Trust.TRUSTED))
        yield Counterfactual(
            "data", "trust", "the task had read no data that others may have written", trusted
        )


def _environments(request: AccessRequest, compared: Sequence[tuple[str, Json]]) -> Iterator[Counterfactual]:
    facts = ("principal.environment", "context.task.environment")
    named = {str(value) for fact, value in compared if fact in facts}
    for name in sorted({"development", "production", *named} - {request.agent.environment}):
        agent = msgspec.structs.replace(request.agent, environment=name)
        task = msgspec.structs.replace(request.task, environment=name)
        words = f"the agent were registered for environment `{name}`"
        yield Counterfactual("identity", "environment", words, _with(request, agent=agent, task=task))
