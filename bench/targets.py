# SPDX-License-Identifier: Apache-2.0
"""What `python -m bench` measures, and what it should find: the place to register more.

A new target is a class with the members of `bench.target.Target` and one line in TARGETS. Other measurements
(a budget in microseconds, a disk) are functions in PROBES. A bound on any of these is a line in GOALS.
"""

from collections.abc import Callable

from bench.asked import Asked
from bench.backups import MEMORY as BACKUP_MEMORY
from bench.backups import backups
from bench.console import ROUND_TRIP, SLOWEST, STREAM_CPU, STREAM_MEMORY, console
from bench.descriptions import PRECISION as TOOL_PRECISION
from bench.descriptions import RECALL as TOOL_RECALL
from bench.descriptions import described
from bench.discovery import AGAIN, END, discovery
from bench.discovery import MEMORY as SCAN_MEMORY
from bench.discovery import SPEED as SCAN_SPEED
from bench.disk import FDATASYNC, fdatasync
from bench.ends import ATTEMPTS, END_P99, PASSED, WRONGLY, ends
from bench.evidence import VERIFIED, evidence
from bench.exports import exports_cost
from bench.figure import Figure, Goal
from bench.fleet import PAUSED_OVER, ROLLED_BACK, THREE_P99, fleet
from bench.governed import Governed
from bench.guarded import guarded_calls
from bench.hindsight import MEMORY, SECONDS, hindsight
from bench.hooks import HOOK_P99, RESULT_P99, hooks
from bench.issuers import UNKNOWN, issuers
from bench.payloads import AGAINST_PROXY, PER_KB, payloads
from bench.policy_engines import (
    FEW,
    MANY,
    P50_OF_1_000,
    P50_OF_10_000,
    REGO_OF_1_000,
    REGO_OF_10_000,
    policy_engines,
)
from bench.policy_loads import MEMORY as POLICY_MEMORY
from bench.policy_loads import SETUP as POLICY_SETUP
from bench.policy_loads import policy_loads
from bench.privileges import FALSE as FALSE_PATHS
from bench.privileges import RECALL as PATHS_RECALL
from bench.privileges import SECONDS as PRIVILEGES_SECONDS
from bench.privileges import privileges
from bench.privileges_clouds import FALSE_ONES, RECALLS, TIMES, privileges_clouds
from bench.provenance import (
    CALL,
    EARLY_CALL,
    LATE_CALL,
    PER_10_KB,
    PER_10_KB_OF_10_MB,
    PER_10_KB_TEXT,
    provenance,
)
from bench.questions import REPORT, questions_answered
from bench.questions import SLOWEST as SLOWEST_QUESTION
from bench.reach import name_of, reach
from bench.recorded_state import recorded_state
from bench.rehearsal import CALLS, rehearsals
from bench.replica_cost import COUNTS as REPLICAS
from bench.replica_cost import GOAL as REPLICA_GOAL
from bench.replica_cost import ratio_of, replica_cost
from bench.restart import FAILED, restart
from bench.results import RECORDS
from bench.secret_finding import F1, PRECISION, SPEED, secrets
from bench.senders import CHECK, senders
from bench.simulation import DECISIONS, simulation
from bench.sinks import OPENBAO, POSTGRES, sinks
from bench.soak import GROWTH, soak
from bench.stages import stages
from bench.stalls import ALONE, ENDED, READING, READING_MUCH, SMALL, WRITING, stalls
from bench.target import Target
from bench.tokens import tokens
from bench.workers import GOAL as WORKERS_GOAL
from bench.workers import RATIO as WORKERS
from bench.workers import workers
from bench.yardsticks import Bare, Direct, Envoy, Fastmcp

TARGETS: list[Target] = [
    Direct(),
    Envoy(),
    Fastmcp(),
    Bare("relay"),
    Bare("parts"),
    Governed("durable"),
    Governed("buffered"),
    Governed("durable", "postgres"),
    Asked("durable"),
]

PROBES: dict[str, Callable[[bool], list[Figure]]] = {
    "disk": fdatasync,
    "stages": stages,
    "tokens": tokens,
    "issuers": issuers,
    "senders": senders,
    "evidence": evidence,
    "questions": questions_answered,
    "exports": exports_cost,
    "backup": backups,
    "provenance": provenance,
    "payloads": payloads,
    "paths": reach,
    "engines": policy_engines,
    "policies": policy_loads,
    "simulation": simulation,
    "ends": ends,
    "stalls": stalls,
    "sinks": sinks,
    "rehearsal": rehearsals,
    "hindsight": hindsight,
    "discovery": discovery,
    "privileges": privileges,
    "privileges-clouds": privileges_clouds,
    "hooks": hooks,
    "secrets": secrets,
    "replicas": fleet,
    "restart": restart,
    "soak": soak,
    "sdk": guarded_calls,
    "replica-cost": replica_cost,
    "workers": workers,
    "console": console,
    "descriptions": described,
    "state": recorded_state,
}
"""By the name that `--only` takes; each is told whether the run is quick."""

RATIOS = {
    "p50 at concurrency 1": "direct",
    "p99 at concurrency 1": "direct",
    "calls at concurrency 1": "direct",
    "p50 at concurrency 16": "direct",
    "p99 at concurrency 16": "direct",
    "calls at concurrency 16": "direct",
    "CPU per call": "envoy",
    "peak memory": "envoy",
    "ready": "envoy",
}
"""The target that is the yardstick of a figure without a goal."""

