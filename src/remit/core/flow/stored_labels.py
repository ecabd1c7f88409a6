# SPDX-License-Identifier: Apache-2.0
"""Stored labels: labels of what tasks wrote to the resources of an upstream.

When a task writes to a resource, the task's label stays there, and every task that reads the resource takes
on this label. A resource's name is a tool's template filled with the call's arguments (`ticket/{ticket}`), in
a normal form. Names are paths: `ticket/7` lies in `ticket`, and `ticket/7/comments` in both. A read of a
resource takes on the labels of writes to it, to its containers, and to everything in it. The root, named by
an empty text, is the whole upstream: the container of everything, read by lists and searches.

A call whose resource is uncertain (no `resource`, a missing value, a pattern, a path that goes up, or a path
that begins at a root where others do not) applies to the root: a read takes on every label, and its writes
are read with every resource.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from itertools import product
from urllib.parse import unquote

import msgspec

from remit.core.canonical import digest
from remit.core.flow.records.fields import ResultFields
from remit.core.flow.values.normal_text import plain
from remit.core.json_value import Json
from remit.core.label import Classes, Label, Lowering, Trust, joined
from remit.core.tools.tool import Tool

ROOT = ""
"""The upstream as a whole."""
LOOSE = "?"
"""The prefix of a write whose resource is unknown: `?dec_...` until the call is answered, `?tool/...` for a
tool without a description. Every read of the upstream includes these writes.
"""
UNDESCRIBED = f"{LOOSE}tool/"
MAX_NAMED = 32
"""Resources that one call may name; a call that names more applies to the root."""
MAX_NAME = 300
MAX_LEVELS = 8
MAX_WRITERS = 6
"""Calls that are remembered for one stored label: those that raised it, always including the first untrusted
one.
"""

_PLACE = re.compile(r"\{([^{}]*)\}")
# A number in any of the notations that programs read as that number. Other texts may also get the same name:
# this adds labels and never removes any.
_NUMBER = re.compile(r"[#+]?(\d+)(?:\.0*)?")
# A path that begins at a root: it may denote a file that others name relative to a folder.
_ROOTED = re.compile(r"\s*(?:[/\\~]|[a-z]:[/\\])", re.IGNORECASE)
# Characters by which a text can denote several resources, or one resource by another name.
_PATTERN = re.compile(r"[*?\[\]{}%\x00-\x1f]")


class ResourceWrite(msgspec.Struct, frozen=True, kw_only=True):
    """A call that wrote to a resource.

    It was the `call`th call of its task (0 where that is unknown), with its decision, and with the label that
    the task had. `resource` is the target of the write.
    """

    upstream: str
    resource: str
    task: str
    agent: str
    decision: str
    tool: str
    at: datetime
    trust: Trust
    data_class: str
    call: int = 0

    def __str__(self) -> str:
        """Return the wording that refusals use."""
        what = f"`{self.resource}` of `{self.upstream}`" if self.resource else f"`{self.upstream}`"
        number = f"call {self.call}" if self.call else "a call"
        return f"{what}, written by {number} of task `{self.task}` (`{self.agent}`), `{self.tool}`"


class StoredLabel(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the writes to one resource.

    `label` is the label of writes to the resource itself, `below` that of writes to anything in it; None
    where there were no writes. `writers` are calls that raised either label. `lowered` is the time of the
    last declassification.
    """

    tenant: str
    upstream: str
    resource: str = ROOT
    label: Label | None = None
    below: Label | None = None
    writers: tuple[ResourceWrite, ...] = ()
    changed: datetime
    lowered: datetime | None = None

    @property
    def digest(self) -> str:
        """The digest of the current state: a person examines this state before declassifying it."""
        return digest(
            {
                "upstream": self.upstream,
                "resource": self.resource,
                "label": self.label.facts if self.label else None,
                "below": self.below.facts if self.below else None,
                "writers": [one.decision for one in self.writers],
                "changed": self.changed.isoformat(),
            }
        )

    def lowered_by(self, lowering: Lowering, classes: Classes, at: datetime) -> StoredLabel:
        """Return the label after declassification; the writers are removed where no label remains."""

        def low(label: Label | None) -> Label | None:
            new = None if label is None else lowering.of(label, classes)
            return None if new is None or new.says_nothing(classes) else new

        label, below = low(self.label), low(self.below)
        writers = () if label is None and below is None else self.writers
        return msgspec.structs.replace(
            self, label=label, below=below, writers=writers, changed=at, lowered=at
        )

    def with_also(self, other: StoredLabel, classes: Classes) -> StoredLabel:
        """Return this label joined with another writer's label of the same resource; the writers are kept."""
        return msgspec.structs.replace(
            self,
            label=joined((self.label, other.label), classes),
            below=joined((self.below, other.below), classes),
            writers=tuple(dict.fromkeys((*self.writers, *other.writers)))[:MAX_WRITERS],
            changed=max(self.changed, other.changed),
        )

    def all(self, classes: Classes) -> Label | None:
        """Return the label of the resource with everything in it."""
        return joined((self.label, self.below), classes)

    def raised(
        self, label: Label, by: ResourceWrite, classes: Classes, *, below: bool, within: bool = False
    ) -> StoredLabel:
        """Return this stored label after a write with `label` to the resource, or (`below`) to something in
        it.

        Returns self where the write changes nothing. With `within`, the write changed a label inside the
        resource, so a new state is returned: a person who examined the earlier state has not seen that
        change.
        """
        old = self.below if below else self.label
        new = label if old is None else old.join(label, classes)
        if new == old and not within:
            return self
        return msgspec.structs.replace(
            self,
            label=self.label if below else new,
            below=new if below else self.below,
            writers=_kept(self.writers, by),
            changed=by.at,
        )


