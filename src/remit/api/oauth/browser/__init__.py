# SPDX-License-Identifier: Apache-2.0
"""Pages of the authorization server for people: sign-in, consent, passkeys, account.

The endpoints for programs are in the parent package.
"""
