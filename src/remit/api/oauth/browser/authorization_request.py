# SPDX-License-Identifier: Apache-2.0
"""Reading an authorization request (RFC 6749 section 4.1.1, RFC 7636, RFC 8707, RFC 9126, RFC 9396).

Reading has two parts, because their errors go to different receivers. The client and the redirect URI must be
valid before anything is sent to the application. Errors in all other parameters are answered to the
application.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from remit.api.oauth.browser.rooms import PageRooms
from remit.api.oauth.forms import Form, OAuthRefused
from remit.core.canonical import parse_strict
from remit.core.draft_names import MISSION_INTENT
from remit.core.errors import Malformed
from remit.core.json_value import Json
from remit.core.oauth.access_token import AGENT_SCOPE
from remit.core.oauth.mission import BAD_DETAILS, asked_grants
from remit.core.oauth.one_time_code import AuthorizationRequest, Mission
from remit.core.tasks.grant import Grant
from remit.services.people.consents import Applicant

MAX_STATE_CHARS: Final = 2048
MAX_JSON_BYTES: Final = 32_768
PROMPTS: Final = frozenset({"none", "login", "consent", "select_account"})
_HASH: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_SCOPE: Final = re.compile(r"[!#-\[\]-~]+")


async def who_asks(form: Form, rooms: PageRooms, pushed_by: str = "") -> tuple[Applicant, str]:
    """Return the application and its redirect URI; raise an error that is shown only to the person."""
    applicant = await rooms.people.consents.applicant(form.need("client_id"), pushed_by)
    redirect_uri = rooms.people.consents.check_redirect(applicant, form.need("redirect_uri"))
    return applicant, redirect_uri


def what_is_asked(
    form: Form, rooms: PageRooms, applicant: Applicant, redirect_uri: str, pushed_by: str = ""
) -> AuthorizationRequest:
    """Return the checked request; raise `OAuthRefused` with the error code for the application."""
    if "request" in form:
        raise OAuthRefused("request_not_supported", "push the request instead (RFC 9126)")
    if form.need("response_type") != "code":
        raise OAuthRefused("unsupported_response_type", "the response type is `code`")
    if form.get("response_mode", "query") != "query":
        raise OAuthRefused("invalid_request", "the response mode is `query`")
    # RFC 9700 section 2.1.1, OAuth 2.1: PKCE is required, and `plain` is refused.
    if form.get("code_challenge_method") != "S256" or not _HASH.fullmatch(form.get("code_challenge")):
        raise OAuthRefused("invalid_request", "send a `code_challenge` with the method `S256` (RFC 7636)")
    if len(form.get("state")) > MAX_STATE_CHARS:
        raise OAuthRefused("invalid_request", "the `state` is too long")
    if form.get("dpop_jkt") and not _HASH.fullmatch(form.get("dpop_jkt")):
        raise OAuthRefused("invalid_request", "`dpop_jkt` is not a thumbprint (RFC 9449 section 10)")
    resource = _resources(form, rooms)
    mission, places = _mission(form, rooms)
    # INVARIANT: a requested resource bounds the whole task, not only its first token.
    within = rooms.identity.authenticator.resources.within(resource, places)
    return AuthorizationRequest(
        client_id=applicant.client_id,
        redirect_uri=redirect_uri,
        state=form.get("state"),
        code_challenge=form.get("code_challenge"),
        resource=resource,
        scope=_scope(form),
        prompt=_prompt(form),
        max_age_s=_max_age(form),
        login_hint=form.get("login_hint")[:200],
        dpop_jkt=form.get("dpop_jkt"),
        mission=mission,
        tools=_tools(form, rooms),
        upstreams=None if within is None else tuple(sorted(within)),
        task_type=form.get("task_type")[:80],
        agent=pushed_by,
    )


def _resources(form: Form, rooms: PageRooms) -> tuple[str, ...]:
    """Return the audience of the token (RFC 8707): MCP endpoints of remit, or an empty tuple for all of
    them.
    """
    known = rooms.identity.authenticator.resources
    wanted = form.all("resource")
    for one in wanted:
        if one not in known or one == known.api:
            raise OAuthRefused(
                "invalid_target", f"the resource is `{known.joined}`, or one upstream below it"
            )
    return wanted


def _scope(form: Form) -> tuple[str, ...]:
    wanted = tuple(one for one in form.get("scope").split(" ") if one)
    if not all(map(_SCOPE.fullmatch, wanted)) or len(wanted) > 64:
        raise OAuthRefused("invalid_scope", "the scope cannot be read")
    # A person cannot grant the scope of an agent's own token.
    return tuple(one for one in wanted if one != AGENT_SCOPE)


def _prompt(form: Form) -> tuple[str, ...]:
    wanted = tuple(one for one in form.get("prompt").split(" ") if one)
    if not set(wanted) <= PROMPTS or ("none" in wanted and len(wanted) > 1):
        raise OAuthRefused("invalid_request", "the `prompt` cannot be satisfied")
    return wanted


def _max_age(form: Form) -> int | None:
    text = form.get("max_age")
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise OAuthRefused("invalid_request", "`max_age` is not a number of seconds")
    return int(text)


def _json(form: Form, name: str, code: str) -> Json:
    text = form.get(name)
    if not text:
        return None
    try:
        return parse_strict(text.encode(), max_bytes=MAX_JSON_BYTES, max_depth=16)
    except Malformed as error:
        raise OAuthRefused(code, f"`{name}` cannot be read: {error.message}") from None


class _Intent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    goal: str = ""
    purpose: str = ""
    success_criteria: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    constraints: dict[str, Json] = {}
    controls: dict[str, Json] = {}


class _MissionIntent(msgspec.Struct, frozen=True):
    intent: _Intent = _Intent()


def _mission(form: Form, rooms: PageRooms) -> tuple[Mission, tuple[str, ...]]:
    """Return the mission that the application proposes, and the resources that it proposes to use."""
    written = _json(form, MISSION_INTENT, "invalid_request")
    if written is None:
        return Mission(), ()
    try:
        intent = msgspec.convert(written, _MissionIntent).intent
    except msgspec.ValidationError:
        raise OAuthRefused(
            "invalid_request", f"`{MISSION_INTENT}` is not a supported form of intent"
        ) from None
    # INVARIANT: a constraint that remit would not enforce is refused, never left out.
    if intent.constraints or intent.controls:
        raise OAuthRefused("invalid_request", "only the task type sets constraints and controls")
    if any(one not in rooms.identity.authenticator.resources for one in intent.resources):
        raise OAuthRefused("invalid_target", "a resource of the intent does not belong to this installation")
    mission = Mission(
        goal=intent.goal[:2000],
        purpose=intent.purpose[:500],
        success_criteria=tuple(one[:500] for one in intent.success_criteria[:8]),
    )
    return mission, intent.resources


def _tools(form: Form, rooms: PageRooms) -> tuple[str, ...] | None:
    """Return the requested tools (RFC 9396); only the task type decides what may be done with them."""
    written = _json(form, "authorization_details", BAD_DETAILS)
    if written is None:
        return None
    try:
        grants = asked_grants(written, rooms.identity.authenticator.resources)
    except Malformed as error:
        raise OAuthRefused(BAD_DETAILS, error.message) from None
    if any(grant.layers != Grant(grant.tool, other_arguments=True).layers for grant in grants):
        raise OAuthRefused(BAD_DETAILS, "ask only for tools: the task type sets their constraints")
    return tuple(grant.tool for grant in grants)
