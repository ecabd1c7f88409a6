# SPDX-License-Identifier: Apache-2.0
"""Errors between an agent and its gateway."""

from __future__ import annotations


class AgentFault(Exception):
    """An error on the agent's side of the connection; `remediation` is how to correct it. It never contains a
    secret.
    """

    def __init__(self, message: str, *, remediation: str = "") -> None:
        """Keep message and remediation separately; `str(fault)` joins them."""
        super().__init__(message)
        self.message = message
        self.remediation = remediation

    def __str__(self) -> str:
        """Return the message and the remediation."""
        return f"{self.message}; {self.remediation}" if self.remediation else self.message


class KeyUnusable(AgentFault):
    """The agent's key cannot be read, or other users could read it too."""


class KeyTaken(KeyUnusable):
    """A key of this name exists already; a key is never replaced."""


class GatewayUnreachable(AgentFault):
    """The gateway did not answer. Whether it received the request is unknown."""


class GatewayRefused(AgentFault):
    """The gateway answered, and refused.

    `status` is the HTTP status, `code` the stable code of the problem (RFC 9457) or of the OAuth error.
    """

    def __init__(self, message: str, *, status: int, code: str = "", remediation: str = "") -> None:
        """Keep status and code for the calling program."""
        super().__init__(message, remediation=remediation)
        self.status = status
        self.code = code


class CallFailed(AgentFault):
    """A guarded function raised an error: `kind` is its type's name, `text` what was released of its text."""

    def __init__(self, kind: str, text: str) -> None:
        """Keep both for the calling program."""
        super().__init__(f"{kind}: {text}" if text else kind)
        self.kind = kind
        self.text = text
