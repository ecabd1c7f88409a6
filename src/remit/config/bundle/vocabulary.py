# SPDX-License-Identifier: Apache-2.0
"""The vocabulary of an organisation, by which labels and audiences in its files are read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from remit.config.bundle.forms import LabelForm
from remit.config.reading.decoding import Problems, nearest, suggestion
from remit.core.label import Classes, Label


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The vocabulary of an organisation: data classes, trust zones, and groups that can be audiences."""

    classes: Classes
    zones: Collection[str] = ()
    groups: Collection[str] = ()
    directory: Mapping[str, str] = field(default_factory=dict)

    def unknown_group(self, audience: str) -> str:
        """Return the remediation if an audience is an undeclared group; empty otherwise."""
        name = audience.removeprefix("group:")
        if name == audience or name in self.groups or audience in self.classes.clearance:
            return ""
        known = [f"group:{group}" for group in self.groups]
        known += [one for one in self.classes.clearance if one.startswith("group:")]
        return f"declare it under `groups` or `classes.clearance` in `remit.yaml`{or_near(audience, known)}"

    def wider(self, one: str, other: str) -> bool:
        """Return whether an audience has people who must not learn what another one may."""
        classes, order = self.classes, self.classes.order

        def height(audience: str) -> int:
            ceiling = classes.ceiling(audience)
            return order.index(ceiling) if ceiling in order else 0

        if other in classes.around(one):
            return False
        outer = one in classes.around(other) or (one == "external" and other != "external")
        return outer or height(one) < height(other)


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
        way = f"declare it under `zones` in `remit.yaml`{or_near(form.zone, words.zones)}"
        problems.add(f"`{form.zone}` is not a trust zone", line=line, key=f"{key}.zone", remediation=way)
    return Label(
        data_class=data_class,
        categories=frozenset(form.categories) or unless.categories,
        trust=form.trust or unless.trust,
        zones=frozenset({form.zone}) if form.zone else unless.zones,
    )


def or_near(word: str, known: Collection[str]) -> str:
    """Return the end of a remediation that names the known word nearest to a word; empty without one."""
    near = nearest(word, known)
    return f"; did you mean `{near}`?" if near else ""
