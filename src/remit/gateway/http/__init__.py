# SPDX-License-Identifier: Apache-2.0
"""The HTTP door: agents that call REST APIs."""

from remit.gateway.http.endpoint import HttpEndpoint, HttpLimits

__all__ = ["HttpEndpoint", "HttpLimits"]
