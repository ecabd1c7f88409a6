# SPDX-License-Identifier: Apache-2.0
"""Endings: what ends authority, and the record of what an ending closed (the closure).

Scopes and their epochs, which make an ending visible, are in `core.scope`.
"""
