# SPDX-License-Identifier: Apache-2.0
"""Reach: who can get from where to what under a bundle, known before anything has happened.

A static graph of sources (what tools bring in, by their labels), task types with the agents that run them or
get them handed down, stores that some write and others read, the credentials that open upstreams, and outlets
(what can be felt outside, or not taken back). Three kinds of paths are told: untrusted content to effects,
private data to those who may not learn it, and the toxic combination of both in one task type, also where it
only comes together across hand-downs or shared stores. What grants and policies already refuse or ask is said
on each path.

It is an upper bound. What is unknown counts as the worst: every destination that a grant leaves free can be
chosen by whoever wrote what was read. It does not follow what an agent remembers from one task to the next,
nor two tools that reach one thing under two names, unless one credential opens both upstreams.
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
from remit.core.policy.reach.remediation import Remedy, Repair, RepairKind, remedies, together
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
    "Remedy",
    "Repair",
    "RepairKind",
    "Runner",
    "StaticCall",
    "StepKind",
    "ToxicTask",
    "Waypoint",
    "reach_graph",
    "remedies",
    "together",
]