def whole(rows: Iterable[StoredLabel], classes: Classes) -> StoredLabel | None:
    """Return what is known of an upstream as a whole, from the rows of its resources.

    This joins the row of the root with all writes whose resource is unknown; None where there is neither.
    """
    found: StoredLabel | None = None
    for row in rows:
        if row.resource == ROOT:
            one = row
        elif row.resource.startswith(LOOSE):
            one = msgspec.structs.replace(row, resource=ROOT, label=None, below=row.all(classes))
        else:
            continue
        found = one if found is None else found.with_also(one, classes)
    return found


def _kept(writers: tuple[ResourceWrite, ...], by: ResourceWrite) -> tuple[ResourceWrite, ...]:
    if len(writers) < MAX_WRITERS:
        return (*writers, by)
    known = any(one.trust is Trust.UNTRUSTED for one in writers[:-1])
    return (*writers[:-1], writers[-1] if writers[-1].trust is Trust.UNTRUSTED and not known else by)


class CallLabels(msgspec.Struct, frozen=True):
    """The stored labels that concern a call.

    `label` is the label of what the call reads, `handed` that of what it passes on by id, and `moved` the
    part of `handed` that is stored, not declared; None: no label. `writers` are the calls that wrote it.
    `through` maps the decisions of earlier calls of the chain, from whose results arguments of this call
    came, to the writer of what they read. `version` is the version of the upstream's labels at the time of
    the lookup.
    """

    label: Label | None = None
    handed: Label | None = None
    moved: Label | None = None
    writers: tuple[ResourceWrite, ...] = ()
    through: dict[str, ResourceWrite] = {}
    version: int = 0


NOTHING_AT_REST = CallLabels()


def _of_field(own: Label, label: Label, classes: Classes, *, marked: bool) -> Label:
    whole = own.join(label, classes)
    return whole.trusted() if marked and own.trust is Trust.TRUSTED else whole


def stained(tool: Tool, label: Label, classes: Classes, *, marked: bool = False) -> Tool:
    """Return a tool whose results also carry, in every field, the stored label of what the tool reads.

    With `marked`, values from untrusted sources are recognised by value (`core.flow.values.marks`). Then a
    field that no outsider writes, by its description, keeps its trust, and its values are checked.

    A declared sanitizer is returned unchanged: its result carries the label of its description, whatever it
    read.
    """
    if tool.sanitizes:
        return tool
    if tool.label.covers(label, classes) and not tool.fields:
        return tool
    return msgspec.structs.replace(
        tool,
        label=tool.label.join(label, classes),
        fields=tuple(
            msgspec.structs.replace(one, label=_of_field(one.label, label, classes, marked=marked))
            for one in tool.fields
        ),
    )


