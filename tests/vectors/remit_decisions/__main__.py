# SPDX-License-Identifier: Apache-2.0
"""Writes the decision vectors again: `python -m tests.vectors.remit_decisions`, after a change of guardrails.

The answers are Cedar's; review the difference before you commit it.
"""

from tests.samples.decision_vectors import FILE, lines

if __name__ == "__main__":
    FILE.write_bytes(b"\n".join(lines()) + b"\n")
