# SPDX-License-Identifier: Apache-2.0
"""Cedar policies: checked against a generated schema, indexed, and evaluated on the facts they read."""

import functools

from remit.adapters.policy.cedar.checks.checker_process import CheckerProcess
from remit.adapters.policy.cedar.checks.known_check import IncrementalCheck
from remit.adapters.policy.cedar.checks.known_rules import KnownRules
from remit.adapters.policy.cedar.engine import CedarPolicies
from remit.core.label import Classes
from remit.core.policy.vocabulary import DeclaredNames

__all__ = ["CedarPolicies", "cedar_apart", "cedar_here"]


def cedar_apart(classes: Classes, declared: DeclaredNames) -> CedarPolicies:
    """Return the engine that parses texts from outside in a separate process.

    A check that a caller requests does not delay the loading of policies that come into force. The engines of
    this process share the separate ones, which keep nothing between two requests, and the rules that are
    known from policies that are loaded.
    """
    examine, check, aside = _checks()
    return CedarPolicies(classes=classes, examine=examine, check=check, aside=aside, declared=declared)


@functools.cache
def _checks() -> list[IncrementalCheck]:
    known = KnownRules()
    return [IncrementalCheck(CheckerProcess(), known) for _ in range(3)]


def cedar_here(classes: Classes) -> CedarPolicies:
    """Return the engine that parses in this process: for policies that came with remit, never for others."""
    return CedarPolicies(classes=classes)
