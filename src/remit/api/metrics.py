# SPDX-License-Identifier: Apache-2.0
"""Metrics in the Prometheus text format 0.0.4."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

from remit.services.mediation.step_times import BOUNDS_S, CallMetrics, Histogram


def call_metrics(figures: CallMetrics) -> list[str]:
    """Return the metrics of calls: outcomes by tool, faults, and durations."""
    return [
        *family(
            "remit_calls_total",
            "counter",
            "Governed calls since start, by upstream, tool and outcome.",
            {
                labels(upstream=upstream, tool=tool, outcome=outcome): count
                for (upstream, tool, outcome), count in sorted(figures.outcomes.items())
            },
        ),
        *family(
            "remit_call_faults_total",
            "counter",
            "Calls since start that an error ended, by its code.",
            {labels(code=code): count for code, count in sorted(figures.faults.items())},
        ),
        *_histograms(
            "remit_call_seconds", "Seconds of whole calls, by upstream.", "upstream", figures.by_upstream
        ),
        *_histograms(
            "remit_upstream_seconds", "Seconds that upstreams took (step 7).", "upstream", figures.upstreams
        ),
        *_histograms(
            "remit_step_seconds",
            "Seconds of groups of steps; `decide` is steps 1 to 4.",
            "step",
            figures.by_group,
        ),
    ]


def family(name: str, kind: str, told: str, values: Mapping[str, float]) -> list[str]:
    """Return the lines of one metric; `values` are by suffix and labels, such as `{kind="x"}`."""
    return [
        f"# HELP {name} {told}",
        f"# TYPE {name} {kind}",
        *(f"{name}{label} {value}" for label, value in values.items()),
    ]


def labels(**named: str) -> str:
    """Return labels with their values escaped: upstreams name their tools."""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in named.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _histograms(name: str, told: str, label: str, held: Mapping[str, Histogram]) -> list[str]:
    values: dict[str, float] = {}
    for named, one in sorted(held.items()):
        for bound, count in zip((*BOUNDS_S, "+Inf"), accumulate(one.counts), strict=True):
            values["_bucket" + labels(**{label: named, "le": str(bound)})] = count
        values["_sum" + labels(**{label: named})] = round(one.sum_s, 6)
        values["_count" + labels(**{label: named})] = sum(one.counts)
    return family(name, "histogram", told, values)
