# SPDX-License-Identifier: Apache-2.0
"""Rego policies: checked and built by OPA, evaluated in process as Wasm or by an OPA server."""

from remit.adapters.policy.rego.engine import RegoPolicies

__all__ = ["RegoPolicies"]
