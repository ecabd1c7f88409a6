# SPDX-License-Identifier: Apache-2.0
"""Policies in Cedar: checked against a generated schema, indexed by tool and agent, evaluated on what they
read.
"""

from remit.adapters.policy.cedar.engine import CedarPolicies

__all__ = ["CedarPolicies"]
