# SPDX-License-Identifier: Apache-2.0
"""The HTTP endpoint: agents that call REST APIs."""

from remit.gateway.http.endpoint import HttpEndpoint, HttpLimits

__all__ = ["HttpEndpoint", "HttpLimits"]
