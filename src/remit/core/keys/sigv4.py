# SPDX-License-Identifier: Apache-2.0
"""AWS Signature Version 4: proves the sender of a request to an AWS service, and that the request is
unaltered.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. The signature
covers the method, the path, the query, the body, and the headers `host`, `x-amz-date`, `x-amz-security-token`
and those that the caller names.
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
    """The signer's credentials; `token` is the token of a session, empty for a user's key."""

    id: str
    secret: str
    token: str = ""

    def __repr__(self) -> str:
        """Return a text with the key id, without the secret and the token."""
        return f"AwsKeys({self.id!r})"


class AwsScope(msgspec.Struct, frozen=True):
    """The scope of a signature, in AWS names: `eu-central-1`, `sts`."""

    region: str
    service: str


#: Returns the headers that sign a request, from its method, its whole URL, the headers relevant to the
#: service, and its body.
Sign = Callable[[str, str, Mapping[str, str], bytes], dict[str, str]]


class AwsSigner(msgspec.Struct, frozen=True):
    """Keys and their scope, which sign a call so that the call does not carry the keys."""

    keys: AwsKeys
    scope: AwsScope

    def at(self, now: datetime) -> Sign:
        """Return a function that signs requests at this time; a service accepts them for some minutes."""
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
    """Return the headers to add to a request; `headers` are signed, too, and are sent unchanged."""
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
    # The URL's path is already encoded once; every service except S3 encodes it once more.
    once = quote(unquote(path), safe=f"/{_PLAIN}")
    return once if scope.service == "s3" else quote(once, safe=f"/{_PLAIN}")


def _query(url: str) -> str:
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    # By name, then by value, and not by the whole text: `0=` comes before `00=`, although `=` follows `0`.
    encoded = sorted((quote(name, safe=_PLAIN), quote(text, safe=_PLAIN)) for name, text in pairs)
    return "&".join(f"{name}={text}" for name, text in encoded)


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
