# SPDX-License-Identifier: Apache-2.0
"""Pages of the authorization server for people: sign-in, consent, passkeys, account.

Endpoints for programs are beside it.
"""
