# SPDX-License-Identifier: Apache-2.0
"""From the forms of `tools/` to tools."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

import msgspec

from remit.config.bundle.forms import ArgumentForm, FieldForm, LabelForm, ToolForm, VariantForm
from remit.config.reading.decoding import Problems, nearest, suggestion
from remit.config.reading.yaml_lines import Node
from remit.core.errors import ConfigInvalid, Malformed
from remit.core.json_value import Json
from remit.core.label import AUDIENCE_RULE, Audience, Classes, Label, Trust, audience_fault
from remit.core.tools import constraint
from remit.core.tools.constraint import Constraint
from remit.core.tools.json_path import path_of, steps
from remit.core.tools.tool import (
    INPUT,
    Argument,
    ArgumentRole,
    Effect,
    FieldLabel,
    Tool,
    Variant,
    undescribed,
)

_PLACE: Final = re.compile(r"\{([^{}]*)\}")
_WORDS: Final = re.compile(r"[^\W\d_]{2,40}(?:[ -][^\W\d_]{1,40}){0,4}")
_EFFECTS: Final = tuple(Effect)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The vocabulary of an organisation: data classes, trust zones, and groups that can be audiences."""

    classes: Classes
    zones: Collection[str] = ()
    groups: Collection[str] = ()

    def unknown_group(self, audience: str) -> str:
        """Return the remediation if an audience is an undeclared group; empty otherwise."""
        name = audience.removeprefix("group:")
        if name == audience or name in self.groups or audience in self.classes.clearance:
            return ""
        known = [f"group:{group}" for group in self.groups]
        known += [one for one in self.classes.clearance if one.startswith("group:")]
        return f"declare it under `groups` or `classes.clearance` in `remit.yaml`{_or_near(audience, known)}"


def described_tool(
    upstream: str, name: str, form: ToolForm, *, words: Vocabulary, problems: Problems, node: Node
) -> Tool:
    """Return a tool as its file describes it; note its problems. `node` is the whole file."""
    reading = _ToolReading(name, form, words, problems, node)
    label = reading.label(form.labels, undescribed(upstream, name, words.classes).label, "labels")
    if form.sanitizes is not None:
        label = reading.label(form.sanitizes.to, label, "sanitizes")
    reading.check()
    return Tool(
        upstream=upstream,
        name=name,
        effect=form.effect,
        audience=Audience(form.audience),
        label=label,
        arguments=reading.arguments(),
        record=form.record,
        target=form.target,
        production=form.production,
        financial=form.financial,
        own_conversation=form.own_conversation,
        fields=reading.fields(label),
        variants=reading.variants(),
        asked_by=reading.asked_by(),
        repeats=form.repeats,
        resource=form.resource,
        sanitizes=form.sanitizes is not None,
        described=True,
        surface={"name": name, "inputSchema": form.schema} if form.schema else {},
    )


def label_of(
    form: LabelForm | None, unless: Label, *, words: Vocabulary, problems: Problems, line: int, key: str
) -> Label:
    """Return the label from a file; parts that the file omits come from `unless`."""
    if form is None:
        return unless
    order = words.classes.order
    data_class = form.data_class or unless.data_class
    if data_class not in order:
        way = suggestion(data_class, order)
        problems.add(f"`{data_class}` is not a data class", line=line, key=f"{key}.class", remediation=way)
        data_class = unless.data_class
    if form.zone and form.zone not in words.zones:
        way = f"declare it under `zones` in `remit.yaml`{_or_near(form.zone, words.zones)}"
        problems.add(f"`{form.zone}` is not a trust zone", line=line, key=f"{key}.zone", remediation=way)
    return Label(
        data_class=data_class,
        categories=frozenset(form.categories) or unless.categories,
        trust=form.trust or unless.trust,
        zones=frozenset({form.zone}) if form.zone else unless.zones,
    )


