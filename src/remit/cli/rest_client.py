# SPDX-License-Identifier: Apache-2.0
"""The command line's access to remit: the REST interface, nothing else."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

import httpx2 as httpx
import msgspec

from remit.cli.global_options import CLOSING, current
from remit.cli.host.server_user import checked
from remit.cli.session_auth import SessionAuth
from remit.cli.session_file import StoredSession, session_for
from remit.core import errors
from remit.core.json_value import Json

#: An end waits for fences and an apply for files; an answer that takes longer counts as none.
ANSWER_S = 60.0
CONNECT_S = 5.0
#: An index that no log reaches; a request for events below it covers the whole log.
BEYOND = 2**53 - 1

_BY_STATUS: dict[int, type[errors.RemitError]] = {
    400: errors.Malformed,
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.Malformed,
    409: errors.Conflict,
    413: errors.Malformed,
    415: errors.Malformed,
    429: errors.Busy,
    503: errors.StoreUnavailable,
}


def _authorities(base_url: str) -> ssl.SSLContext | bool:
    verify = current().authorities()
    if verify is True and urlsplit(base_url).scheme == "http":
        # Loading the system's authorities takes a good part of a short command. This context trusts none.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return verify


class Unreachable(errors.RemitError):
    """No answer came from remit."""

    code = "unreachable"


class Client:
    """One person's client of one remit. Sends the session to that address alone: no redirect, no proxy."""

    def __init__(
        self, base_url: str, session: StoredSession | None = None, *, served_by: int | None = None
    ) -> None:
        """Keep address and session. `served_by` is a further user id that may serve the address."""
        self.base_url = base_url
        self._extensions = checked(base_url, served_by)
        self._session = session
        try:
            self._http = self._opened()
        except (httpx.InvalidURL, ValueError):
            raise errors.ConfigInvalid(
                f"`{base_url[:80]}` is not an address", remediation="write `http://host:port`"
            ) from None
        closing = CLOSING.get(None)
        if closing is not None:
            closing.callback(self._close)

    def _close(self) -> None:
        self._http.close()

    def _opened(self) -> httpx.Client:
        return httpx.Client(
            base_url=self.base_url,
            auth=SessionAuth(self._session, urlsplit(self.base_url).path.rstrip("/")),
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
            trust_env=False,
            verify=_authorities(self.base_url),
            follow_redirects=False,
        )

    def get(self, *path: str, **query: str | int | bool | None) -> Json:
        """Send a GET request; parameters that are `None` are left out."""
        return self._ask("GET", path, query=query)

    def post(self, *path: str, **body: Json) -> Json:
        """Do."""
        return self._ask("POST", path, body=body)

    def _ask(self, method: str, path: tuple[str, ...], *, query: Json = None, body: Json = None) -> Json:
        params = {name: _said(value) for name, value in (query or {}).items() if value is not None}
        try:
            response = self._http.request(
                method,
                _address(path),
                params=params,
                content=msgspec.json.encode(body) if body else None,
                headers={"Content-Type": "application/json"} if body else {},
                extensions=self._extensions,
            )
        except (httpx.TransportError, httpx.InvalidURL, httpx.DecodingError) as fault:
            raise self._unreachable(fault) from None
        return self._read(response)

    @contextmanager
    def stream(
        self, *path: str, endless: bool = False, **query: str | bool | None
    ) -> Iterator[httpx.Response]:
        """Read a long answer piece by piece; with `endless` there is no limit to the pause between pieces."""
        params = {name: _said(value) for name, value in query.items() if value is not None}
        timeout = httpx.Timeout(None if endless else ANSWER_S, connect=CONNECT_S)
        try:
            with self._http.stream(
                "GET", _address(path), params=params, timeout=timeout, extensions=self._extensions
            ) as response:
                if response.status_code != 200:
                    response.read()
                    self._read(response)
                yield response
        except (httpx.TransportError, httpx.DecodingError) as fault:
            raise self._unreachable(fault) from None

    def raw(self, *path: str, most: int, within_s: float = 2 * ANSWER_S) -> bytes:
        """Return the bytes at a path outside the REST interface.

        An answer of more than `most` bytes is a fault, and so is one that takes longer than `within_s` as a
        whole, however it drips.
        """
        address = "/" + "/".join(path)
        late = threading.Event()

        def cut() -> None:
            late.set()
            self._http.close()

        watch = threading.Timer(within_s, cut)
        watch.daemon = True
        watch.start()
        try:
            return self._raw(address, most)
        except (Unreachable, RuntimeError):
            if late.is_set():
                self._http = self._opened()
                raise Unreachable(
                    f"the answer of {self.base_url} took longer than {within_s:g} seconds",
                    remediation="try again later",
                ) from None
            raise
        finally:
            watch.cancel()

    def _raw(self, address: str, most: int) -> bytes:
        try:
            with self._http.stream("GET", address, extensions=self._extensions) as response:
                if response.status_code != 200:
                    response.read()
                    self._read(response)
                found = bytearray()
                for chunk in response.iter_bytes():
                    found += chunk
                    if len(found) > most:
                        raise errors.Malformed(
                            f"the answer for `{address}` has more than {most} bytes", code="too-large"
                        )
        except (httpx.TransportError, httpx.DecodingError) as fault:
            raise self._unreachable(fault) from None
        return bytes(found)

    def _read(self, response: httpx.Response) -> Json:
        media = response.headers.get("content-type", "").partition(";")[0]
        if response.is_success and media == "text/plain":
            return response.text
        try:
            value = msgspec.json.decode(response.content) if response.content else None
        except msgspec.DecodeError:
            value = None
        if response.is_success and (value is not None or not response.content):
            return value
        raise self._fault(response, value)

    def _fault(self, response: httpx.Response, value: Json) -> errors.RemitError:
        status = response.status_code
        if not isinstance(value, dict) or not isinstance(value.get("detail"), str):
            return Unreachable(
                f"the server at {self.base_url} is not remit (HTTP {status})",
                remediation="check the address",
            )
        kind = _BY_STATUS.get(status, errors.RemitError)
        remediation = str(value.get("remediation") or "")
        return kind(value["detail"], code=str(value.get("code") or "fault"), remediation=remediation)

    def _unreachable(self, fault: Exception) -> Unreachable:
        late = isinstance(fault, httpx.TimeoutException)
        what = "does not answer" if late else "is not reachable"
        return Unreachable(
            f"remit {what} at {self.base_url}",
            remediation="start it with `remit up`, or set REMIT_URL to its address",
            debug=f"{type(fault).__name__}: {fault}",
        )


def connect() -> Client:
    """Return the client for the person who is signed in."""
    base_url = current().base_url()
    return Client(base_url, session_for(base_url))


def anonymous(*, served_by: int | None = None) -> Client:
    """Return a client for requests that need no sign-in."""
    return Client(current().base_url(), served_by=served_by)


def _address(path: tuple[str, ...]) -> str:
    # The slashes of a tool's name are part of the address; no other part contains slashes.
    return "/api/v1/" + "/".join(quote(part, safe="/:@" if "/" in part else "") for part in path)


def _said(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
