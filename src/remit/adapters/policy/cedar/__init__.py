# SPDX-License-Identifier: Apache-2.0
"""Policies in Cedar: checked against a generated schema, indexed by tool and agent, evaluated on what they
read.
"""

from remit.adapters.policy.cedar.checker_process import CheckerProcess
from remit.adapters.policy.cedar.engine import CedarPolicies
from remit.core.label import Classes

__all__ = ["CedarPolicies", "cedar_apart"]


def cedar_apart(classes: Classes) -> CedarPolicies:
    """Return the engine that reads texts in a process of its own, for texts from outside.

    What somebody asks to have checked does not keep waiting what is put in force.
    """
    return CedarPolicies(classes=classes, examine=CheckerProcess(), check=CheckerProcess(rules=False))