class _ToolReading:
    """A single reading of one tool's description."""

    def __init__(self, name: str, form: ToolForm, words: Vocabulary, problems: Problems, node: Node) -> None:
        self._name = name
        self._form = form
        self._words = words
        self._problems = problems
        self._node = node
        properties = form.schema.get("properties")
        self._properties = frozenset(properties) if isinstance(properties, dict) else frozenset()
        #: The arguments themselves, without their parts.
        self._known = dict.fromkeys(self._head(key) for key in form.arguments) | dict.fromkeys(
            sorted(self._properties)
        )

    def check(self) -> None:
        """Note contradictions in the tool's description."""
        form = self._form
        if fault := audience_fault(form.audience):
            self._say(fault, "audience", remediation=AUDIENCE_RULE)
        elif way := self._words.unknown_group(form.audience):
            self._say(f"`{form.audience}` is not a group", "audience", remediation=way)
        for place, template in (
            ("record", form.record),
            ("target", form.target),
            ("resource", form.resource),
        ):
            for word in _PLACE.findall(template):
                self._check_place(word, place)
        if form.own_conversation and (form.effect != "none" or form.audience != "self"):
            way = "write `effect: none` and `audience: self`, or remove it"
            self._say(
                "cannot be combined with an effect or another audience", "own_conversation", remediation=way
            )

    def label(self, form: LabelForm | None, unless: Label, *at: str) -> Label:
        """Return a label below this tool."""
        return label_of(
            form,
            unless,
            words=self._words,
            problems=self._problems,
            line=self._line(*at),
            key=self._key(*at),
        )

    def arguments(self) -> dict[str, Argument]:
        """Return the arguments, and parts of arguments, by the keys of the file."""
        out: dict[str, Argument] = {}
        for key, form in self._form.arguments.items():
            if key == INPUT:
                self._say("is not an argument of a tool", "arguments", key, remediation="remove it")
            self._check_argument(key, form)
            out[key] = Argument(
                role=form.role,
                sensitive=form.sensitive or form.secret,
                secret=form.secret,
                personal=form.personal,
                hands_over=form.hands_over,
                handed_class=self._handed_class(key, form),
            )
        for key, form in self._form.arguments.items():
            if (head := self._head(key)) != key and (form.sensitive or form.secret):
                # Evidence hides whole arguments.
                out[head] = msgspec.structs.replace(out.get(head, Argument()), sensitive=True)
        return out

    def _handed_class(self, key: str, form: ArgumentForm) -> str:
        """Return the data class of what the argument hands over; empty where the file names none."""
        order, name = self._words.classes.order, form.handed_class
        if not name or (form.hands_over and name in order):
            return name
        if form.hands_over:
            self._say(
                f"`{name}` is not a data class",
                *("arguments", key, "handed_class"),
                remediation=suggestion(name, order),
            )
        else:
            way = "add `hands_over: true`, or remove `handed_class`"
            self._say("needs `hands_over`", "arguments", key, "handed_class", remediation=way)
        return ""

    def fields(self, own: Label) -> tuple[FieldLabel, ...]:
        """Return the labels of single fields, in the order of the file."""
        out: list[FieldLabel] = []
        for path, forms in self._form.fields.items():
            try:
                steps(path)
            except Malformed as fault:
                self._say(fault.message, "fields", path, remediation=fault.remediation)
                continue
            labels = [self._field(path, form, place, own) for place, form in enumerate(forms)]
            self._check_fallback(path, labels, own)
            out += labels
        return tuple(out)

    def variants(self) -> tuple[Variant, ...]:
        """Return the tool's variants by arguments."""
        out: list[Variant] = []
        for place, form in enumerate(self._form.when):
            at = ("when", str(place))
            rules = self._rules(form.arguments, *at, "arguments")
            for name in form.arguments:
                if name not in self._known:
                    way = f"add it under `arguments`{_or_near(name, self._known)}"
                    if len(path_of(name)) > 1:
                        way = "use the whole argument, and write `each` or `fields` for its parts"
                    self._say(
                        f"`{name}` is not one of its arguments", *at, "arguments", name, remediation=way
                    )
            self._check_variant(form, place)
            if any(rules == earlier.arguments for earlier in out):
                way = "remove one of them"
                self._say(
                    "has the same condition as an entry above it, so it never counts", *at, remediation=way
                )
            audience = Audience(form.audience) if form.audience else None
            out.append(Variant(rules, form.effect, audience))
        return tuple(out)

    def asked_by(self) -> tuple[str, ...]:
        """Return the words with which people ask for the tool."""
        for place, word in enumerate(self._form.asked_by):
            if not _WORDS.fullmatch(word):
                way = "write everyday words, such as `pay` or `check in`"
                self._say(f"`{word[:40]}` is not an everyday word", "asked_by", str(place), remediation=way)
        return tuple(dict.fromkeys(word.lower() for word in self._form.asked_by))

    def _head(self, key: str) -> str:
        return key if key in self._properties else path_of(key)[0]

    def _check_place(self, word: str, place: str) -> None:
        """Note a `{word}` of a template that is not an argument, or is one that must not be written out."""
        if word not in self._known:
            way = f"add `{word}: {{role: selector}}` under `arguments`"
            close = get_close_matches(word, self._known, n=1, cutoff=0.75)
            if place == "resource" and self._form.effect != "none" and not close:
                return  # the upstream chooses it, and the result names it
            if near := nearest(word, self._known):
                way = f"did you mean `{{{near}}}`? otherwise {way}"
            self._say(f"`{{{word}}}` is not one of its arguments", place, remediation=way)
        elif any(form.secret and self._head(key) == word for key, form in self._form.arguments.items()):
            way = "use another argument"
            self._say(f"`{{{word}}}` is a secret, which would be recorded", place, remediation=way)

    def _check_argument(self, key: str, form: ArgumentForm) -> None:
        if ("." in key or "[" in key) and key not in self._properties:
            try:
                first = steps(key)[0]
            except Malformed as fault:
                self._say(fault.message, "arguments", key, remediation=fault.remediation)
            else:
                if first == "[]":
                    way = "begin with the argument's name: `attachments[].file_id`"
                    self._say("does not name an argument", "arguments", key, remediation=way)
        if form.personal and form.role not in (ArgumentRole.SELECTOR, ArgumentRole.DESTINATION):
            way = "write `role: selector`, or remove `personal`"
            self._say(
                f"cannot be combined with the role `{form.role}`",
                "arguments",
                key,
                "personal",
                remediation=way,
            )
        if form.hands_over and form.role not in (ArgumentRole.SELECTOR, ArgumentRole.DESTINATION):
            way = "write `role: selector`, or remove `hands_over`"
            self._say(
                f"cannot be combined with the role `{form.role}`",
                "arguments",
                key,
                "hands_over",
                remediation=way,
            )
        if form.secret and form.role is not ArgumentRole.CONTENT:
            way = "write `role: content`, or remove `secret`"
            self._say(
                f"cannot be combined with the role `{form.role}`", "arguments", key, "secret", remediation=way
            )

    def _field(self, path: str, form: FieldForm, place: int, own: Label) -> FieldLabel:
        many = len(self._form.fields[path]) > 1
        at = ("fields", path, *((str(place),) if many else ()))
        label = self.label(form, own, *at)
        for name in form.when:
            if len(path_of(name)) > 1 or not name:
                way = "use a sibling field, in the same object"
                self._say(f"`{name}` is a path", *at, "when", name, remediation=way)
        rules = self._rules(form.when, *at, "when")
        for name, rule in rules.items():
            if rule.may_be_absent:
                way = "state a value; a missing field never matches"
                self._say("tests a field that may be missing", *at, "when", name, remediation=way)
        if form.own and (label.trust is not Trust.TRUSTED or form.when):
            way = "write `trust: trusted`, and no `when`: it must be the person's own in every result"
            self._say("cannot be the person's own", *at, "own", remediation=way)
        return FieldLabel(path, label, rules, form.own)

    def _check_fallback(self, path: str, labels: list[FieldLabel], own: Label) -> None:
        """Note a field that would get too favourable a label when no condition can be decided."""
        first = next((place for place, one in enumerate(labels) if not one.when), None)
        if first is not None and first < len(labels) - 1:
            way = "put the one without `when` last"
            self._say("has entries after the one that always matches", "fields", path, remediation=way)
            return
        # INVARIANT: the fallback label is the worst of all possible ones. Zones have no worst.
        last = own if first is None else labels[first].label
        otherwise = msgspec.structs.replace(last, zones=own.zones.union(*(one.label.zones for one in labels)))
        if any(not otherwise.covers(one.label, self._words.classes) for one in labels if one.when):
            way = "add a last entry without `when` that is as strict as the strictest entry"
            self._say("becomes less strict if no `when` matches", "fields", path, remediation=way)

    def _check_variant(self, form: VariantForm, place: int) -> None:
        own, at = self._form, ("when", str(place))
        if form.effect in (None, own.effect) and form.audience in ("", own.audience):
            way = "give another `effect` or `audience`, or remove it"
            self._say("changes nothing", *at, remediation=way)
        if form.effect is not None and _EFFECTS.index(form.effect) > _EFFECTS.index(own.effect):
            way = f"write `effect: {form.effect}` for the tool, and use `when` for the cases where it is less"
            self._say("is worse than the tool's own", *at, "effect", remediation=way)
        if not form.audience:
            return
        if fault := audience_fault(form.audience):
            self._say(fault, *at, "audience", remediation=AUDIENCE_RULE)
        elif way := self._words.unknown_group(form.audience):
            self._say(f"`{form.audience}` is not a group", *at, "audience", remediation=way)
        elif not audience_fault(own.audience) and self._wider(form.audience, own.audience):
            way = (
                f"write `audience: {form.audience}` for the tool, and use `when` for the cases where it is "
                "narrower"
            )
            self._say("is wider than the tool's own", *at, "audience", remediation=way)

    def _wider(self, one: str, other: str) -> bool:
        classes = self._words.classes
        order = classes.order

        def height(audience: str) -> int:
            ceiling = classes.clearance.get(audience, classes.bottom)
            return order.index(ceiling) if ceiling in order else 0

        return (one == "external" and other != "external") or height(one) < height(other)

    def _rules(self, written: Mapping[str, Json], *at: str) -> dict[str, Constraint]:
        out: dict[str, Constraint] = {}
        for name, spec in written.items():
            key = self._key(*at, name)
            try:
                out[name] = constraint.load(spec, key)
            except ConfigInvalid as fault:
                message = fault.message.removeprefix(f"`{fault.key}`: ")
                line = self._line(*at, name)
                self._problems.add(message, line=line, key=fault.key or key, remediation=fault.remediation)
        return out

    def _line(self, *at: str) -> int:
        return self._node.line_at("tools", self._name, *at)

    def _key(self, *at: str) -> str:
        steps_below = "".join(f"[{step}]" if step.isdecimal() else f".{step}" for step in at)
        return f"tools.{self._name}{steps_below}"

    def _say(self, message: str, *at: str, remediation: str) -> None:
        self._problems.add(message, line=self._line(*at), key=self._key(*at), remediation=remediation)


def _or_near(word: str, known: Collection[str]) -> str:
    near = nearest(word, known)
    return f"; did you mean `{near}`?" if near else ""
