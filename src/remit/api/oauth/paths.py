# SPDX-License-Identifier: Apache-2.0
"""Where the authorization server answers."""

from __future__ import annotations

from typing import Final

#: RFC 8414 section 3.
METADATA_PATH: Final = "/.well-known/oauth-authorization-server"
TOKEN_PATH: Final = "/oauth/token"
JWKS_PATH: Final = "/oauth/jwks"
INTROSPECTION_PATH: Final = "/oauth/introspect"
REVOCATION_PATH: Final = "/oauth/revoke"
