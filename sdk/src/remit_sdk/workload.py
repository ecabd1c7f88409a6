# SPDX-License-Identifier: Apache-2.0
"""The credential of a workload without a key: a token in a file, which its platform renews."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from remit_sdk.errors import KeyUnusable

#: More than the largest token that the gateway reads.
MAX_TOKEN_BYTES: Final = 32_768


class TokenFile:
    """A platform's token: of a cluster's service account, of a job, a JWT-SVID. The file is read for each
    use.
    """

    def __init__(self, path: Path) -> None:
        """Keep the path; read nothing yet."""
        self.path = path

    def read(self) -> str:
        """Return the current token; raise `KeyUnusable`."""
        try:
            with self.path.open("rb") as opened:
                text = opened.read(MAX_TOKEN_BYTES + 1).decode("ascii").strip()
        except (OSError, UnicodeDecodeError) as fault:
            why = fault.strerror if isinstance(fault, OSError) else "it is not text"
            raise KeyUnusable(
                f"the token in `{self.path}` cannot be read: {why}",
                remediation="give the file that the platform writes",
            ) from None
        if not text or len(text) > MAX_TOKEN_BYTES or text.count(".") != 2:
            raise KeyUnusable(
                f"`{self.path}` contains no token", remediation="configure the platform to write a JWT there"
            )
        return text
