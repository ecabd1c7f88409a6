# SPDX-License-Identifier: Apache-2.0
"""The input of a grant: the request's form, the services, and the key that the request has proven."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from remit.api.oauth.client_authentication import authenticate, isolation
from remit.api.oauth.forms import Form, OAuthRefused
from remit.api.oauth.rooms import OAuthRooms
from remit.core.canonical import parse_strict
from remit.core.draft_names import MISSION_PARAMETER
from remit.core.errors import Malformed
from remit.core.identity.workload import Confirmation
from remit.core.json_value import Json
from remit.core.oauth.access_token import AGENT_SCOPE
from remit.core.oauth.mission import BAD_DETAILS, asked_grants
from remit.core.oauth.resource import TASK_SCOPE
from remit.core.tasks.grant import Grant
from remit.core.tasks.task import Task
from remit.services.oauth.access_tokens import IssuedAccessToken, TokenQuestion
from remit.services.oauth.client_authentication import TokenClient

MAX_DETAILS_BYTES = 32_768


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """One request at the token endpoint."""

    request: Request
    form: Form
    rooms: OAuthRooms
    confirmation: Confirmation

    async def client(self, *, public: bool = False) -> TokenClient:
        """Return the authenticated client."""
        return await authenticate(self.request, self.form, self.rooms, public=public)

    def asking(self, how: str) -> TokenQuestion:
        """Return the properties of the requested token. RFC 8693 section 2.1: `audience` names a target
        too.
        """
        wanted = (*self.form.all("resource"), *self.form.all("audience"))
        return TokenQuestion(
            how=how,
            audience=self.rooms.oauth.tokens.audience(wanted),
            confirmation=self.confirmation,
            isolation=isolation(self.request),
        )

    def scope(self, fits: str) -> None:
        """Refuse a requested scope that the token would not have."""
        wanted = set(self.form.get("scope").split())
        if wanted - {fits}:
            way = f"; give a task with `{MISSION_PARAMETER}`" if TASK_SCOPE in wanted else ""
            raise OAuthRefused("invalid_scope", f"the scope is `{fits}`{way}")

    def details(self) -> Json:
        """Return `authorization_details` (RFC 9396), or `None` if absent."""
        if "authorization_details" not in self.form:
            return None
        try:
            return parse_strict(
                self.form.get("authorization_details").encode(), max_bytes=MAX_DETAILS_BYTES, max_depth=16
            )
        except Malformed as error:
            raise OAuthRefused(BAD_DETAILS, f"they cannot be read: {error.message}") from None

    def whole(self) -> Callable[[Task], None]:
        """Return a check that refuses a task whose grants differ from the requested
        `authorization_details`.
        """
        details = self.details()
        if details is None:
            return lambda _: None
        asked = asked_grants(details, self.rooms.oauth.tokens.resources)
        return lambda task: _check_whole(task, asked)

    async def for_client(self, client: TokenClient, how: str) -> IssuedAccessToken:
        """Return a token for the task that the client names, or a token for the client itself."""
        rooms = self.rooms
        if MISSION_PARAMETER not in self.form:
            self.scope(AGENT_SCOPE)
            if self.details() is not None:
                raise OAuthRefused(BAD_DETAILS, f"give the task with `{MISSION_PARAMETER}`")
            return await rooms.oauth.tokens.for_agent(client, self.asking(how))
        self.scope(TASK_SCOPE)
        live = await rooms.oauth.tokens.bound(client.agent.name, self.form.get(MISSION_PARAMETER))
        self.whole()(live.task)
        return await rooms.oauth.tokens.for_task(client, live, self.asking(how))


def _check_whole(task: Task, asked: tuple[Grant, ...]) -> None:
    """Refuse a task whose grants differ from the requested ones: a token always covers its whole task."""
    whole = {grant.tool for grant in task.grants} == {grant.tool for grant in asked}
    if not whole or any(one.arguments or not one.other_arguments or one.calls is not None for one in asked):
        raise OAuthRefused(
            BAD_DETAILS, "a token covers its whole task: delegate a part of it by token exchange"
        )
