# SPDX-License-Identifier: Apache-2.0
"""The facts about a call that policies may read: `context`, and the attributes of agents and tools.

New facts are added as further attributes of `context`. No existing policy reads them, so none changes its
meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from remit.adapters.policy.types import (
    BOOL,
    DECIMAL,
    MOMENT,
    STRING,
    STRINGS,
    WHOLE,
    Kind,
    Path,
    Shape,
    TypeMismatch,
    Write,
    arguments,
    fit,
    record,
)
from remit.core.circumstances.circumstances import UNATTESTED
from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.bounded_approval import is_high_risk
from remit.core.errors import ConfigInvalid
from remit.core.flow.facts import FlowFacts
from remit.core.identity.principals import Agent
from remit.core.json_value import Json
from remit.core.label import Classes, Label, Trust
from remit.core.tasks.history import BUILT_IN, HistoryCounter
from remit.core.tasks.task import TaskType
from remit.core.tools.tool import Tool

AGENT = record(
    name=STRING,
    owner=STRING,
    purpose=STRING,
    environment=STRING,
    initiative=STRING,
    state=STRING,
    manifest=STRING,
)
TOOL = record(
    name=STRING,
    upstream=STRING,
    effect=STRING,
    audience=STRING,
    production=BOOL,
    financial=BOOL,
    described=BOOL,
    state=STRING,
    tier=STRING,
    tier_level=WHOLE,
    data_class=STRING,
    data_class_level=WHOLE,
    untrusted=BOOL,
)
LABEL = record(**{"class": STRING}, class_level=WHOLE, categories=STRINGS, untrusted=BOOL, zones=STRINGS)
CLEARANCE = record(**{"class": STRING}, class_level=WHOLE)
_SCALARS: Mapping[str, Shape] = {"str": STRING, "bool": BOOL, "int": WHOLE}
#: Known facts about the origin of a call's arguments, as `core.flow.facts` defines them.
FLOW = record(**{one.name: _SCALARS[str(one.type.__name__)] for one in msgspec.structs.fields(FlowFacts)})
_FLOW_FACTS = tuple(FLOW.fields)
_FACTS = {"string": STRING, "integer": WHOLE, "number": DECIMAL, "boolean": BOOL, "date": MOMENT}
NO_RECORD = Shape(Kind.RECORD)
#: Where and when the call is made, as remit itself knows it.
ENVIRONMENT = record(windows=STRINGS, frozen=BOOL, network=STRING, risk=STRING)
_USED = ("calls", "effectful_calls", "result_bytes", "family_calls")
_LEFT = (
    "calls_left",
    "effectful_calls_left",
    "result_bytes_left",
    "tokens_left",
    "spend_left",
    "sent_bytes_left",
)
#: What is left is absent where nothing bounds it.
BUDGET = Shape(Kind.RECORD, fields=dict.fromkeys((*_USED, *_LEFT), WHOLE), required=frozenset(_USED))
_PARAMETERS = {"string": STRING, "integer": WHOLE, "number": DECIMAL, "boolean": BOOL}


def parameters(task_types: Iterable[TaskType]) -> Shape:
    """Return the record of the intent parameters of all task types, each optional.

    A name to which two task types give different types has no type for policies and is listed in `hidden`.
    """
    fields: dict[str, Shape] = {}
    hidden: dict[str, str] = {}
    for task_type in task_types:
        for name, spec in task_type.parameters.items():
            shape = _PARAMETERS.get(spec.type)
            if name.startswith("__") or shape is None:
                hidden[name] = "of a type that policies do not support"
            elif fields.setdefault(name, shape) != shape:
                hidden[name] = "of several types"
    kept = {name: shape for name, shape in fields.items() if name not in hidden}
    return Shape(Kind.RECORD, fields=kept, hidden=hidden)


def record_facts(tools: Iterable[Tool]) -> Shape:
    """Return the record of the facts that tool files declare, each optional.

    A name to which two tools give different types has no type for policies and is listed in `hidden`.
    """
    fields: dict[str, Shape] = {}
    hidden: dict[str, str] = {}
    for field in (field for tool in tools for field in tool.fields if field.fact):
        name = field.path.rpartition(".")[2]
        if fields.setdefault(name, _FACTS[field.fact]) != _FACTS[field.fact]:
            hidden[name] = "of several types"
    kept = {name: shape for name, shape in fields.items() if name not in hidden}
    return Shape(Kind.RECORD, fields=kept, hidden=hidden)


def history_shape(counters: Iterable[HistoryCounter]) -> Shape:
    """Return the record of the history: the counters that every bundle has, and the declared ones."""
    optional = {one.name: one.optional for one in counters}
    names = (*BUILT_IN, *optional)
    required = frozenset(name for name in names if not optional.get(name))
    nullable = frozenset(names) - required
    return Shape(Kind.RECORD, fields=dict.fromkeys(names, WHOLE), required=required, nullable=nullable)


NO_HISTORY = history_shape(())


def history_read(paths: Iterable[Path], history: Shape) -> frozenset[str]:
    """Return the names in the history that reads below `context` reach."""
    found: set[str] = set()
    for path in paths:
        if path[:1] in ((), ("history",)):
            name = path[1] if len(path) > 1 else None
            found |= history.fields.keys() if name is None else {name}
    return frozenset(found)


def posture(claims: Mapping[str, str]) -> Shape:
    """Return the record of what is known about the agent itself; `claims` of its identity token are optional.

    `claims` are the types (`string`, `integer`, `boolean`) by name.
    """
    fields = {name: _PARAMETERS[kind] for name, kind in sorted(claims.items())}
    # A token may still carry a claim that the configuration does not let in any more.
    told = Shape(Kind.RECORD, fields=fields, closed=False)
    return record(attestation=STRING, findings=STRINGS, claims=told)


NO_CLAIMS = posture({})


def provenances(tool: Tool, args: Shape) -> Shape:
    """Return the record type of arguments' provenance, including the parts that the tool's file describes."""
    names = {*args.fields, *args.hidden, *tool.arguments}
    return Shape(Kind.RECORD, fields={name: STRING for name in sorted(names) if not name.startswith("__")})


def context_shape(
    tool: Tool,
    params: Shape,
    facts: Shape = NO_RECORD,
    history: Shape = NO_HISTORY,
    known_posture: Shape = NO_CLAIMS,
) -> Shape:
    """Return the type of `context` for calls of `tool`; `facts` are those of records."""
    task = record(
        id=STRING,
        type=STRING,
        purpose=STRING,
        environment=STRING,
        initiative=STRING,
        owner=STRING,
        on_behalf_of=STRING,
        requested_by=STRING,
        parent=BOOL,
        depth=WHOLE,
        params=params,
        attended=BOOL,
        preapproved=BOOL,
        ends_with_work=BOOL,
        lasts_s=WHOLE,
    )
    args = arguments(tool.input_schema)
    return record(
        args=args,
        arg_names=STRINGS,
        tier=STRING,
        tier_level=WHOLE,
        effect=STRING,
        audience=STRING,
        audiences=STRINGS,
        cleared=BOOL,
        assurance=STRING,
        assurance_level=WHOLE,
        label=LABEL,
        task_label=LABEL,
        sink_clearance=CLEARANCE,
        crossings=WHOLE,
        max_crossings=WHOLE,
        flow=FLOW,
        destination_trust=STRING,
        provenance=provenances(tool, args),
        record=facts,
        task=task,
        environment=ENVIRONMENT,
        posture=known_posture,
        budget=BUDGET,
        now=MOMENT,
        history=history,
        scoped=BOOL,
        high_risk=BOOL,
    )


def provenance_of(request: AccessRequest) -> dict[str, str]:
    """Return the provenance of each argument by its name."""
    return {name: one.provenance.value for name, one in request.flow.arguments.items()}


def high_risk_of(request: AccessRequest) -> bool:
    """Return whether a call is of high risk."""
    return is_high_risk(request.tool, request.tool.parts(request.arguments))


def written(value: Json) -> bytes:
    """Return facts as JSON text; raise `TypeMismatch`."""
    try:
        return msgspec.json.encode(value)
    except (UnicodeEncodeError, ValueError, TypeError):
        raise TypeMismatch("context", "holds text that is not Unicode") from None


def _environment(request: AccessRequest) -> dict[str, Json]:
    known = request.circumstances
    return {
        "windows": known.windows,
        "frozen": known.frozen,
        "network": known.network,
        "risk": known.risk,
    }


def _posture(request: AccessRequest) -> dict[str, Json]:
    method = request.principal.method
    return {
        "attestation": method.value if method is not None else UNATTESTED,
        "findings": request.circumstances.findings,
        "claims": request.principal.posture,
    }


def _budget(request: AccessRequest) -> dict[str, Json]:
    use = request.circumstances.budget
    out = {name: getattr(use, name) for name in _USED}
    return out | {name: left for name in _LEFT if (left := getattr(use, name)) is not None}


class Facts:
    """Collects the facts of a request as plain values, each only if a policy reads it."""

    def __init__(
        self,
        classes: Classes,
        task_types: Sequence[TaskType],
        limit: int,
        counters: Sequence[HistoryCounter] = (),
    ) -> None:
        """Take what a request does not contain: the order of classes, the purposes of task types, the
        counters.
        """
        self.history = history_shape(counters)
        never = dict.fromkeys(self.history.required, 0)
        self._classes = classes
        self._purposes = {one.name: one.purpose for one in task_types}
        self._unheard = {one.name for one in task_types if one.asks_unheard}
        self._runbooks = {one.name for one in task_types if one.runbook is not None}
        self._limit = limit
        self._sources: Mapping[str, Callable[[AccessRequest], Json]] = {
            "args": lambda request: request.arguments,
            "arg_names": lambda request: list(request.arguments),
            "tier": lambda request: request.tier.word,
            "tier_level": lambda request: int(request.tier),
            "effect": lambda request: request.tool.effect.value,
            "audience": lambda request: request.tool.audience.name,
            "audiences": lambda request: list(classes.around(request.tool.audience.name)),
            "cleared": lambda request: request.cleared,
            "assurance": lambda request: request.principal.assurance.word,
            "assurance_level": lambda request: int(request.principal.assurance),
            "label": lambda request: self._label(request.label),
            "task_label": lambda request: self._label(request.label),
            "sink_clearance": self._clearance,
            "crossings": lambda request: request.crossings,
            "max_crossings": lambda request: request.max_crossings,
            "flow": lambda request: {name: getattr(request.flow.facts, name) for name in _FLOW_FACTS},
            "destination_trust": lambda request: request.flow.facts.destination,
            "provenance": provenance_of,
            "record": lambda request: request.flow.record,
            "task": self._task,
            "environment": _environment,
            "posture": _posture,
            "budget": _budget,
            "now": lambda request: request.now,
            "history": lambda request: {**never, **request.history},
            "scoped": lambda request: not request.unscoped,
            "high_risk": high_risk_of,
        }

    def context(self, shape: Shape, request: AccessRequest, write: Write) -> dict[str, Json]:
        """Return `context` as JSON of the (pruned) type `shape`; raise `TypeMismatch`."""
        return {
            name: fit(below, self._sources[name](request), name, self._limit, write)
            for name, below in shape.fields.items()
        }

    def agent(self, agent: Agent) -> dict[str, Json]:
        """Return an agent's attributes."""
        return {
            "name": agent.name,
            "owner": agent.owner,
            "purpose": agent.purpose,
            "environment": agent.environment,
            "initiative": agent.initiative,
            "state": agent.state.value,
            "manifest": agent.manifest_digest,
        }

    def tool(self, tool: Tool) -> dict[str, Json]:
        """Return a tool's attributes; raise `TypeMismatch` if the organisation does not have its data
        class.
        """
        return {
            "name": tool.name,
            "upstream": tool.upstream,
            "effect": tool.effect.value,
            "audience": tool.audience.name,
            "production": tool.production,
            "financial": tool.financial,
            "described": tool.described,
            "state": tool.state.value,
            "tier": tool.tier.word,
            "tier_level": int(tool.tier),
            "data_class": tool.label.data_class,
            "data_class_level": self._rank(tool.label),
            "untrusted": tool.label.trust is Trust.UNTRUSTED,
        }

    def _rank(self, label: Label) -> int:
        try:
            return self._classes.rank(label.data_class)
        except ConfigInvalid:
            raise TypeMismatch("label.class", "is not one of the configured data classes") from None

    def _label(self, label: Label) -> dict[str, Json]:
        return {
            "class": label.data_class,
            "class_level": self._rank(label),
            "categories": label.categories,
            "untrusted": label.trust is Trust.UNTRUSTED,
            "zones": label.zones,
        }

    def _clearance(self, request: AccessRequest) -> dict[str, Json]:
        """Return the highest class that the call's audience may receive."""
        classes = self._classes
        ceiling = classes.ceiling(request.tool.audience.name)
        return {"class": ceiling, "class_level": self._rank(Label(data_class=ceiling))}

    def _task(self, request: AccessRequest) -> dict[str, Json]:
        task = request.task
        return {
            "id": task.id,
            "type": task.type,
            "purpose": self._purposes.get(task.type, ""),
            "environment": task.environment,
            "initiative": task.initiative,
            "owner": task.owner,
            "on_behalf_of": request.principal.on_behalf_of,
            "requested_by": task.intent.requested_by,
            "parent": bool(task.parent),
            "depth": len(task.ancestors),
            "params": task.intent.params,
            "attended": task.for_person or task.type in self._unheard,
            # INVARIANT: an open task does not keep an approval that its type has lost.
            "preapproved": task.runbook is not None and task.type in self._runbooks,
            "ends_with_work": task.ends_with_work,
            "lasts_s": task.lasts_s,
        }
