# SPDX-License-Identifier: Apache-2.0
"""One figure, and what it should be."""

from collections.abc import Mapping

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured value; `build/bench.json` holds a list of these."""

    name: str
    value: float
    unit: str
    yardstick: str | None = None
    """The name of the figure that it is compared with."""
    ratio: float | None = None
    """This value divided by the yardstick's."""
    target: str | None = None
    """What it should be, in words."""
    met: bool | None = None
    """Whether it is; None where there is no target."""
    how: str
    """How it was measured."""


def bare(value: float) -> str:
    """Three significant digits, and large whole numbers as they are."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """What a figure should be: a bound on its value, its ratio to a yardstick, or what it adds to one."""

    name: str
    """The figure's name."""
    yardstick: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    added: bool = False
    """The bound is on the difference to the yardstick; otherwise, with a yardstick, on the ratio."""
    plus: str | None = None
    """The name of a figure whose value widens `at_most`."""

    def judge(self, figures: Mapping[str, Figure]) -> Figure | None:
        """The judged figure; None where this run did not measure what it takes."""
        needed = [n for n in (self.name, self.yardstick, self.plus) if n is not None]
        if any(n not in figures for n in needed):
            return None
        measured = figures[self.name]
        value, unit, what = measured.value, measured.unit, ""
        ratio = None
        if self.yardstick is not None:
            base = figures[self.yardstick].value
            ratio = measured.value / base
            value, what = (measured.value - base, "added ") if self.added else (ratio, "ratio ")
            unit = unit if self.added else ""
        parts, met = [], True
        if self.at_least is not None:
            parts.append(f"{what}>= {bare(self.at_least)} {unit}".strip())
            met = met and value >= self.at_least
        if self.at_most is not None:
            bound = self.at_most + (figures[self.plus].value if self.plus else 0.0)
            parts.append(f"{what}<= {bare(bound)} {unit}".strip())
            met = met and value <= bound
        name = self.name
        if self.yardstick is not None:
            name = (
                f"{self.name}, {'added to' if self.added else 'against'} {self.yardstick.partition(':')[0]}"
            )
            value, unit = (value, unit) if self.added else (measured.value, measured.unit)
        return Figure(
            name=name,
            value=value,
            unit=unit,
            yardstick=self.yardstick,
            ratio=ratio,
            target=" and ".join(parts),
            met=met,
            how=measured.how if self.plus is None else f"{measured.how}; the bound has `{self.plus}` added",
        )
