# SPDX-License-Identifier: Apache-2.0
"""One adapter for each gateway: how to start it, give an agent access, and end that access."""

from bench.race.gateway import Gateway
from bench.race.gateways.authmcp import AuthMcpDeactivated, AuthMcpLogout
from bench.race.gateways.contextforge import ContextForge
from bench.race.gateways.fastmcp import FastMcp
from bench.race.gateways.remit import Remit

GATEWAYS: list[type[Gateway]] = [Remit, ContextForge, AuthMcpLogout, AuthMcpDeactivated, FastMcp]
"""A new gateway is a module beside this one and an entry here."""
