# SPDX-License-Identifier: Apache-2.0
"""Assertions about a task for the authorization server of an upstream: the person, and the acting agents.

A short-lived JWT for one server (RFC 7523 section 3). The server has decided to trust remit's key on the
person behind a task. The assertion is not an access token, opens nothing here, and is never shown to an
agent.
"""

from __future__ import annotations

from typing import Final

from remit.core.draft_names import (
    MISSION,
    MISSION_ID,
    MISSION_ISSUER,
    PROFILE_AGENT,
    PROFILE_USER,
    SUB_PROFILE,
)
from remit.core.errors import KeyUnavailable
from remit.core.identity.principals import NO_PERSON, Actor
from remit.core.json_value import Json
from remit.core.oauth.access_token import act_of
from remit.core.tasks.task import Task

#: It is used at once; this only allows for clock differences.
LIFE_S: Final = 60
#: The header's `typ`, which servers expect of an assertion and which no token of remit has.
VOUCHING_TYPE: Final = "JWT"


def vouched_person(task: Task, *, issuer: str, audience: str, now_s: int, token_id: str) -> dict[str, Json]:
    """Return the claims that name the person behind a task, with the acting agents (RFC 8693 section 4.1).

    Raises `KeyUnavailable` where the task is not for a person.
    """
    person = task.on_behalf_of
    if not person or person.startswith(NO_PERSON):
        raise KeyUnavailable(
            "this task is for no person, so the upstream has no user to act for",
            code="no-person",
            remediation="open the task for a person (`--for`), or let the upstream authenticate agents",
        )
    actors = tuple(Actor(name, PROFILE_AGENT) for name in task.actors)
    return _common(issuer, audience, now_s, token_id) | {
        "sub": person,
        SUB_PROFILE: PROFILE_USER,
        "act": act_of(actors, issuer),
        MISSION: {MISSION_ID: task.id, MISSION_ISSUER: issuer},
    }


def vouched_agent(task: Task, *, issuer: str, audience: str, now_s: int, token_id: str) -> dict[str, Json]:
    """Return the claims that name the acting agent of a task: the actor of an exchange."""
    return _common(issuer, audience, now_s, token_id) | {"sub": task.agent, SUB_PROFILE: PROFILE_AGENT}


def _common(issuer: str, audience: str, now_s: int, token_id: str) -> dict[str, Json]:
    return {
        "iss": issuer,
        "aud": audience,
        "iat": now_s,
        "exp": now_s + LIFE_S,
        "jti": token_id,
    }
