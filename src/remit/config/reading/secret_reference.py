# SPDX-License-Identifier: Apache-2.0
"""Values that may be secrets. The configuration names a secret and never contains it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from remit.core.credentials.known_secrets import has_known_secret
from remit.core.errors import ConfigInvalid, KeyUnavailable

MAX_SECRET_BYTES: Final = 64 * 1024

_REFERENCE: Final = re.compile(
    r"(?:(?P<lead>[A-Za-z][A-Za-z0-9-]{0,31}) )?(?P<scheme>env|file|openbao|keyring):(?P<name>\S.*)"
)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_PART: Final = r"(?!\.{1,2}[/#])[A-Za-z0-9_.-]+"
_IN_OPENBAO: Final = re.compile(rf"{_PART}(?:/{_PART})+#[^\s#]+")
_IN_KEYRING: Final = re.compile(r"\S(?:.*[^/])?/[^/]+")
#: The written form of each kind of reference.
WRITTEN: Final = {
    "env": "env:NAME",
    "file": "file:path",
    "openbao": "openbao:MOUNT/PATH#field",
    "keyring": "keyring:SERVICE/NAME",
}
#: Fetched over a connection, and therefore read ahead.
FETCHED: Final = ("openbao", "keyring")
#: The remediation for a secret that is written out.
NAME_IT: Final = "put it in an environment variable, a file, OpenBao or the keyring, and write " + ", ".join(
    f"`{one}`" for one in WRITTEN.values()
)
#: Names under which a literal is taken for a secret.
_SECRET_NAME: Final = re.compile(
    r"authorization|cookie|secret|token|passw|pwd|credential|api[-_]?key|apikey|private[-_]?key|access[-_]?key|"
    r"signing[-_]?key|(?:^|[-_])auth(?:$|[-_])|session[-_]?id",
    re.IGNORECASE,
)
#: Beginnings of credentials of any length, a header's value with one, a URL with a password.
_SECRET_VALUE: Final = re.compile(
    r"\bgithub_pat_|\bglpat-|\bxox[abprs]-|^(?:Bearer|Basic) \S{8}|[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@"
)


class ReadAhead:
    """The value of a secret from OpenBao or a keyring, so that its users never wait for a connection."""

    def __init__(self) -> None:
        """Start without a value."""
        self._value: str | None = None
        self._why = "it has not been read yet", "", "see `remit doctor`"

    def put(self, value: str) -> None:
        """Take the value that is valid from now on."""
        self._value = value

    def refuse(self, fault: KeyUnavailable) -> None:
        """Take the reason why no value is valid."""
        self._value, self._why = None, (fault.message, fault.code, fault.remediation)

    def read(self) -> str:
        """Return the current value; raises `KeyUnavailable`."""
        if self._value is None:
            message, code, remediation = self._why
            raise KeyUnavailable(message, code=code, remediation=remediation)
        return self._value


@dataclass(frozen=True, slots=True, repr=False)
class SecretRef:
    """A value of a header or an environment variable: a reference to a secret, or a plain literal.

    `scheme` is `env`, `file`, `openbao`, `keyring` or `plain`; `name` is the variable, the absolute path, the
    place in OpenBao or the keyring, or the literal itself. `lead` is put before the resolved value with a
    blank between: `Bearer env:GIT_TOKEN`. `fetched` holds the value of a secret from OpenBao or a keyring,
    once it has been read. `place` is where the reference is written: file, line and key.
    """

    scheme: str
    name: str
    lead: str = ""
    fetched: ReadAhead = field(default_factory=ReadAhead, compare=False)
    place: str = field(default="", compare=False)

    def __repr__(self) -> str:
        """Name the reference; hide a literal, in case it is a secret by mistake."""
        return f"SecretRef({self.where})"

    @property
    def where(self) -> str:
        """The source of the value, for people."""
        return "plain" if self.scheme == "plain" else f"{self.scheme}:{self.name}"

    @property
    def secret(self) -> bool:
        """Whether the value refers to a secret."""
        return self.scheme != "plain"

    def resolve(self, environ: Mapping[str, str] | None = None) -> str:
        """Return the current value; raises `KeyUnavailable` if there is none, or it is not stored safely."""
        value = self.resolve_lines(environ)
        if self.scheme == "plain":
            return value
        if not value or any(ch in value for ch in "\r\n\0"):
            fault = KeyUnavailable(
                f"secret `{self.where}` is empty or has more than one line",
                remediation="store one line in it",
            )
            fault.place = self.place
            raise fault
        return f"{self.lead} {value}" if self.lead else value

    def resolve_lines(self, environ: Mapping[str, str] | None = None) -> str:
        """Return the value with all its lines, such as a PEM key; raises `KeyUnavailable`."""
        if self.scheme == "plain":
            return self.name
        try:
            if self.scheme in FETCHED:
                return self.fetched.read()
            return self._from_file() if self.scheme == "file" else self._from_environment(environ)
        except KeyUnavailable as fault:
            fault.place = self.place
            raise

    def _from_environment(self, environ: Mapping[str, str] | None) -> str:
        value = (os.environ if environ is None else environ).get(self.name)
        if value is None:
            raise KeyUnavailable(
                f"environment variable `{self.name}` is not set",
                remediation=f"export {self.name} before starting remit",
            )
        return value

    def _from_file(self) -> str:
        path = Path(self.name)
        try:
            with open(path, "rb", opener=_at_once) as opened:
                status = os.fstat(opened.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise KeyUnavailable(
                        f"secret file `{path}` is not a plain file", remediation="put a plain file there"
                    )
                if fault := _unsafe(status):
                    raise KeyUnavailable(
                        f"secret file `{path}` {fault}", remediation=f"run `chmod 600 {path}`"
                    )
                content = opened.read(MAX_SECRET_BYTES + 1)
        except OSError as fault:
            raise KeyUnavailable(
                f"secret file `{path}` cannot be read: {fault.strerror}",
                remediation="create it, readable only by remit",
            ) from None
        if len(content) > MAX_SECRET_BYTES:
            raise KeyUnavailable(
                f"secret file `{path}` is too large", remediation=f"keep it below {MAX_SECRET_BYTES} bytes"
            )
        try:
            return content.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise KeyUnavailable(
                f"secret file `{path}` is not UTF-8", remediation="store text in it"
            ) from None


def _at_once(path: str, flags: int) -> int:
    """Open a file without waiting, as a pipe in its place would require."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _unsafe(status: os.stat_result) -> str:
    """Return who else may read the file; empty if no one else may."""
    if not hasattr(os, "getuid"):
        return ""  # Windows: the mode bits mean nothing there
    if status.st_mode & (stat.S_IRWXO | stat.S_IWGRP):
        return "is open to other users"
    # A mounted secret belongs to the platform and is readable only by remit's group.
    if status.st_mode & stat.S_IRGRP and status.st_uid == os.getuid():
        return "is open to its group"
    return ""


