# SPDX-License-Identifier: Apache-2.0
"""OpenBao and Vault as a source of credentials: dynamic secrets, certificates, tokens, stored secrets."""
