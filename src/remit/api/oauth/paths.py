# SPDX-License-Identifier: Apache-2.0
"""Paths of the authorization server."""

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
#: The page to which the organisation's provider sends people back.
ARRIVAL_PATH: Final = "/oauth/sign-in/arrive"
PASSKEY_PATH: Final = "/oauth/passkey"
#: A person's account: sessions, passkeys, tasks.
ACCOUNT_PATH: Final = "/oauth/account"
#: The page to which an upstream's authorization server sends people back.
CONNECTED_PATH: Final = "/oauth/account/arrive"
#: The page on which a person permits the command line to act for them.
TERMINAL_PATH: Final = "/oauth/terminal"
STYLE_PATH: Final = "/oauth/style.css"
SCRIPT_PATH: Final = "/oauth/passkey.js"
