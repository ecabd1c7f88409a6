# SPDX-License-Identifier: Apache-2.0
"""Adapters of the runtime port: the real clock and the real entropy."""
