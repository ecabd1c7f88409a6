# SPDX-License-Identifier: Apache-2.0
"""Cedar policies: checked against a generated schema, indexed, and evaluated on the facts they read."""

import functools

from remit.adapters.policy.cedar.checker_process import CheckerProcess
from remit.adapters.policy.cedar.engine import CedarPolicies
from remit.core.label import Classes
from remit.core.policy.vocabulary import DeclaredNames

__all__ = ["CedarPolicies", "cedar_apart", "cedar_here"]


def cedar_apart(classes: Classes, declared: DeclaredNames) -> CedarPolicies:
    """Return the engine that parses texts from outside in a separate process.

    A check that a caller requests does not delay the loading of policies that come into force. The engines of
    this process share the separate ones, which keep nothing between two requests.
    """
    examine, check, aside = _checkers()
    return CedarPolicies(classes=classes, examine=examine, check=check, aside=aside, declared=declared)


@functools.cache
def _checkers() -> tuple[CheckerProcess, CheckerProcess, CheckerProcess]:
    return CheckerProcess(), CheckerProcess(rules=False), CheckerProcess()


def cedar_here(classes: Classes) -> CedarPolicies:
    """Return the engine that parses in this process: for policies that came with remit, never for others."""
    return CedarPolicies(classes=classes)
