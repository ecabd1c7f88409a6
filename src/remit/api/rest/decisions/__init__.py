# SPDX-License-Identifier: Apache-2.0
"""Endpoints about what decisions depend on."""