def resources(template: str, values: dict[str, Json]) -> tuple[str, ...]:
    """Return the resources that a template names with these values; empty where it names none or is
    uncertain.

    A list names one resource for each of its items.
    """
    names = _PLACE.findall(template)
    if not names:
        # A fixed name: a single object (`profile`), or the container (`ticket`) of everything in it.
        return (name,) if (name := normal(template)) else ()
    if not all(name in values for name in names):
        return ()
    wanted = dict.fromkeys(names)
    choices: list[list[str]] = []
    count = 1
    for name in wanted:
        value = values[name]
        items = value if isinstance(value, list) else [value]
        if not items or not all(isinstance(one, str | int) and not isinstance(one, bool) for one in items):
            return ()
        count *= len(items)
        if count > MAX_NAMED:
            return ()
        choices.append([str(one) for one in items])
    found: list[str] = []
    for chosen in product(*choices):
        filled = dict(zip(wanted, chosen, strict=True))
        if not all(one.strip() for one in chosen):
            return ()
        if not _rooted_alike(template, filled):
            return ()
        name = normal(_PLACE.sub(lambda place, filled=filled: filled[place[1]], template))  # type: ignore[misc]
        if not name:
            return ()
        found.append(name)
    return tuple(dict.fromkeys(found))


def _rooted_alike(template: str, filled: dict[str, str]) -> bool:
    """Return whether each value begins where the template requires.

    It must begin at a root after `//`, or after a `/` that begins the template; otherwise below a root.
    """
    for place in _PLACE.finditer(template):
        value = filled[place[1]]
        before = template[: place.start()]
        rooted = _ROOTED.match(plain(unquote(value) if "%" in value else value)) is not None
        if rooted is not (before == "/" or before.endswith("//")):
            return False
    return True


def normal(name: str) -> str:
    """Return the one normal form of a resource's name; empty where it is uncertain."""
    if len(name) > MAX_NAME:
        return ROOT
    folded = plain(name if "%" not in name else unquote(name)).replace("\\", "/")
    if _PATTERN.search(folded):
        return ROOT
    parts = [part.strip() for part in folded.split("/")]
    kept = [_numbered(part) for part in parts if part not in ("", ".")]
    if ".." in kept or len(kept) > MAX_LEVELS:
        return ROOT
    return "/".join(kept)


def _numbered(part: str) -> str:
    found = _NUMBER.fullmatch(part)
    return str(int(found[1])) if found else part


def above(resource: str) -> tuple[str, ...]:
    """Return the containers of a resource, the root first; a write with an unknown resource has none."""
    if resource.startswith(LOOSE):
        return ()
    out = [ROOT]
    place = resource.find("/")
    while place >= 0:
        out.append(resource[:place])
        place = resource.find("/", place + 1)
    return tuple(out)


def missing(tool: Tool, arguments: dict[str, Json]) -> tuple[str, ...]:
    """Return the values of a tool's template that only its result can supply, such as an id from the
    upstream.
    """
    offered = tool.input_schema.get("properties")
    known = (arguments, tool.arguments, offered if isinstance(offered, dict) else {})
    names = dict.fromkeys(_PLACE.findall(tool.resource))
    return tuple(name for name in names if not any(name in one for one in known))


def found_in(result: Json, names: Iterable[str], arguments: dict[str, Json]) -> dict[str, str]:
    """Return the values of a result's fields with these names.

    A value is returned only where there is exactly one and no argument of the call writes such a field: an
    upstream that repeats arguments unquoted would let the caller choose the name.
    """
    wanted = {name: set[str]() for name in names}
    fields = ResultFields(result)
    for path, text in fields:
        seen = wanted.get(path.rpartition(".")[2])
        if seen is not None:
            seen.add(text)
    if fields.cut:
        return {}
    found = {name: next(iter(seen)) for name, seen in wanted.items() if len(seen) == 1}
    given = str(list(arguments.values())) if found else ""
    return {name: value for name, value in found.items() if not _writes(given, name, value)}


def _writes(text: str, name: str, value: str) -> bool:
    """Return whether a text writes a field: the name, up to 12 separators, and the value."""
    return (
        re.search(rf"{re.escape(name)}(?:\\n|[\W_]){{1,12}}{re.escape(value[:MAX_NAME])}(?!\w)", text)
        is not None
    )


def named_by(value: Json, beside: Iterable[Tool]) -> tuple[str, ...]:
    """Return the resources of an upstream that a value may identify, by the templates of its tools.

    Empty where this is uncertain: a template takes more than one value.
    """
    found: dict[str, None] = {}
    templates = {one.resource for one in beside}
    for template in sorted(templates):
        if template.count("{") > 1:
            return ()
        if word := template.partition("{")[2].partition("}")[0]:
            names = resources(template, {word: value})
            if not names:
                return ()
            found |= dict.fromkeys(names)
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str | int) for one in items):
        return ()
    found |= dict.fromkeys(name for one in items if (name := normal(str(one))))
    return tuple(found)
