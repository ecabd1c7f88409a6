# SPDX-License-Identifier: Apache-2.0
"""Pages for people: rendering, protection, and cookies.

Pages are rendered on the server and load nothing from other sites. A page has a script only if it uses a
passkey. No page may be framed, and no form leads to another site.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Final, Self, TypeVar
from urllib.parse import urlsplit

import jinja2
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from remit.api.http_messages import read, status_of
from remit.api.oauth.browser.rooms import PageRooms
from remit.api.oauth.forms import FORM, MAX_FORM_BYTES, Form, OAuthRefused, parse_form
from remit.core.errors import Forbidden, RemitError, Unauthenticated
from remit.core.json_value import Json
from remit.core.oauth.client_metadata import LOOPBACK
from remit.services.people.sessions import BrowserSeat, csrf_of

log = logging.getLogger("remit.api")

_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.PackageLoader("remit.api.oauth", "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def sentence(text: str) -> str:
    """Return a text with its first letter capitalized."""
    return text[:1].upper() + text[1:]


def lasts(seconds: int) -> str:
    """Return a duration in whole minutes, hours or days."""
    for size, word in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {word}{'' if seconds == size else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}" if seconds < 60 else lasts(seconds - seconds % 60)


_TEMPLATES.filters |= {"sentence": sentence, "lasts": lasts}
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src data:; {script}form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With `no-referrer` a browser would send `Origin: null` with remit's own forms.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "publickey-credentials-get=(self), publickey-credentials-create=(self)",
}
VISIT_S: Final = 3600
_TITLES: Final = {
    401: "You are not signed in",
    403: "This is not permitted",
    404: "This page does not exist",
    409: "This is no longer possible",
    429: "Try again later",
    503: "Try again later",
}
#: Maximum length of the URL to which a person is sent after signing in.
MAX_THEN_CHARS: Final = 16_384

Serve = Callable[[Request], Awaitable[Response]]


class PageRequest:
    """One request of a browser: its session, and the secret to which its forms are bound.

    `secret` is that of the session if a person is signed in. Otherwise it is that of a separate cookie, which
    distinguishes forms of this browser from forms that another site makes it send.
    """

    templates: ClassVar[jinja2.Environment] = _TEMPLATES

    def __init__(self, request: Request, rooms: PageRooms) -> None:
        """Keep the request; `enter` reads its cookies."""
        self.request = request
        self.rooms = rooms
        self.seat: BrowserSeat | None = None
        self.visitor = ""
        self._set: list[tuple[str, str, int]] = []
        origin = rooms.people.origin
        self._secure = origin.startswith("https://")
        # RFC 6265bis section 4.1.3.2: with this prefix no other host, path or plaintext connection can set
        # the cookie. The prefix needs `Secure`, which not every browser accepts from localhost without TLS.
        prefix = "__Host-" if self._secure else ""
        self._session_cookie, self._visit_cookie = f"{prefix}remit-session", f"{prefix}remit-visit"

    @classmethod
    async def enter(cls, request: Request, rooms: Any) -> Self:
        """Return the `PageRequest` of a request, with its session and visit cookie."""
        visit = cls(request, rooms)
        visit.seat = await rooms.people.browsers.seat(visit.session_secret)
        visit.visitor = request.cookies.get(visit._visit_cookie, "")
        if not (len(visit.visitor) == 64 and visit.visitor.isalnum()):
            visit.visitor = rooms.entropy.bytes(32).hex()
            visit._set.append((visit._visit_cookie, visit.visitor, VISIT_S))
        return visit

    @property
    def session_secret(self) -> str:
        """The session's secret from the cookie, whether or not it is still valid."""
        return self.request.cookies.get(self._session_cookie, "")

    @property
    def csrf(self) -> str:
        """The CSRF value of this browser's forms."""
        return self.seat.csrf if self.seat else csrf_of(self.visitor)

    @property
    def place(self) -> str:
        """The person's browser and system, in words for that person."""
        return words_for(self.request.headers.get("user-agent", ""))

    async def form(self) -> Form:
        """Read a form of remit's pages.

        Raise `Forbidden` for a form of another site or another visit, and `Unauthenticated` if the person was
        signed out while the body arrived.
        """
        form = parse_form(await read(self.request, FORM, MAX_FORM_BYTES))
        if self.seat is not None:
            # The sender decides how long a body takes.
            self.seat = await self.rooms.people.browsers.seat(self.seat.secret)
            if self.seat is None:
                raise Unauthenticated(
                    "you are no longer signed in", code="no-session", remediation="sign in again", step=1
                )
        if not hmac.compare_digest(form.get("csrf").encode(), self.csrf.encode()):
            raise Forbidden(
                "this form has expired",
                code="csrf",
                remediation="go back, reload, try again",
            )
        return form

    def signed_in(self, secret: str) -> None:
        """Set the cookie of a new session."""
        self._set.append((self._session_cookie, secret, int(self.rooms.people.browsers.ttl_s)))

    def signed_out(self) -> None:
        """Remove the session cookie."""
        self._set.append((self._session_cookie, "", 0))

    def draw(
        self,
        template: str,
        values: Json | None = None,
        *,
        status: int = 200,
        script: bool = False,
        **more: Any,
    ) -> Response:
        """Return a page."""
        text = self.templates.get_template(template).render(
            csrf=self.csrf,
            person=self.seat.person.name if self.seat else "",
            script=script,
            **(values or {}),
            **more,
        )
        response = Response(text, status_code=status, headers=HEADERS, media_type="text/html")
        allowed = "script-src 'self'; connect-src 'self'; " if script else ""
        response.headers["Content-Security-Policy"] = _POLICY.format(script=allowed)
        return self.with_cookies(response)

    def go(self, address: str) -> Response:
        """Redirect the browser, with GET."""
        response = RedirectResponse(address, status_code=303, headers=HEADERS)
        return self.with_cookies(response)

    def with_cookies(self, response: Response) -> Response:
        """Add the cookies of this visit to a response."""
        for name, value, age_s in self._set:
            response.set_cookie(
                name, value, max_age=age_s, path="/", secure=self._secure, httponly=True, samesite="lax"
            )
        return response


