# SPDX-License-Identifier: Apache-2.0
"""Endpoints for management: REST, the token endpoint, health and metrics."""

from remit.api.app import PATHS, app

__all__ = ["PATHS", "app"]
