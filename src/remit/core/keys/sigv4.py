# SPDX-License-Identifier: Apache-2.0
"""AWS Signature Version 4: what proves to a service of AWS who sends a request, and that nobody changed it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. What is signed is
the method, the path, the query, the body, and the headers `host`, `x-amz-date`, `x-amz-security-token` and
those that the caller names.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import msgspec

ALGORITHM: Final = "AWS4-HMAC-SHA256"
_DATE: Final = "%Y%m%dT%H%M%SZ"
_PLAIN: Final = "-_.~"
_PORTS: Final = {"http": 80, "https": 443}


class AwsKeys(msgspec.Struct, frozen=True):
    """Who signs; `token` is that of a session, empty for a user's key."""

    id: str
    secret: str
    token: str = ""

    def __repr__(self) -> str:
        """Name the key; neither the secret nor the token is shown."""
        return f"AwsKeys({self.id!r})"


class AwsScope(msgspec.Struct, frozen=True):
    """What a signature is good for, by the names of AWS: `eu-central-1`, `sts`."""

    region: str
    service: str


#: Gives the headers that sign a request: its method, its whole URL, those of its headers that mean something
#: to the service, and its body.
Sign = Callable[[str, str, Mapping[str, str], bytes], dict[str, str]]


class AwsSigner(msgspec.Struct, frozen=True):
    """Keys, and what they sign for: what a call is signed with, instead of carrying them."""

    keys: AwsKeys
    scope: AwsScope

    def at(self, now: datetime) -> Sign:
        """Return what signs requests now; a service takes them for some minutes."""
        return lambda method, url, headers, body: signing_headers(
            method, url, body, self.keys, self.scope, now, headers
        )


def signing_headers(
    method: str,
    url: str,
    body: bytes,
    keys: AwsKeys,
    scope: AwsScope,
    now: datetime,
    headers: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the headers that are to be added to a request; `headers` are signed, too, and go as they are."""
    at = now.astimezone(UTC).strftime(_DATE)
    digest = hashlib.sha256(body).hexdigest()
    added = {"X-Amz-Date": at}
    if keys.token:
        added["X-Amz-Security-Token"] = keys.token
    if scope.service == "s3":
        added["X-Amz-Content-Sha256"] = digest
    signed = {name.lower(): " ".join(text.split()) for name, text in {**(headers or {}), **added}.items()}
    signed["host"] = _host(url)
    names = ";".join(sorted(signed))
    written = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    canonical = "\n".join((method, _path(url, scope), _query(url), written, names, digest))
    where = f"{at[:8]}/{scope.region}/{scope.service}/aws4_request"
    text = "\n".join((ALGORITHM, at, where, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{keys.secret}".encode()
    for part in where.split("/"):
        key = _mac(key, part)
    proof = f"Credential={keys.id}/{where}, SignedHeaders={names}, Signature={_mac(key, text).hex()}"
    return {**added, "Authorization": f"{ALGORITHM} {proof}"}


def _host(url: str) -> str:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    return host if port is None or port == _PORTS.get(parts.scheme) else f"{host}:{port}"


def _path(url: str, scope: AwsScope) -> str:
    path = urlsplit(url).path or "/"
    # What stands in the URL is encoded once already; every service but S3 encodes it once more.
    once = quote(unquote(path), safe=f"/{_PLAIN}")
    return once if scope.service == "s3" else quote(once, safe=f"/{_PLAIN}")


def _query(url: str) -> str:
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    return "&".join(sorted(f"{quote(name, safe=_PLAIN)}={quote(text, safe=_PLAIN)}" for name, text in pairs))


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
