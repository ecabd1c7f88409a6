# SPDX-License-Identifier: Apache-2.0
"""Shared signals: the Shared Signals Framework 1.0 with push (RFC 8935) and poll (RFC 8936)."""
