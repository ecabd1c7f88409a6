# SPDX-License-Identifier: Apache-2.0
"""The options that set how an agent proves its identity, and how a binding is shown."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from remit.cli.exit_codes import UsageFault
from remit.cli.parser import Many
from remit.core.json_value import Json


@Parameter(name="*")
@dataclass(frozen=True)
class BindingOptions:
    """How an agent proves its identity.

    Parameters
    ----------
    spiffe_id
        A SPIFFE ID, proven by an X.509-SVID or a JWT-SVID.
    issuer
        An OIDC issuer whose tokens prove the agent, with `--subject`.
    subject
        The exact `sub` of these tokens.
    claim
        A further claim that the tokens must have, as `name=value`; the same name several times: one of them.
    local
        The agent's program on this machine: the path of its executable, run by this user.
    client
        The address of the agent's client ID metadata document.
    """

    spiffe_id: str = ""
    issuer: str = ""
    subject: str = ""
    claim: Annotated[tuple[str, ...], Many] = ()
    local: Path | None = None
    client: str = ""

    def bindings(self) -> list[Json]:
        """Return the bindings in the form of the interface."""
        out: list[Json] = []
        if self.spiffe_id:
            out.append({"type": "spiffe", "spiffe_id": self.spiffe_id})
        if bool(self.issuer) != bool(self.subject):
            raise UsageFault(
                "an issuer needs a subject, and a subject an issuer",
                remediation="give `--issuer` and `--subject`",
            )
        if self.claim and not self.issuer:
            raise UsageFault("claims need an issuer's token", remediation="give `--issuer` and `--subject`")
        if self.issuer:
            out.append(
                {
                    "type": "issuer",
                    "issuer": self.issuer,
                    "subject": self.subject,
                    "claims": _claims(self.claim),
                }
            )
        if self.local is not None:
            out.append({"type": "local", "uid": os.getuid(), "executable_digest": _digest(self.local)})
        if self.client:
            out.append({"type": "client", "metadata_url": self.client})
        return out


def _claims(given: tuple[str, ...]) -> dict[str, Json]:
    found: dict[str, list[str]] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageFault(f"`{pair[:80]}` is not a claim", remediation="write `--claim name=value`")
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _digest(executable: Path) -> str:
    try:
        with executable.resolve(strict=True).open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as fault:
        raise UsageFault(
            f"`{executable}` cannot be read: {fault.strerror}", remediation="give the program's file"
        ) from None


def binding_line(binding: Json) -> str:
    """Return one line that names how an agent proves its identity."""
    match binding["type"]:
        case "key":
            from remit.core.keys.jwk import thumbprint

            jwk = binding["jwk"]
            return f"key {jwk.get('kty', '')} {jwk.get('crv', '')}, jkt:{thumbprint(jwk)}"
        case "spiffe":
            return f"SPIFFE {binding['spiffe_id']}"
        case "issuer":
            rules = "".join(
                f", {name}={value if isinstance(value, str) else ' or '.join(value)}"
                for name, value in binding["claims"].items()
            )
            return f"token of {binding['issuer']} for {binding['subject']}{rules}"
        case "local":
            return f"local program of user {binding['uid']}, sha256 {binding['executable_digest'][:16]}..."
        case _:
            return f"client {binding.get('metadata_url', '')}"
