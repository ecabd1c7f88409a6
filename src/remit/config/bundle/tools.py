# SPDX-License-Identifier: Apache-2.0
"""From the forms of `tools/` to tools."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

import msgspec

from remit.config.bundle.directory import belonging, by_width, narrowings
from remit.config.bundle.forms import ArgumentForm, FieldForm, LabelForm, ToolForm, VariantForm
from remit.config.bundle.participants import reader_faults
from remit.config.bundle.vocabulary import Vocabulary, label_of, or_near
from remit.config.reading.decoding import Problems, nearest, suggestion
from remit.config.reading.yaml_lines import Node
from remit.core.errors import ConfigInvalid, Malformed
from remit.core.flow.records.field_labels import KEYS, VALUES, spelled
from remit.core.json_value import Json
from remit.core.label import AUDIENCE_RULE, Audience, Label, Trust, audience_fault, worst
from remit.core.tools import constraint
from remit.core.tools.constraint import Constraint
from remit.core.tools.constraint.base import same
from remit.core.tools.json_path import path_of, steps
from remit.core.tools.tool import (
    INPUT,
    LEADING,
    Argument,
    ArgumentCase,
    ArgumentRole,
    CodeSource,
    Effect,
    FieldLabel,
    Narrowing,
    StoredDestination,
    Tool,
    Variant,
    WithheldBy,
)

_PLACE: Final = re.compile(r"\{([^{}]*)\}")
_WORDS: Final = re.compile(r"[^\W\d_]{2,40}(?:[ -][^\W\d_]{1,40}){0,4}")
_EFFECTS: Final = tuple(Effect)
#: Roles by how much they demand, least first.
_STRICT: Final = (ArgumentRole.CONTENT, ArgumentRole.AMOUNT, *LEADING, ArgumentRole.CODE)
FACTS: Final = ("string", "integer", "number", "boolean", "date")
FACT_NAME: Final = re.compile(r"(?!__)[A-Za-z_][A-Za-z0-9_]{0,62}")


def described_tool(
    upstream: str, name: str, form: ToolForm, *, words: Vocabulary, problems: Problems, node: Node
) -> Tool:
    """Return a tool as its file describes it; note its problems. `node` is the whole file."""
    reading = _ToolReading(upstream, name, form, words, problems, node)
    label = reading.label(form.labels, worst(words.classes), "labels")
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
        repeats=form.repeats or bool(form.repeats_in),
        repeats_in=form.repeats_in,
        stored_destination=reading.stored_destination(),
        resource=form.resource,
        single=form.single,
        sanitizes=form.sanitizes is not None,
        sender=form.sender,
        described=True,
        surface={"name": name, "inputSchema": form.schema} if form.schema else {},
    )


class _ToolReading:
    """A single reading of one tool's description."""

    def __init__(
        self, upstream: str, name: str, form: ToolForm, words: Vocabulary, problems: Problems, node: Node
    ) -> None:
        self._upstream = upstream
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
        if form.sender:
            try:
                steps(form.sender)
            except Malformed as fault:
                self._say(fault.message, "sender", remediation=fault.remediation)
        if form.own_conversation and (form.effect != "none" or form.audience != "self"):
            way = "write `effect: none` and `audience: self`, or remove it"
            self._say(
                "cannot be combined with an effect or another audience", "own_conversation", remediation=way
            )

        if form.single and form.effect == "none":
            way = "remove it: only what a call changes is left open without a selector"
            self._say("counts only for a tool that changes something", "single", remediation=way)
        if form.single and any(one.personal for one in form.arguments.values()):
            way = "remove `single`, or `personal` of its arguments"
            self._say("cannot be combined with an argument that is `personal`", "single", remediation=way)

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
        stored = self._form.stored_destination.by if self._form.stored_destination is not None else ()
        for key, form in self._form.arguments.items():
            if key == INPUT:
                self._say("is not an argument of a tool", "arguments", key, remediation="remove it")
            self._check_argument(key, form)
            out[key] = Argument(
                # The worst case, until a call names another destination (`Tool.called_with`).
                role=ArgumentRole.DESTINATION if key in stored else form.role,
                sensitive=form.sensitive or form.secret,
                secret=form.secret,
                one_time=self._one_time(key, form),
                personal=form.personal,
                hands_over=form.hands_over,
                handed_class=self._handed_class(key, form),
                least=self._least(key, form),
                within=self._within(key, form),
                when=self._cases(key, form),
            )
        for key, form in self._form.arguments.items():
            if (head := self._head(key)) != key and (form.sensitive or form.secret):
                # Evidence hides whole arguments.
                out[head] = msgspec.structs.replace(out.get(head, Argument()), sensitive=True)
        return out

    def _one_time(self, key: str, form: ArgumentForm) -> CodeSource | None:
        """Return how the code that an argument takes arrives; None where the argument takes no such code."""
        if form.one_time is None:
            return None
        if not form.secret:
            way = "add `secret: true`, or remove `one_time`"
            self._say("needs `secret`", "arguments", key, "one_time", remediation=way)
        for place, sender in enumerate(form.one_time.senders):
            if {"*", "/", " "} & set(sender) or sender.startswith("@"):
                way = "write an address, or a domain without anything before it: `shop.example`"
                at = ("arguments", key, "one_time", "senders", str(place))
                self._say(f"`{sender[:60]}` is not a sender", *at, remediation=way)
        tools = [one if "/" in one else f"{self._upstream}/{one}" for one in form.one_time.read_by]
        return CodeSource(form.one_time.senders, tuple(tools))

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

    def _least(self, key: str, form: ArgumentForm) -> tuple[Json, ...]:
        """Return the values with the least power; empty where the argument is no choice."""
        if form.choice is None:
            return ()
        at = ("arguments", key, "choice")
        if form.role is not ArgumentRole.CONTENT or form.secret:
            way = "remove `role` and `secret`: `choice` states the meaning of the argument"
            self._say("cannot be combined with another role", *at, remediation=way)
        written = form.choice.least
        least = tuple(written) if isinstance(written, list) else (written,)
        if not least or any(not isinstance(one, str | int | float | bool) for one in least):
            way = "write the value with the least power: `least: viewer`, `least: [viewer, guest]`"
            self._say("must be a value, or a list of values", *at, "least", remediation=way)
            return ()
        self._check_offered(key, least, *at, "least")
        return least

    def _check_offered(self, key: str, values: tuple[Json, ...], *at: str) -> None:
        """Note values that the schema of the file does not offer for an argument."""
        properties = self._form.schema.get("properties")
        about = properties.get(key) if isinstance(properties, dict) else None
        offered = about.get("enum") if isinstance(about, dict) else None
        if not isinstance(offered, list):
            return
        for one in values:
            if not any(same(one, value) for value in offered):
                way = suggestion(str(one), [str(value) for value in offered])
                self._say(f"`{one}` is not one of its values", *at, remediation=way)

    def _within(self, key: str, form: ArgumentForm) -> str:
        """Return the argument that names the container of an item; empty where there is none."""
        name, at = form.within, ("arguments", key, "within")
        if not name:
            return ""
        forms = self._form.arguments
        if form.role not in LEADING:
            way = "write `role: destination`, or remove `within`"
            self._say(f"cannot be combined with the role `{form.role}`", *at, remediation=way)
        elif name not in forms or forms[name].role not in LEADING:
            known = [one for one, other in forms.items() if one != key and other.role in LEADING]
            way = f"name a selector or a destination among its arguments{or_near(name, known)}"
            self._say(f"`{name}` cannot be a container", *at, remediation=way)
        elif self._circular(key):
            way = "name the container of the item, and not the item of the container"
            self._say(f"`{name}` lies within `{key}`", *at, remediation=way)
        else:
            return name
        return ""

    def _circular(self, key: str) -> bool:
        """Return whether an argument lies within itself."""
        forms, name = self._form.arguments, self._form.arguments[key].within
        for _ in forms:
            if name == key:
                return True
            name = forms[name].within if name in forms else ""
        return bool(name)

    def _cases(self, key: str, form: ArgumentForm) -> tuple[ArgumentCase, ...]:
        """Return what an argument is in certain calls."""
        out: list[ArgumentCase] = []
        for place, case in enumerate(form.when):
            at = ("arguments", key, "when", str(place))
            rules = self._rules(case.arguments, *at, "arguments")
            self._check_condition(case.arguments, *at)
            one = ArgumentCase(rules, case.role, case.secret, case.personal, case.hands_over)
            self._check_case(form, one, *at)
            if any(rules == earlier.arguments for earlier in out):
                way = "remove one of them"
                self._say(
                    "has the same condition as an entry above it, so it never counts", *at, remediation=way
                )
            out.append(one)
        return tuple(out)

    def _check_case(self, form: ArgumentForm, case: ArgumentCase, *at: str) -> None:
        """Note a case that is more than the argument itself, or nothing else, or a contradiction."""
        less = "write it for the argument, and use `when` for the cases where it is less"
        for mark in ("secret", "personal", "hands_over"):
            if getattr(case, mark) and not getattr(form, mark):
                self._say("is stricter than the argument's own", *at, mark, remediation=less)
        if case.role is not None and _STRICT.index(case.role) > _STRICT.index(form.role):
            self._say("is stricter than the argument's own", *at, "role", remediation=less)
        own = Argument(form.role, secret=form.secret, personal=form.personal, hands_over=form.hands_over)
        now = case.of(own)
        if now == own:
            self._say("changes nothing", *at, remediation="give what is different, or remove it")
        for mark in ("personal", "hands_over"):
            if getattr(now, mark) and now.role not in LEADING:
                way = f"write `{mark}: false`, too"
                self._say(f"`{mark}` cannot be combined with the role `{now.role}`", *at, remediation=way)

    def fields(self, own: Label) -> tuple[FieldLabel, ...]:
        """Return the labels of single fields, in the order of the file."""
        out: list[FieldLabel] = []
        alike: dict[str, str] = {}
        for path, forms in self._form.fields.items():
            other = alike.setdefault(spelled(path), path)
            if other != path and forms != self._form.fields[other]:
                way = "write one of them: case, spaces, underscores and hyphens do not matter"
                self._say(
                    f"is another spelling of `{other}`, with another label", "fields", path, remediation=way
                )
            try:
                steps(path)
            except Malformed as fault:
                self._say(fault.message, "fields", path, remediation=fault.remediation)
                continue
            labels = [self._field(path, form, place, own) for place, form in enumerate(forms)]
            self._check_fallback(path, labels, own)
            self._check_use(path, labels)
            out += labels
        return tuple(out)

    def variants(self) -> tuple[Variant, ...]:
        """Return the tool's variants by arguments."""
        out: list[Variant] = []
        for place, form in enumerate(self._form.when):
            at = ("when", str(place))
            if form.narrowed_to or not form.arguments:
                self._check_narrowed(form, place)
                continue
            rules = self._rules(form.arguments, *at, "arguments")
            self._check_condition(form.arguments, *at)
            self._check_variant(form, place)
            if any(rules == earlier.arguments for earlier in out):
                way = "remove one of them"
                self._say(
                    "has the same condition as an entry above it, so it never counts", *at, remediation=way
                )
            audience = Audience(form.audience) if form.audience else None
            out.append(Variant(rules, form.effect, audience, form.production))
        return (*out, *self._narrowed())

    def _narrowed(self) -> Iterator[Variant]:
        """Yield the variants of calls whose audience the directory narrows, the narrowest first."""
        directory = self._words.directory
        for name in self._form.audience_by:
            if name not in self._known:
                way = f"add it under `arguments`{or_near(name, self._known)}"
                self._say(f"`{name}` is not one of its arguments", "audience_by", remediation=way)
                return
        for key, form in self._form.arguments.items() if self._form.audience_by else ():
            if form.role is ArgumentRole.DESTINATION and self._head(key) not in self._form.audience_by:
                way = f"add `{self._head(key)}` under `audience_by`"
                self._say(f"leaves out the destination `{key}`", "audience_by", remediation=way)
        for audience, effect in self._narrower():
            for rules in narrowings(self._form.audience_by, directory, audience, self._words.classes):
                yield Variant(
                    {name: constraint.load(rule, "directory") for name, rule in rules.items()},
                    effect,
                    Audience(audience),
                )

    def _narrower(self) -> Iterator[tuple[str, Effect | None]]:
        """Yield the audiences of the directory that are narrower than the tool's, each with its effect."""
        own = self._form.audience
        effects = {one.narrowed_to: one.effect for one in self._form.when if one.narrowed_to}
        for audience in by_width(self._words.directory, self._words.classes):
            if audience != own and not self._words.wider(audience, own):
                yield audience, effects.get(audience)

    def _check_narrowed(self, form: VariantForm, place: int) -> None:
        at = ("when", str(place))
        if not form.narrowed_to:
            self._say("has no condition", *at, remediation="add `arguments`, or `narrowed_to`")
        elif form.arguments or form.audience:
            way = "remove `arguments` and `audience`"
            self._say(
                "cannot be combined with `arguments` or `audience`", *at, "narrowed_to", remediation=way
            )
        elif not self._form.audience_by and not self._read_by:
            way = "name the arguments with addresses under `audience_by`"
            self._say("needs `audience_by`", *at, "narrowed_to", remediation=way)
        elif fault := audience_fault(form.narrowed_to):
            self._say(fault, *at, "narrowed_to", remediation=AUDIENCE_RULE)
        elif form.effect is None or _EFFECTS.index(form.effect) >= _EFFECTS.index(self._form.effect):
            way = "give a smaller `effect`, or remove the entry"
            self._say("changes nothing", *at, remediation=way)

    def stored_destination(self) -> StoredDestination | None:
        """Return the destination that is stored at the upstream."""
        form = self._form.stored_destination
        if form is None:
            return None
        wanted = ((form.by, "by", ArgumentRole.SELECTOR), (form.unless, "unless", ArgumentRole.DESTINATION))
        for names, key, role in wanted:
            for name in names:
                given = self._form.arguments.get(name)
                if given is None or given.role is not role:
                    way = f"add `{name}: {{role: {role}}}` under `arguments`"
                    self._say(f"`{name}` is no {role}", "stored_destination", key, remediation=way)
        return StoredDestination(form.by, form.unless, self._read_by, tuple(self._of_participants()))

    @property
    def _read_by(self) -> tuple[str, ...]:
        """The tools that show who the stored destination is."""
        form = self._form.stored_destination
        names = form.read_by if form is not None else ()
        return tuple(one if "/" in one else f"{self._upstream}/{one}" for one in names)

    def _of_participants(self) -> Iterator[Narrowing]:
        """Yield the audiences to which all participants may belong, the narrowest first."""
        form, directory = self._form.stored_destination, self._words.directory
        if form is None or not form.read_by:
            return
        for fault, way in reader_faults(form.by, directory):
            self._say(fault, "stored_destination", "read_by", remediation=way)
        for audience, effect in self._narrower():
            if (rule := belonging(directory, audience, self._words.classes)) is not None:
                yield Narrowing(constraint.load(rule, "directory"), Audience(audience), effect)

    def _check_condition(self, rules: Mapping[str, Json], *at: str) -> None:
        """Note conditions on arguments that the tool does not have."""
        for name in rules:
            if name not in self._known:
                way = f"add it under `arguments`{or_near(name, self._known)}"
                if len(path_of(name)) > 1:
                    way = "use the whole argument, and write `each` or `fields` for its parts"
                self._say(f"`{name}` is not one of its arguments", *at, "arguments", name, remediation=way)

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
        if form.personal and form.role not in LEADING:
            way = "write `role: selector`, or remove `personal`"
            self._say(
                f"cannot be combined with the role `{form.role}`",
                "arguments",
                key,
                "personal",
                remediation=way,
            )
        if form.hands_over and form.role not in LEADING:
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
        withheld = WithheldBy.TOOL if form.withhold else None
        return FieldLabel(
            path, label, rules, form.leads, form.fact or "", withheld, form.own, form.participant
        )

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

    def _check_use(self, path: str, labels: list[FieldLabel]) -> None:
        """Note a field that leads on or is a fact, and cannot be."""
        trusted = any(one.label.trust is Trust.TRUSTED for one in labels)
        for key, values in (
            ("leads", {one.leads for one in labels}),
            ("fact", {one.fact for one in labels}),
            ("participant", {one.participant or None for one in labels}),
        ):
            if len(values) > 1:
                way = f"write the same `{key}` in each entry"
                self._say(f"has entries that differ in `{key}`", "fields", path, remediation=way)
            elif values & {True, *FACTS} and not trusted:
                way = f"write `trust: trusted` if no outsider can choose the value, or remove `{key}`"
                self._say(f"is not trusted, so `{key}` has no meaning", "fields", path, remediation=way)
        name = path.rpartition(".")[2]
        if any(one.participant and (one.withheld or name in (KEYS, VALUES)) for one in labels):
            way = "use a field with one value that the task reads"
            self._say("cannot be a participant", "fields", path, "participant", remediation=way)
        if any(one.fact for one in labels) and not FACT_NAME.fullmatch(name):
            way = "use a field with one value, whose name has letters, digits and `_` only"
            self._say("cannot be a fact", "fields", path, "fact", remediation=way)

    def _check_variant(self, form: VariantForm, place: int) -> None:
        own, at = self._form, ("when", str(place))
        same_place = form.production in (None, own.production)
        if form.effect in (None, own.effect) and form.audience in ("", own.audience) and same_place:
            way = "give another `effect`, `audience` or `production`, or remove it"
            self._say("changes nothing", *at, remediation=way)
        if form.effect is not None and _EFFECTS.index(form.effect) > _EFFECTS.index(own.effect):
            way = f"write `effect: {form.effect}` for the tool, and use `when` for the cases where it is less"
            self._say("is worse than the tool's own", *at, "effect", remediation=way)
        if form.production and not own.production:
            way = "write `production: true` for the tool, and use `when` for the cases where it is none"
            self._say("is worse than the tool's own", *at, "production", remediation=way)
        if not form.audience:
            return
        if fault := audience_fault(form.audience):
            self._say(fault, *at, "audience", remediation=AUDIENCE_RULE)
        elif way := self._words.unknown_group(form.audience):
            self._say(f"`{form.audience}` is not a group", *at, "audience", remediation=way)
        elif not audience_fault(own.audience) and self._words.wider(form.audience, own.audience):
            way = (
                f"write `audience: {form.audience}` for the tool, and use `when` for the cases where it is "
                "narrower"
            )
            self._say("is wider than the tool's own", *at, "audience", remediation=way)

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
