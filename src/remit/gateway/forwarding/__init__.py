# SPDX-License-Identifier: Apache-2.0
"""Before all doors: requests for tasks that another replica owns are passed on to it."""

from remit.gateway.forwarding.routing import ForwardingFront

__all__ = ["ForwardingFront"]
