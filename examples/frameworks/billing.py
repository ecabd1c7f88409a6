# SPDX-License-Identifier: Apache-2.0
"""The functions that the agents here have as tools, and the script of their model: turns of calls."""

from typing import Any

TURNS: list[list[tuple[str, dict[str, Any]]]] = [
    [("customer", {"customer": "C-1"}), ("refund", {"customer": "C-1", "cents": 5000})],
    [("refund", {"customer": "C-1", "cents": 100})],
]
#: What was paid.
PAID: list[int] = []


def customer(customer: str) -> dict[str, str]:
    """Look a customer up."""
    return {"name": "Ada", "iban": "DE89370400440532013000"}


def refund(customer: str, cents: int) -> str:
    """Refund an amount to a customer."""
    PAID.append(cents)
    return f"refunded {cents}"


def credit(customer: str, cents: int) -> str:
    """Credit an amount to a customer, which a person approves."""
    PAID.append(cents)
    return f"credited {cents}"


def lose(customer: str) -> str:
    """Fail."""
    raise LookupError("the ledger is closed")
