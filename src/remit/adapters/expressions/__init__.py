# SPDX-License-Identifier: Apache-2.0
"""Expressions that upstreams declare, evaluated within bounds. Not for policies, which have engines."""
