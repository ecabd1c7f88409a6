# SPDX-License-Identifier: Apache-2.0
"""Tickets: opaque values that travel once through a browser, each standing for something kept here.

A pushed request (RFC 9126), an authorization code (RFC 6749 section 4.1.2), a sign-in under way at the
organisation's provider, a passkey's challenge. Only the SHA-256 of a ticket is kept. It works once and for a
short time; a used one is remembered until it would have run out, so that a second use is known as one.
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class Mission(msgspec.Struct, frozen=True, kw_only=True):
    """What an application proposes to do (`mission_intent`). It is shown to the person, as the application's
    words, and never becomes the intent.
    """

    goal: str = ""
    purpose: str = ""
    success_criteria: tuple[str, ...] = ()


class AuthorizationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An authorization request that has been checked (RFC 6749 section 4.1.1 and what extends it).

    `agent` is who pushed it and proved itself by that; empty where the client is known by its address alone.
    `max_age_s` is `None` where nothing is asked for. `task_type` is what the application would like to run,
    `tools` what it wants of it at most (RFC 9396), `upstreams` where (RFC 8707); `None`: all.
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
    """A request that was pushed (RFC 9126); its `request_uri` ends with the ticket."""

    request: AuthorizationRequest


class ConsentCode(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="code"):
    """What a person has agreed to, for the client to fetch its tokens with (RFC 6749 section 4.1.3).

    The token endpoint gives tokens for `task` alone, to the client that `client_id` names, against the
    verifier of `code_challenge` (RFC 7636, S256) and with exactly this `redirect_uri`. `dpop_jkt` binds it to
    a key (RFC 9449 section 10). `authenticated` is when the person last proved who they are.
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
    """A person lets the command line act for them: it becomes a session, by the verifier (RFC 7636).

    `session` is the digest of the browser's session that permitted it: the code is worth nothing once that
    has ended. `coded_by` is that session's.
    """

    redirect_uri: str
    code_challenge: str
    person: str
    session: str
    coded_by: tuple[str, ...] = ()
    method: str
    authenticated: datetime


class ProviderVisit(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="provider"):
    """A browser is at the organisation's provider to sign in; the ticket is the `state` that comes back.

    `browser` is the digest of the cookie that the same browser must show. `then` is the page of remit that
    the person was on their way to. `fresh`: the provider was asked for a new proof of the person.
    """

    provider: str
    nonce: str
    verifier: str
    browser: str
    then: str
    fresh: bool = False


class PasskeyCeremony(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="passkey"):
    """A passkey's challenge (base64url). `person` registers it; empty where someone signs in with it."""

    challenge: str
    browser: str
    person: str = ""


class ConnectVisit(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="connect"):
    """A person is at the authorization server of an upstream to connect it; the ticket is the `state` that
    comes back, to the browser that shows the cookie of this digest.
    """

    upstream: str
    person: str
    verifier: str
    browser: str


Held = PushedRequest | ConsentCode | TerminalCode | ProviderVisit | PasskeyCeremony | ConnectVisit


class OneTimeCode(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is kept under the digest of an opaque value; `outcome` says what a used one led to."""

    tenant: str
    digest: str
    created: datetime
    expires: datetime
    holds: Held
    used: datetime | None = None
    outcome: str = ""

    def open_at(self, now: datetime) -> bool:
        """Whether it can still be used."""
        return self.used is None and now < self.expires
