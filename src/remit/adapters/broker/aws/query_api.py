# SPDX-License-Identifier: Apache-2.0
"""The AWS query interface (STS, IAM) for brokers: signed requests and parsed XML answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode
from xml.parsers import expat

from remit.adapters.broker.http import BrokerHttp, BrokerResponse
from remit.core.errors import NothingDone
from remit.core.json_value import Json
from remit.core.keys.sigv4 import AwsKeys, AwsScope, signing_headers
from remit.ports.runtime import Clock

FORM: Final = "application/x-www-form-urlencoded; charset=utf-8"
MAX_DEPTH: Final = 16
#: The error codes by which AWS refuses a session that lacks permission or has ended. Other errors do not
#: refuse the session: a wrong clock, a wrong signature, too many requests.
REFUSALS: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "AuthorizationError",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)
_JSON_CODE: Final = re.compile(rb'"(?:__type|code|Code)"\s*:\s*"(?:[^"#]{0,200}#)?([A-Za-z]{1,80})"')


class Said:
    """The content of an AWS answer: for each element name, its texts in document order."""

    def __init__(self, body: bytes) -> None:
        """Parse XML. A body that is not XML, or that declares a document type, yields no elements."""
        self._texts: dict[str, list[str]] = {}
        self._open: list[tuple[str, list[str]]] = []
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = _no_doctype
        parser.StartElementHandler = self._begin
        parser.CharacterDataHandler = self._text
        parser.EndElementHandler = self._end
        try:
            parser.Parse(body, True)
        except (expat.ExpatError, ValueError):
            self._texts = {}

    def one(self, name: str) -> str:
        """Return the text of the first element with this name; empty if there is no such element."""
        return self._texts.get(name, [""])[0]

    def all(self, name: str) -> list[str]:
        """Return the texts of all elements with this name."""
        return self._texts.get(name, [])

    def _begin(self, name: str, attributes: Json) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise ValueError("too deep")
        self._open.append((name, []))

    def _text(self, text: str) -> None:
        if self._open:
            self._open[-1][1].append(text)

    def _end(self, name: str) -> None:
        _, parts = self._open.pop()
        self._texts.setdefault(name, []).append("".join(parts).strip())


def _no_doctype(*_: Json) -> None:
    raise ValueError("a document type")


def code_of(answer: BrokerResponse) -> str:
    """Return the error code of an answer, in whichever of its forms (JSON or XML) the service writes it."""
    if found := _JSON_CODE.search(answer.body):
        return found[1].decode()
    return Said(answer.body).one("Code")


class AwsQuery:
    """One AWS service at one address."""

    def __init__(self, url: str, scope: AwsScope, *, web: BrokerHttp, clock: Clock, version: str) -> None:
        """Store the service's address and the version of its interface."""
        self._url = url.rstrip("/") + "/"
        self._scope = scope
        self._web = web
        self._clock = clock
        self._version = version

    async def ask(self, action: str, given: Mapping[str, str], keys: AwsKeys | None) -> Said:
        """Request an action, signed with `keys`; raises `KeyUnavailable` for everything but success.

        An error answer raises `NothingDone`, whose code is `aws:` followed by AWS's own error code.
        """
        body = urlencode({"Action": action, "Version": self._version, **given}).encode()
        headers = {"Content-Type": FORM}
        if keys is not None:
            now = self._clock.now()
            headers |= signing_headers("POST", self._url, body, keys, self._scope, now, headers)
        answer = await self._web.ask("POST", self._url, headers=headers, content=body)
        if answer.status != 200:
            code = code_of(answer)
            if not re.fullmatch(r"[A-Za-z.]{1,80}", code):
                code = ""
            # Whatever AWS did: a credential that its answer does not contain is known to no one.
            raise NothingDone(
                f"AWS refuses `{action}`: {f'`{code}`' if code else f'status {answer.status}'}",
                code=f"aws:{code}" if code and answer.status < 500 else "source-refused",
                remediation="check the permissions of remit's identity there, the role's trust policy "
                "and CloudTrail",
            )
        return Said(answer.body)
