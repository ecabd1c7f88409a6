# SPDX-License-Identifier: Apache-2.0
"""The authorization server: clients, access tokens, token exchange, refresh, introspection, DPoP.

HTTP is in `api.oauth`; consent and sign-in of people are in `services.people`.
"""
