# SPDX-License-Identifier: Apache-2.0
"""The policy bundle, and what can be reached under it.

Policies themselves are evaluated by an adapter of `ports.policy`.
"""
