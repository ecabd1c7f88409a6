# SPDX-License-Identifier: Apache-2.0
"""Secrets that their form gives away. The samples are made up."""

import pytest

from remit.core.credentials.known_secrets import has_known_secret, known_secrets, without_secrets

SAMPLES = {
    "GitHub token": "ghp_" + "a1B2" * 9,
    "AWS access key": "AKIA" + "ABCD" * 4,
    "API key (`sk-`)": "sk-ant-" + "x" * 30,
    "password in a URL": "postgres://ada:hunter22@db.example",
    "private key": "-----BEGIN PRIVATE KEY-----\nMIIB\n",
    "Stripe key": "sk_live_" + "a" * 24,
}


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_secret_is_found_by_its_form_and_never_repeated(kind: str) -> None:
    """Kind, four characters and a fingerprint are all that is kept."""
    text = f"before {SAMPLES[kind]}/x after"
    found = list(known_secrets(text))
    assert [one.kind for one in found] == [kind]
    assert len(found[0].shown) == 4
    assert SAMPLES[kind][5:] not in repr(found)


def test_the_same_secret_has_the_same_fingerprint() -> None:
    """A secret that is seen twice is one secret."""
    first, second = (list(known_secrets(f"{one} {SAMPLES['GitHub token']}")) for one in ("a", "b"))
    assert first == second


def test_ordinary_text_holds_none() -> None:
    """Addresses, digests and names are no secrets."""
    assert not has_known_secret("https://docs.example/a@b sha256:0123456789abcdef ghp_short skeleton-key")


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_shown_text_has_no_secret(kind: str) -> None:
    """It keeps what is around a secret."""
    shown = without_secrets(f"before {SAMPLES[kind]}/x after")
    assert SAMPLES[kind][12:] not in shown
    assert shown.startswith("before ")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("curl -u ada:hunter22 https://a.example", "curl -u ada:… https://a.example"),
        ("API_KEY=hunter22 make", "API_KEY=… make"), ("x --token hunter22 y", "x --token … y"),
        ("x --password='hunter22'", "x --password='…'"), ('{"password": "hunter22"}', '{"password": "…"}'),
        ("Authorization: Basic YWRhOmh1", "Authorization: Basic …"), ("TOKEN=$(cat x)", "TOKEN=$(cat x)"),
        ("cat src/token.py", "cat src/token.py"), ("npm token list", "npm token list"),
    ],
)  # fmt: skip
def test_a_value_that_is_declared_secret_is_not_shown(text: str, shown: str) -> None:
    """Its name before it says so; a reference and an ordinary word stay."""
    assert without_secrets(text) == shown
