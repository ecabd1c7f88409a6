# SPDX-License-Identifier: Apache-2.0
"""The endpoint that the hooks of coding assistants call."""

from remit.gateway.hooks.endpoint import HooksEndpoint, HooksLimits

__all__ = ["HooksEndpoint", "HooksLimits"]