GOALS = [
    Goal(name=POLICY_SETUP, at_most=6),
    Goal(name=POLICY_MEMORY, at_most=200),
    Goal(name=BACKUP_MEMORY, at_most=300),
    Goal(name=TOOL_PRECISION, at_least=0.97),
    Goal(name=TOOL_RECALL, at_least=0.9),
    Goal(name=CALLS, at_least=1_000),
    Goal(name=SLOWEST, at_most=300),
    Goal(name=ROUND_TRIP, at_most=200),
    Goal(name=STREAM_MEMORY, at_most=50),
    Goal(name=STREAM_CPU, at_most=5),
    Goal(name=P50_OF_1_000, at_most=120),
    Goal(name=P50_OF_10_000, at_most=300),
    Goal(name=REGO_OF_1_000, at_most=120),
    Goal(name=REGO_OF_10_000, at_most=300),
    Goal(name=DECISIONS, at_least=5_000),
    Goal(name=MANY, yardstick=FEW, at_most=1.3),
    Goal(name=SECONDS, at_most=60),
    Goal(name=PATHS_RECALL, at_least=1),
    Goal(name=FALSE_PATHS, at_most=0),
    Goal(name=PRIVILEGES_SECONDS, at_most=10),
    *(Goal(name=name, at_least=1) for name in RECALLS),
    *(Goal(name=name, at_most=0) for name in FALSE_ONES),
    *(Goal(name=name, at_most=10) for name in TIMES),
    Goal(name=MEMORY, at_most=300),
    Goal(name=SCAN_SPEED + END, at_least=50),
    Goal(name=SCAN_MEMORY + END, at_most=300),
    Goal(name=AGAIN + END, at_most=2),
    Goal(name=HOOK_P99, at_most=20),
    Goal(name=RESULT_P99, at_most=20),
    *(
        goal
        for part in ("visible", "untouched")
        for kind in ("prose", "transcript")
        for goal in (
            Goal(name=F1.format(part=part, kind=kind), at_least=0.95),
            Goal(name=PRECISION.format(part=part, kind=kind), at_least=0.97),
        )
    ),
    *(Goal(name=SPEED.format(what=what), at_least=50) for what in ("code", "documents", "configuration")),
    Goal(name="remit-durable: calls at concurrency 16", at_least=3_000),
    Goal(
        name="remit-durable: calls at concurrency 16",
        yardstick="fastmcp: calls at concurrency 16",
        at_least=30,
    ),
    Goal(
        name="remit-durable: calls at concurrency 16",
        yardstick="envoy: calls at concurrency 16",
        at_least=1 / 3,
    ),
    Goal(
        name="remit-buffered: p50 at concurrency 1",
        yardstick="direct: p50 at concurrency 1",
        added=True,
        at_most=0.7,
    ),
    Goal(
        name="remit-durable: p50 at concurrency 1",
        yardstick="direct: p50 at concurrency 1",
        added=True,
        at_most=0.9,
        plus=FDATASYNC,
    ),
    Goal(name="remit-durable: peak memory", at_most=120),
    Goal(name="oauth-durable: tokens exchanged", at_least=1_000),
    Goal(name="oauth: verified token met again", at_most=20),
    Goal(name=UNKNOWN, at_most=6),
    Goal(name=CHECK, at_most=250),
    Goal(name=SLOWEST_QUESTION, at_most=3.0),
    Goal(name=REPORT, at_most=30.0),
    Goal(name=VERIFIED, at_least=100_000),
    Goal(name=CALL, at_most=150),
    Goal(name=PER_10_KB, at_most=0.8),
    Goal(name=PER_10_KB_TEXT, at_most=0.8),
    Goal(name=PER_10_KB_OF_10_MB, yardstick=PER_10_KB, at_most=1.25),
    Goal(name=LATE_CALL, yardstick=EARLY_CALL, at_most=1.25),
    *(
        Goal(name=PER_KB.format(what=f"{kind} of {size} KB"), at_most=15)
        for kind in RECORDS
        for size in (10, 100, 1_000)
    ),
    *(Goal(name=AGAINST_PROXY.format(what=f"{kind} of 100 KB"), at_least=15) for kind in RECORDS),
    Goal(name=name_of(10_000), at_most=2),
    Goal(name=THREE_P99, at_most=50),
    *(Goal(name=ratio_of(count), at_most=REPLICA_GOAL) for count in REPLICAS[1:]),
    Goal(name=PAUSED_OVER, at_most=100),
    Goal(name=ROLLED_BACK, at_most=1),
    Goal(name=POSTGRES, at_most=1_000),
    Goal(name=OPENBAO, at_most=1_000),
    Goal(name=END_P99, at_most=20),
    *(
        Goal(
            name=SMALL.format(beside=beside, share="p50"),
            yardstick=SMALL.format(beside=ALONE, share="p50"),
            at_most=2,
        )
        for beside in (READING, READING_MUCH, WRITING)
    ),
    Goal(name=ENDED.format(beside=READING_MUCH, share="p99"), at_most=20),
    Goal(name=PASSED, at_most=0),
    Goal(name=ATTEMPTS, at_least=1_000_000),
    Goal(name=WRONGLY, at_most=1),
    Goal(
        name="remit-asked-durable: calls at concurrency 16",
        yardstick="remit-durable: calls at concurrency 16",
        at_least=0.8,
    ),
    Goal(name=FAILED, at_most=0),
    Goal(name=WORKERS, at_least=WORKERS_GOAL),
    Goal(name=GROWTH, at_most=16),
    Goal(name="remit-buffered: peak memory", at_most=120),
    Goal(name="remit-durable: ready", at_most=1.5),
]
