# SPDX-License-Identifier: Apache-2.0
"""What a workload has from its platform instead of a key: a token in a file, which the platform renews."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from remit.sdk.errors import KeyUnusable

#: Longer than any token that the gateway would read.
MAX_TOKEN_BYTES: Final = 32_768


class TokenFile:
    """A platform's token: of a cluster's service account, of a job, a JWT-SVID. Read again for each use."""

    def __init__(self, path: Path) -> None:
        """Take the file; nothing is read yet."""
        self.path = path

    def read(self) -> str:
        """Return the token of this moment; raises `KeyUnusable`."""
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