def words_for(agent: str) -> str:
    """Return browser and system of a `User-Agent` in fixed words; never text of the header."""
    names = {"Firefox/": "Firefox", "Edg/": "Edge", "Chrome/": "Chrome", "Safari/": "Safari"}
    systems = {"Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows",
               "Mac OS X": "macOS", "Linux": "Linux"}  # fmt: skip
    browser = next((name for mark, name in names.items() if mark in agent), "a browser")
    system = next((name for mark, name in systems.items() if mark in agent), "")
    return f"{browser} on {system}" if system else browser


def own_page(address: str, fallback: str = "/oauth/account") -> str:
    """Return a path of remit's own pages; anything else becomes the fallback.

    The path contains nothing that a browser could read as another host: no scheme, no `//`, no backslash, no
    control character.
    """
    fine = (
        address.startswith(("/oauth/authorize?", "/oauth/terminal?", "/oauth/account", "/console"))
        and len(address) <= MAX_THEN_CHARS
        and address.isascii()
        and address.isprintable()
        and "\\" not in address
    )
    return address if fine else fallback


V = TypeVar("V", bound=PageRequest)


def paged(serve: Callable[[PageRequest], Awaitable[Response]], rooms: PageRooms) -> Serve:
    """Return a handler for a page of the authorization server."""
    return paged_as(PageRequest, serve, rooms)


def paged_as(kind: type[V], serve: Callable[[V], Awaitable[Response]], rooms: PageRooms) -> Serve:
    """Return a handler for a page whose requests are of a kind.

    Errors become pages too, and reveal nothing of an internal defect.
    """

    async def page(request: Request) -> Response:
        moved = elsewhere(request, rooms)
        if moved:
            return RedirectResponse(moved, status_code=303, headers=HEADERS)
        visit = await kind.enter(request, rooms)
        try:
            return await serve(visit)
        except (RemitError, OAuthRefused) as error:
            return fault(visit, error)
        except ClientDisconnect:
            raise
        except Exception as error:
            log.error("%s %s failed", request.method, request.url.path, exc_info=error)
            return fault(visit, RemitError("internal error", code="defect"))

    return page


def fault(visit: PageRequest, error: RemitError) -> Response:
    """Return the page that reports an error, in words that are safe to show."""
    status = 400 if isinstance(error, OAuthRefused) else status_of(error)
    told = status != 500
    if not told:
        log.error("%s: %s", visit.request.url.path, error.message, exc_info=error)
    return visit.draw(
        "fault.html",
        status=status,
        title=_TITLES.get(status, "The request failed"),
        told=error.message if told else "internal error",
        remediation=error.remediation if told else "ask the operator of remit to check its log",
    )


def elsewhere(request: Request, rooms: PageRooms) -> str:
    """Return the URL of the page under its proper host, if a request uses another name of this machine; else
    an empty text.

    Cookies and passkeys belong to one host name.
    """
    origin = urlsplit(rooms.people.origin)
    given = urlsplit(f"//{request.headers.get('host', '')}")
    try:
        host, port = given.hostname or "", given.port
    except ValueError:
        return ""
    if origin.hostname != "localhost" or host == "localhost" or host not in LOOPBACK or port != origin.port:
        return ""
    if request.method not in ("GET", "HEAD"):
        return ""
    search = request.url.query
    return rooms.people.origin + request.url.path + (f"?{search}" if search else "")
