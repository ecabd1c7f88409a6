# SPDX-License-Identifier: Apache-2.0
"""Tickets: opaque one-time values that pass through a browser, each a reference to a record stored here.

A pushed request (RFC 9126), an authorization code (RFC 6749 section 4.1.2), a pending sign-in at the
organisation's provider, a passkey's challenge, the link of a notification. Only the SHA-256 of a ticket is
stored. A ticket works once and for a short time. A used ticket is remembered until its expiry, so that a
second use is detected.
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class Mission(msgspec.Struct, frozen=True, kw_only=True):
    """An application's proposal (`mission_intent`).

    It is shown to the person as the application's text, and never becomes the intent.
    """

    goal: str = ""
    purpose: str = ""
    success_criteria: tuple[str, ...] = ()


class AuthorizationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A checked authorization request (RFC 6749 section 4.1.1 and its extensions).

    `agent` is the agent that pushed the request and thereby proved its identity; empty where the client is
    known only by its address. `max_age_s` is `None` where the request sets none. `task_type` is the requested
    task type, `tools` the upper bound of its tools (RFC 9396), `upstreams` that of its upstreams (RFC 8707);
    `None`: all.
    """

    client_id: str
    redirect_uri: str
    state: str = ""
    code_challenge: str
    resource: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    prompt: tuple[str, ...] = ()
    max_age_s: int | None = None
    login_hint: str = ""
    dpop_jkt: str = ""
    mission: Mission = Mission()
    tools: tuple[str, ...] | None = None
    upstreams: tuple[str, ...] | None = None
    task_type: str = ""
    agent: str = ""


class PushedRequest(msgspec.Struct, frozen=True, tag_field="type", tag="pushed"):
    """A pushed request (RFC 9126); its `request_uri` ends with the ticket."""

    request: AuthorizationRequest


class ConsentCode(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="code"):
    """A person's consent, which the client redeems for tokens (RFC 6749 section 4.1.3).

    The token endpoint issues tokens only for `task`, to the client that `client_id` names, against the
    verifier of `code_challenge` (RFC 7636, S256) and with exactly this `redirect_uri`. `dpop_jkt` binds the
    code to a key (RFC 9449 section 10). `authenticated` is the time of the person's last proof of identity.
    """

    client_id: str
    redirect_uri: str
    code_challenge: str
    agent: str
    person: str
    task: str
    resource: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    dpop_jkt: str = ""
    authenticated: datetime


class TerminalCode(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="terminal"):
    """A person's permission for the command line to act for them, redeemed for a session by the verifier (RFC
    7636).

    `session` is the digest of the browser session that gave the permission: the code is void once that
    session has ended. `coded_by` is copied from that session.
    """

    redirect_uri: str
    code_challenge: str
    person: str
    session: str
    coded_by: tuple[str, ...] = ()
    method: str
    authenticated: datetime


class ProviderVisit(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="provider"):
    """A pending sign-in of a browser at the organisation's provider; the ticket is the returned `state`.

    `browser` is the digest of the cookie that the same browser must present. `then` is the page of remit that
    the person had requested. `fresh`: the provider was asked for a new proof of the person.
    """

    provider: str
    nonce: str
    verifier: str
    browser: str
    then: str
    fresh: bool = False


class PasskeyCeremony(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="passkey"):
    """A passkey's challenge (base64url). `person` is registering the passkey; empty for a sign-in."""

    challenge: str
    browser: str
    person: str = ""


class ConnectVisit(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="connect"):
    """A person's pending connection to an upstream, at the upstream's authorization server.

    The ticket is the returned `state`, valid only for the browser that presents the cookie of this digest.
    """

    upstream: str
    person: str
    verifier: str
    browser: str


class QuestionLink(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="question"):
    """The link of a notification to the page of one question."""

    approval: str


Held = (
    PushedRequest | ConsentCode | TerminalCode | ProviderVisit | PasskeyCeremony | ConnectVisit | QuestionLink
)


class OneTimeCode(msgspec.Struct, frozen=True, kw_only=True):
    """A record stored under the digest of an opaque value; `outcome` is the result of a used ticket."""

    tenant: str
    digest: str
    created: datetime
    expires: datetime
    holds: Held
    used: datetime | None = None
    outcome: str = ""

    def open_at(self, now: datetime) -> bool:
        """Return whether the ticket can still be used."""
        return self.used is None and now < self.expires
