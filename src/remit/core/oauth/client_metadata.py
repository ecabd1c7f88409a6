# SPDX-License-Identifier: Apache-2.0
"""Clients that identify themselves by a metadata document at their own address, and the redirect URIs of
clients.

draft-ietf-oauth-client-id-metadata-document-03: the `client_id` is an `https` address, and the document there
holds the client's metadata (RFC 7591).
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from remit.core.canonical import parse_strict
from remit.core.errors import Malformed
from remit.core.json_value import Json

#: Section 8.7 of the draft recommends 5 kilobytes as the size limit of a document.
MAX_DOCUMENT_BYTES: Final = 5 * 1024
MAX_URL_CHARS: Final = 2048
MAX_REDIRECTS: Final = 32
MAX_NAME_CHARS: Final = 80

#: The permitted authentication methods of a client. Section 4.1 of the draft: none that uses a shared secret.
AUTH_METHODS: Final = ("none", "private_key_jwt")
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
# RFC 3986: the characters permitted in a URI. Anything else could be read in more than one way.
_URI: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
# RFC 8252 section 7.1: a private scheme is a reversed domain name. `javascript` has no dot.
_PRIVATE_SCHEME: Final = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class ClientMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """A client's checked metadata. `name` is self-asserted and proves nothing: show the host."""

    client_id: str
    name: str = ""
    redirect_uris: tuple[str, ...] = ()
    auth_method: str = "none"
    jwks: dict[str, Json] | None = None
    jwks_uri: str = ""

    @property
    def host(self) -> str:
        """The host of the document's address, which is accountable for the document."""
        return host_of(self.client_id)


class _Document(msgspec.Struct, frozen=True):
    client_id: str
    client_name: str = ""
    redirect_uris: tuple[str, ...] = ()
    token_endpoint_auth_method: str | None = None
    grant_types: tuple[str, ...] = ("authorization_code",)
    response_types: tuple[str, ...] = ("code",)
    jwks: dict[str, Json] | None = None
    jwks_uri: str = ""


def is_client_address(client_id: str) -> bool:
    """Return whether a `client_id` is the address of a metadata document; names that remit assigns have no
    colon.
    """
    return client_id.startswith("https://")


def check_client_address(client_id: str) -> str:
    """Return the address of a metadata document; raise `Malformed` for an address that the draft forbids."""
    parts = _split(client_id)
    if parts is None or parts.scheme != "https" or not parts.hostname:
        raise _bad_address("it is not an `https` address")
    if "@" in parts.netloc:
        raise _bad_address("it contains a user name")
    if "#" in client_id:
        raise _bad_address("it has a fragment")
    if not parts.path:
        raise _bad_address("it has no path")
    # The dots may be written as %2e: a fetching client would normalise them and fetch another address.
    if any(one.lower().replace("%2e", ".") in (".", "..") for one in parts.path.split("/")):
        raise _bad_address("its path contains `.` or `..`")
    return client_id


def _bad_address(why: str) -> Malformed:
    return Malformed(
        f"the client's address cannot be used: {why}",
        code="invalid_client",
        remediation="use the exact `https` address of a client ID metadata document",
    )


def read_client_metadata(client_id: str, media_type: str, body: bytes) -> ClientMetadata:
    """Parse a metadata document that was fetched from `client_id`; raise `Malformed`.

    Unknown members are ignored, as RFC 7591 section 2 requires.
    """
    media = media_type.partition(";")[0].strip().lower()
    if media != "application/json" and not re.fullmatch(r"application/[a-z0-9!#$&^_.-]+\+json", media):
        raise _bad_document("it is not served as JSON")
    value = parse_strict(body, max_bytes=MAX_DOCUMENT_BYTES, max_depth=16)
    if not isinstance(value, dict):
        raise _bad_document("it is not a JSON object")
    for name in ("client_secret", "client_secret_expires_at"):
        if name in value:
            raise _bad_document(f"it has `{name}`, but clients here have no shared secret")
    try:
        document = msgspec.convert(value, _Document)
    except msgspec.ValidationError as error:
        raise _bad_document("a member of it has the wrong type", debug=str(error)) from None
    # RFC 3986 section 6.2.1: simple string comparison.
    if document.client_id != client_id:
        raise _bad_document("its `client_id` differs from the address of the document")
    if "code" not in document.response_types or "authorization_code" not in document.grant_types:
        raise _bad_document("it does not use the authorization code grant")
    _check_keys(document.jwks)
    if document.jwks is not None and document.jwks_uri:
        # RFC 7591 section 2: not both.
        raise _bad_document("it has both `jwks` and `jwks_uri`")
    keyed = document.jwks is not None or bool(document.jwks_uri)
    method = document.token_endpoint_auth_method or ("private_key_jwt" if keyed else "none")
    if method not in AUTH_METHODS or (method == "private_key_jwt" and not keyed):
        raise _bad_document("it does not state the public key that authenticates the client")
    if not 0 < len(document.redirect_uris) <= MAX_REDIRECTS:
        raise _bad_document(f"it needs one to {MAX_REDIRECTS} redirect addresses")
    return ClientMetadata(
        client_id=client_id,
        name=_plain(document.client_name),
        redirect_uris=tuple(check_redirect(one) for one in document.redirect_uris),
        auth_method=method,
        jwks=document.jwks,
        jwks_uri=check_client_address(document.jwks_uri) if document.jwks_uri else "",
    )


