# SPDX-License-Identifier: Apache-2.0
"""The digests of authority and intent are those of draft-mcguinness-oauth-mission (its test vectors)."""

from typing import Any

from remit.core.oauth.mission import authority_hash, intent_hash

ISSUER = "https://as.example.com"
INTENT = {
    "goal": "Reconcile Q3 invoices",
    "resources": ["https://erp.example.com"],
    "expires_at": "2026-12-31T23:59:59Z",
}
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


def test_vector_1_intent() -> None:
    """The intent of the first vector."""
    assert intent_hash(ISSUER, INTENT) == "sha-256:6mIFoCz79uCHNzKLfBpBwqFjoFXdpmpuc65486IqimQ"


def test_vector_2_intent() -> None:
    """A nested object and an integer in the intent."""
    controls = {"acr": "urn:example:acr:mfa", "max_derivations": 20}
    found = intent_hash(ISSUER, INTENT | {"controls": controls})
    assert found == "sha-256:DHUg4zS3HHnWtXlO6hu9sTN_jX4LyjZ4tOJiTDAvWAI"


def test_a_digest_says_of_what_it_is() -> None:
    """The same value as intent and as authority has two digests."""
    value: list[dict[str, object]] = [{"x": 1}]
    assert authority_hash(ISSUER, value) != intent_hash(ISSUER, {"x": 1})
