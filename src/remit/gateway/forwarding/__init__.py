# SPDX-License-Identifier: Apache-2.0
"""Forwarding, before all endpoints: requests for tasks of another replica are passed on to it."""

from remit.gateway.forwarding.routing import ForwardingFront

__all__ = ["ForwardingFront"]
