# SPDX-License-Identifier: Apache-2.0
"""A client under guard, as the configuration describes it."""

from __future__ import annotations

import enum
from typing import Final

import msgspec


class GuardMode(enum.StrEnum):
    """What a refusal does: it is only recorded, the person is asked, or the call does not happen."""

    OBSERVE = "observe"
    ASK = "ask"
    ENFORCE = "enforce"


#: What is added to the client's name for the agent that its subagents are.
SUBAGENT: Final = "-subagent"
#: The parameter of the task type that holds the client's id of the session.
SESSION: Final = "session"


class GuardedClient(msgspec.Struct, frozen=True, kw_only=True):
    """A client: `name` is also the upstream under which its tools are described.

    `secret_digest` is the digest of the secret that its hooks carry. `silent_permits`: the client's own rules
    still apply to what remit permits; else remit's permit is enough. `headless_words`: prompts of runs
    without a terminal count as the person's. `wait_s` is how long a hook waits for an approver's answer to a
    call that would else be refused until then. `managed`: only an administrator changes its hooks. `relays`
    are further agents as which it reaches MCP servers.
    """

    name: str
    agent: str
    task_type: str
    person: str
    mode: GuardMode
    secret_digest: str
    silent_permits: bool = True
    headless_words: bool = False
    wait_s: int = 0
    managed: bool = False
    relays: frozenset[str] = frozenset()

    @property
    def subagent(self) -> str:
        """The agent that its subagents are."""
        return self.agent + SUBAGENT
