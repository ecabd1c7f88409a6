# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between an agent and its gateway."""

from __future__ import annotations


class AgentFault(Exception):
    """A fault on the agent's side of the wire; `remediation` says what would make it work. Never holds a
    secret.
    """

    def __init__(self, message: str, *, remediation: str = "") -> None:
        """Keep the two parts apart; `str(fault)` joins them."""
        super().__init__(message)
        self.message = message
        self.remediation = remediation

    def __str__(self) -> str:
        """Return the message and the remediation."""
        return f"{self.message}; {self.remediation}" if self.remediation else self.message


class KeyUnusable(AgentFault):
    """The agent's key cannot be read, or others could read it too."""


class KeyTaken(KeyUnusable):
    """There is a key of this name already, and no key is ever replaced."""


class GatewayUnreachable(AgentFault):
    """No answer came from the gateway. Whether it saw the request is not known."""


class GatewayRefused(AgentFault):
    """The gateway answered, and refused.

    `status` is the HTTP status, `code` the stable code of the problem (RFC 9457) or of the OAuth error.
    """

    def __init__(self, message: str, *, status: int, code: str = "", remediation: str = "") -> None:
        """Keep status and code for programs."""
        super().__init__(message, remediation=remediation)
        self.status = status
        self.code = code
