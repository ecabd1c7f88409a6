# SPDX-License-Identifier: Apache-2.0
"""Reach: the paths of data from sources to effects under a bundle, known before any call.

A static graph of sources (data that tools bring in, by label), task types with the agents that run them or
receive them by hand-down, stores that some write and others read, the credentials that open upstreams, and
outlets (effects that are visible outside or irreversible). It reports three kinds of paths: untrusted content
to effects, private data to those who may not learn it, and the toxic combination of both in one task type,
also where they combine only across hand-downs or shared stores. Each path states which grants and policies
already refuse it or ask a person.

The result is an upper bound. Unknowns count as the worst case: the author of data that a task reads can
choose every destination that a grant leaves free. Reach does not follow an agent's memory from one task to
the next, nor two tools that reach one thing under two names, unless one credential opens both upstreams.

`remediation` has the changes that break a path; it loads a library for graphs, which few need.
"""

from remit.core.policy.reach.credential import (
    CredentialHolder,
    CredentialSource,
    CredentialSources,
    CredentialUse,
    Lifetime,
)
from remit.core.policy.reach.graph import ReachGraph, reach_graph
from remit.core.policy.reach.model import (
    GRANT,
    DataSource,
    Guard,
    Handover,
    Inflow,
    Judge,
    Openness,
    Outlet,
    PathKind,
    ReachPath,
    Runner,
    StaticCall,
    StepKind,
    Waypoint,
)
from remit.core.policy.reach.report import ReachSurvey, ToxicTask

__all__ = [
    "GRANT",
    "CredentialHolder",
    "CredentialSource",
    "CredentialSources",
    "CredentialUse",
    "DataSource",
    "Guard",
    "Handover",
    "Inflow",
    "Judge",
    "Lifetime",
    "Openness",
    "Outlet",
    "PathKind",
    "ReachGraph",
    "ReachPath",
    "ReachSurvey",
    "Runner",
    "StaticCall",
    "StepKind",
    "ToxicTask",
    "Waypoint",
    "reach_graph",
]