def _check_keys(jwks: dict[str, Json] | None) -> None:
    if jwks is None:
        return
    keys = jwks.get("keys")
    if (
        not isinstance(keys, list)
        or not 0 < len(keys) <= 16
        or not all(isinstance(one, dict) for one in keys)
    ):
        raise _bad_document("its `jwks` is not a set of keys")
    if any(_PRIVATE_MEMBERS & set(one) for one in keys):
        raise _bad_document("it contains a private key", debug="replace that key: it is now public")


def _plain(name: str) -> str:
    """Return a name for display: one line of printable characters, so that the name cannot disturb the
    page.
    """
    return "".join(one for one in " ".join(name.split()) if one.isprintable())[:MAX_NAME_CHARS]


def _bad_document(why: str, *, debug: str = "") -> Malformed:
    return Malformed(
        f"the client's metadata document cannot be used: {why}",
        code="invalid_client",
        remediation="see draft-ietf-oauth-client-id-metadata-document",
        debug=debug,
    )


def check_redirect(uri: str) -> str:
    """Return a valid redirect URI; raise `Malformed`.

    `https`, `http` to the machine itself (RFC 8252 section 7.3), or a private scheme of a native application
    (section 7.1). RFC 6749 section 3.1.2: absolute, and without a fragment.
    """
    parts = _split(uri)
    fine = parts is not None and "#" not in uri and "@" not in parts.netloc
    if parts is not None and fine:
        if parts.scheme == "http":
            fine = parts.hostname in LOOPBACK
        elif parts.scheme == "https":
            fine = bool(parts.hostname)
        else:
            fine = _PRIVATE_SCHEME.fullmatch(parts.scheme) is not None
    if not fine:
        raise Malformed(
            "the redirect address cannot be used",
            code="redirect-uri",
            remediation="use an `https` address, `http://127.0.0.1`, or a scheme such as `com.example.app`",
        )
    return uri


def redirect_registered(asked: str, registered: tuple[str, ...]) -> bool:
    """Return whether an address is one of the registered ones, compared character by character.

    RFC 8252 section 7.3: for a loopback IP address, any port is permitted. The same applies to the name
    `localhost`, which clients use instead; the name and the address are not interchangeable.
    """
    if asked in registered:
        return True
    wanted = _without_port(asked)
    return wanted is not None and any(_without_port(one) == wanted for one in registered)


def _without_port(uri: str) -> str | None:
    """Return a loopback address without its port; `None` for any other address."""
    parts = _split(uri)
    if parts is None or parts.scheme != "http" or parts.hostname not in LOOPBACK or "@" in parts.netloc:
        return None
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    # Everything after the authority is compared verbatim.
    return f"{host}{uri.removeprefix('http://').removeprefix(parts.netloc)}"


def is_loopback(uri: str) -> bool:
    """Return whether answers go to the person's own machine, where any program could be listening."""
    parts = _split(uri)
    return parts is not None and parts.scheme == "http" and parts.hostname in LOOPBACK


def host_of(uri: str) -> str:
    """Return the host of an address for display, with the port unless it is the default."""
    parts = _split(uri)
    if parts is None or not parts.hostname:
        return uri.partition(":")[0] + ":"
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.hostname if parts.port in (None, usual) else f"{parts.hostname}:{parts.port}"


def is_ip_address(host: str) -> bool:
    """Return whether a host is an IP address and not a name."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _split(uri: str) -> SplitResult | None:
    if not 0 < len(uri) <= MAX_URL_CHARS or not _URI.fullmatch(uri):
        return None
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.scheme and uri.startswith(parts.scheme) else None
