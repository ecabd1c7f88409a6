# SPDX-License-Identifier: Apache-2.0
"""Ends: raise the fence, revoke what was derived, and sign the closure; locks, expiry and takeover.

Everything that takes authority away passes through this package.
"""
