# SPDX-License-Identifier: Apache-2.0
"""Credentials as texts: the forms by which well-known ones are recognised.

Leases and standing secrets are in `services.credentials`, keys in `core.keys`.
"""
