# SPDX-License-Identifier: Apache-2.0
"""An agent's key: a JWK (RFC 7517) in a file that only its owner can read, and signatures with it."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import platform
import secrets
import stat
import time
from pathlib import Path
from typing import Any, Final, Literal

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from remit_sdk.errors import KeyTaken, KeyUnusable

Json = Any

#: Lifetime of a client assertion. It is used at once; the lifetime only allows for clocks that disagree.
ASSERTION_TTL_S: Final = 60
MAX_KEY_BYTES: Final = 8192
_ALGORITHMS: Final = {("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "Ed25519"}
#: Whether the mode bits of a file determine who may read it.
_HAS_MODES: Final = os.name == "posix"


class AgentKey:
    """The private key with which an agent authenticates; its text form never reveals the key."""

    __slots__ = ("_key", "algorithm")

    def __init__(self, key: ECKey | OKPKey) -> None:
        """Keep a private key of P-256 (signs ES256) or Ed25519 (signs Ed25519, RFC 9864)."""
        public = key.as_dict(private=False)
        algorithm = _ALGORITHMS.get((str(public.get("kty")), str(public.get("crv"))))
        if algorithm is None or not key.is_private:
            raise KeyUnusable(
                "the key is not a private key of P-256 or Ed25519",
                remediation="create one with `remit agent register`",
            )
        self._key = key
        self.algorithm = algorithm

    def __repr__(self) -> str:
        """Return a text with the key's thumbprint (RFC 7638)."""
        return f"AgentKey({self.thumbprint})"

    @classmethod
    def generate(cls, curve: Literal["P-256", "Ed25519"] = "P-256") -> AgentKey:
        """Generate a new key."""
        if curve == "P-256":
            return cls(ECKey.generate_key("P-256", private=True))
        return cls(OKPKey.generate_key("Ed25519", private=True))

    @classmethod
    def load(cls, path: Path) -> AgentKey:
        """Read a key from its file; raise `KeyUnusable` if other users can read or replace it."""
        try:
            descriptor = os.open(
                path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
            )
        except OSError as fault:
            raise KeyUnusable(
                f"the key `{path}` cannot be read: {fault.strerror}",
                remediation="register the agent (`remit agent register`), or give its key with `--key`",
            ) from None
        with os.fdopen(descriptor, "rb") as opened:
            _refuse_shared(path, os.fstat(descriptor), "file", "600")
            _refuse_shared(path.parent, path.parent.stat(), "folder", "700")
            content = opened.read(MAX_KEY_BYTES + 1)
        try:
            if len(content) > MAX_KEY_BYTES:
                raise ValueError("too large")
            members = json.loads(content)
            key = ECKey.import_key(members) if members.get("kty") == "EC" else OKPKey.import_key(members)
            _ = key.private_key
        except (JoseError, ValueError, TypeError, AttributeError, KeyError):
            raise KeyUnusable(f"`{path}` contains no key", remediation="register the agent again") from None
        return cls(key)

    def save(self, path: Path) -> None:
        """Write the key to a new file (0600, in a folder of 0700); raise `KeyTaken` if the file exists.

        The file appears as a whole or not at all, and survives a power loss once this method has returned.
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _refuse_shared(path.parent, path.parent.stat(), "folder", "700")
        draft = path.parent / f".{path.name}.{secrets.token_hex(8)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(json.dumps(self._key.as_dict(private=True), sort_keys=True).encode() + b"\n")
                opened.flush()
                os.fsync(descriptor)
            # A link, not a rename: it fails if the name exists.
            os.link(draft, path)
        except FileExistsError:
            raise KeyTaken(f"`{path}` already exists", remediation="use it, or move it away") from None
        finally:
            with contextlib.suppress(FileNotFoundError):
                draft.unlink()
        _sync_folder(path.parent)

    @property
    def public_jwk(self) -> dict[str, str]:
        """The public key, in the form for registration."""
        members = self._key.as_dict(private=False)
        return {name: str(members[name]) for name in ("kty", "crv", "x", "y") if name in members}

    @property
    def thumbprint(self) -> str:
        """The RFC 7638 thumbprint of the public key (SHA-256, base64url)."""
        return str(self._key.thumbprint())

    def assertion(self, agent: str, audience: str, *, now: float | None = None) -> str:
        """Sign a client assertion (RFC 7523 section 3): short-lived, for one audience, for one use."""
        moment = int(time.time() if now is None else now)
        claims = {
            "iss": agent,
            "sub": agent,
            "aud": audience,
            "jti": secrets.token_urlsafe(24),
            "iat": moment,
            "exp": moment + ASSERTION_TTL_S,
            "instance": instance(),
        }
        return self.sign(claims, {"typ": "JWT", "kid": self.thumbprint})

    def sign(self, claims: dict[str, Json], header: dict[str, Json]) -> str:
        """Return a compact JWS (RFC 7515) over claims; `alg` is the key's own."""
        payload = json.dumps(claims, separators=(",", ":")).encode()
        return str(
            jws.serialize_compact(
                {"alg": self.algorithm, **header}, payload, self._key, algorithms=[self.algorithm]
            )
        )


@functools.cache
def instance() -> str:
    """Return a name for this place, so that use of a key elsewhere is detected.

    It is the same for every process of this user on this machine or in this container. It is a digest, which
    reveals neither.
    """
    try:
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        machine = ""
    user = os.getuid() if _HAS_MODES else ""
    return hashlib.sha256(f"{platform.node()}\n{machine}\n{user}".encode()).hexdigest()[:16]


def _refuse_shared(path: Path, status: os.stat_result, what: str, mode: str) -> None:
    if not _HAS_MODES:
        return
    if status.st_uid not in (os.getuid(), 0):
        raise KeyUnusable(
            f"the {what} `{path}` belongs to another user",
            remediation="keep keys in a folder that belongs to you",
        )
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyUnusable(
            f"the {what} `{path}` is open to other users", remediation=f"run `chmod {mode} {path}`"
        )


def _sync_folder(folder: Path) -> None:
    if not _HAS_MODES:
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
