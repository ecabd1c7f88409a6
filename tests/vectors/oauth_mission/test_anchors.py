# SPDX-License-Identifier: Apache-2.0
"""The digest of authority is that of draft-mcguinness-oauth-mission (its test vectors)."""

from typing import Any

from remit.core.oauth.mission import authority_hash

ISSUER = "https://as.example.com"
AUTHORITY: list[dict[str, Any]] = [
    {
        "type": "mission_resource_access",
        "resource": "https://erp.example.com",
        "actions": ["invoices.read"],
    },
    {
        "type": "mission_resource_access",
        "resource": "https://erp.example.com",
        "actions": ["journal-entries.write"],
        "constraints": {"max_amount": {"amount": "500.00", "currency": "USD"}},
    },
]


def test_vector_1_authority() -> None:
    """The authority set of the first vector."""
    assert authority_hash(ISSUER, AUTHORITY) == "sha-256:vUCCfjGulit9u0qJ0Z6pQSNerZtXMqRlfJNCr4PzLro"
