# SPDX-License-Identifier: Apache-2.0
"""Doors for management: REST, the token endpoint, health and figures."""

from remit.api.app import PATHS, app

__all__ = ["PATHS", "app"]
