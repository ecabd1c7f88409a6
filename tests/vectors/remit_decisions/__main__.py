# SPDX-License-Identifier: Apache-2.0
"""Writes the decision vectors again: `python -m tests.vectors.remit_decisions`, after a change of guardrails.

The answers are Cedar's; review the difference before you commit it.
"""

from tests.vectors.remit_decisions.test_remit_decisions import FILE, lines

if __name__ == "__main__":
    FILE.write_bytes(b"\n".join(lines()) + b"\n")
