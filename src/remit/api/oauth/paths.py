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
AUTHORIZE_PATH: Final = "/oauth/authorize"
#: RFC 9126.
PUSHED_PATH: Final = "/oauth/par"
SIGN_IN_PATH: Final = "/oauth/sign-in"
SIGN_OUT_PATH: Final = "/oauth/sign-out"
#: Where people come back from the organisation's provider.
ARRIVAL_PATH: Final = "/oauth/sign-in/arrive"
PASSKEY_PATH: Final = "/oauth/passkey"
#: What is a person's own: sessions, passkeys, tasks.
ACCOUNT_PATH: Final = "/oauth/account"
#: Where people come back from an upstream that they connect.
CONNECTED_PATH: Final = "/oauth/account/arrive"
#: Where a person lets the command line act for them.
TERMINAL_PATH: Final = "/oauth/terminal"
STYLE_PATH: Final = "/oauth/style.css"
SCRIPT_PATH: Final = "/oauth/passkey.js"
