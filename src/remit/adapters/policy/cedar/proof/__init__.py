# SPDX-License-Identifier: Apache-2.0
"""Proofs about rules, for every possible call, by Cedar's own symbolic compiler and the solver cvc5.

The questions and the limits of a possible call are asked in Cedar; the translation for the solver is Cedar's.
"""

from remit.adapters.policy.cedar.proof.prover import CedarProver

__all__ = ["CedarProver"]