def read_secret(written: str, *, name: str, folder: Path, place: str = "") -> SecretRef:
    """Read the text for a header or variable called `name`; `place` is where it is written, for people.

    Raises `ConfigInvalid`, which never repeats the value.
    """
    if found := _REFERENCE.fullmatch(written):
        lead, scheme, rest = found["lead"] or "", found["scheme"], found["name"]
        if scheme == "env" and not _VARIABLE.fullmatch(rest):
            raise ConfigInvalid("is not an environment variable reference", remediation="write `env:NAME`")
        if scheme == "openbao" and not _IN_OPENBAO.fullmatch(rest):
            raise ConfigInvalid(
                "is not a reference to a field of a secret in OpenBao",
                remediation=f"write `{WRITTEN['openbao']}`",
            )
        if scheme == "keyring" and not (rest.isprintable() and _IN_KEYRING.fullmatch(rest)):
            raise ConfigInvalid(
                "is not a reference to a secret in a keyring", remediation=f"write `{WRITTEN['keyring']}`"
            )
        return SecretRef(scheme, str(folder / rest) if scheme == "file" else rest, lead, place=place)
    if _SECRET_NAME.search(name) or looks_secret(written):
        raise ConfigInvalid(
            "looks like a literal secret",
            remediation=NAME_IT,
        )
    if any(ch in written for ch in "\r\n\0"):
        raise ConfigInvalid("has more than one line", remediation="write one line")
    return SecretRef("plain", written)


def looks_secret(text: str) -> bool:
    """Return whether a text looks like a credential, or contains a password in a URL."""
    return has_known_secret(text) or _SECRET_VALUE.search(text) is not None
