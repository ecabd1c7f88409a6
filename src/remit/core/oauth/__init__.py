# SPDX-License-Identifier: Apache-2.0
"""OAuth as values: access tokens, DPoP proofs, client metadata, assertions, codes and refresh tokens.

The endpoints are in `api.oauth`, the server in `services.oauth`.
"""
