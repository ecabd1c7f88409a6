# SPDX-License-Identifier: Apache-2.0
"""Workloads, their bindings, and what matches what (`core.identity.workload`)."""

from typing import Any

import pytest
from joserfc.jwk import ECKey

from remit.core.errors import Malformed
from remit.core.identity.workload import (
    Assurance,
    AttestationMethod,
    Attested,
    Binding,
    ClientBinding,
    Confirmation,
    IssuerBinding,
    KeyBinding,
    LocalBinding,
    SpiffeBinding,
    SpiffeId,
    checked_binding,
    claim,
    matches,
    workload_of,
)

DIGEST = "ab" * 32
GITHUB = "https://token.actions.githubusercontent.com"


def attested(workload: str, method: AttestationMethod, **more: Any) -> Attested:
    """Return a proof by some method."""
    return Attested(workload=workload, method=method, assurance=method.assurance, **more)


def from_issuer(subject: str = "worker", issuer: str = GITHUB, **claims: Any) -> Attested:
    """Return what a token of an issuer proves."""
    return attested(f"{issuer}#{subject}", AttestationMethod.OIDC, facts=claims)


def public_jwk() -> dict[str, str]:
    """Return a new public key."""
    return {name: str(value) for name, value in ECKey.generate_key("P-256").as_dict(private=False).items()}


@pytest.mark.parametrize(
    "text",
    [
        "spiffe://example.org",
        "spiffe://example.org/billing/payments",
        "spiffe://prod-1.example_2.org/ns/default/sa/A.b-c_d",
        "spiffe://1/2",
        "spiffe://example.org/...",
    ],
)
def test_a_spiffe_id_is_read_and_written_unchanged(text: str) -> None:
    """What the standard permits is read, and nothing of it is normalised."""
    assert str(SpiffeId.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "spiffe://",
        "spiffe:///path",
        "SPIFFE://example.org/a",
        "spiffe://Example.org/a",
        "spiffe://example.org/",
        "spiffe://example.org//a",
        "spiffe://example.org/a/",
        "spiffe://example.org/a/./b",
        "spiffe://example.org/a/../b",
        "spiffe://example.org/a%2fb",
        "spiffe://example.org/a?b",
        "spiffe://example.org/a#b",
        "spiffe://example.org:8080/a",
        "spiffe://user@example.org/a",
        "spiffe://example.org/ä",
        "spiffe://example.org/a b",
        "spiffe://example.org/a\n",
        "spiffe://" + "a" * 256 + "/b",
        "spiffe://example.org/" + "a" * 2048,
        "https://example.org/a",
    ],
)
def test_what_is_no_spiffe_id_is_refused(text: str) -> None:
    """SPIFFE ID standard, section 2: no upper case, no empty or dot segment, no query, port or escape."""
    with pytest.raises(Malformed, match="not a SPIFFE ID"):
        SpiffeId.parse(text)


def test_each_method_has_its_assurance() -> None:
    """A bearer token has bearer assurance, whatever signed it; the kernel's statement is asserted."""
    assert {method.value: method.assurance.word for method in AttestationMethod} == {
        "private-key": "key-bound",
        "certificate": "key-bound",
        "x509-svid": "attested",
        "jwt-svid": "federated-bearer",
        "wit-svid": "key-bound",
        "oidc": "federated-bearer",
        "unix-peer": "asserted",
        "client-metadata": "key-bound",
    }
    assert Assurance.from_word("federated-bearer") is Assurance.FEDERATED_BEARER


def test_each_binding_matches_its_own_workload_by_its_own_method() -> None:
    """Another method with the same text proves nothing."""
    jwk = public_jwk()
    bindings: list[tuple[Binding, AttestationMethod]] = [
        (KeyBinding(jwk), AttestationMethod.PRIVATE_KEY),
        (SpiffeBinding("spiffe://example.org/a"), AttestationMethod.X509_SVID),
        (IssuerBinding(GITHUB, "repo:a/b:environment:prod"), AttestationMethod.OIDC),
        (LocalBinding(1000, DIGEST), AttestationMethod.UNIX_PEER),
        (ClientBinding("https://app.example/client.json"), AttestationMethod.CLIENT_METADATA),
    ]
    for binding, method in bindings:
        workload = workload_of(binding)
        assert matches(binding, attested(workload, method))
        assert not matches(binding, attested(workload + "x", method))
        others = {own for other, own in bindings if other is not binding}
        assert not any(matches(binding, attested(workload, other)) for other in others)


def test_a_binding_of_no_key_matches_nobody() -> None:
    """Where no thumbprint can be made, there is no workload; nor does a workload without a name match it."""
    broken = KeyBinding({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"})
    assert workload_of(broken) == ""
    assert not matches(broken, attested("", AttestationMethod.PRIVATE_KEY))


def test_a_key_shown_beside_changes_neither_workload_nor_method() -> None:
    """A workload that also holds a key is still the one that it was."""
    proof = from_issuer().with_key(Confirmation(jkt="abc"))
    assert proof.confirmation.jkt == "abc"
    assert matches(IssuerBinding(GITHUB, "worker"), proof)


@pytest.mark.parametrize(
    ("rule", "value", "fits"),
    [
        ("1296269", "1296269", True),
        ("1296269", 1296269, True),
        ("true", True, True),
        ("true", 1, False),
        ("true", "True", False),
        (["a", "b"], "b", True),
        (["a", "b"], "c", False),
        ("a", ["x", "a"], True),
        ("a", [["a"]], False),
        ("a", {"a": 1}, False),
        ("a", None, False),
        ("1.0", 1.0, False),
        ([], "a", False),
        ("*", "a", False),
    ],
)
def test_a_claim_must_have_exactly_the_text_of_its_rule(rule: Any, value: Any, fits: bool) -> None:
    """Exact text, one of several, or a member of a list; what has no one text matches nothing."""
    assert matches(IssuerBinding(GITHUB, "worker", {"claim": rule}), from_issuer(claim=value)) is fits


def test_a_claim_that_is_missing_matches_nothing() -> None:
    """Every rule must hold."""
    binding = IssuerBinding(GITHUB, "worker", {"repository_id": "1", "environment": "prod"})
    assert matches(binding, from_issuer(repository_id="1", environment="prod"))
    assert not matches(binding, from_issuer(repository_id="1"))


def test_nested_claims_are_named_by_a_json_pointer() -> None:
    """RFC 6901, with its escapes; a name without a slash is a claim of that very name."""
    facts = {"kubernetes.io": {"namespace": "prod"}, "https://sts.amazonaws.com/": {"a~b": 1}}
    assert claim(facts, "/kubernetes.io/namespace") == "prod"
    assert claim(facts, "/https:~1~1sts.amazonaws.com~1/a~0b") == 1
    assert claim(facts, "kubernetes.io/namespace") is None
    assert claim(facts, "/kubernetes.io/namespace/x") is None
    assert claim(facts, "kubernetes.io") == {"namespace": "prod"}


@pytest.mark.parametrize(
    ("name", "rule", "value", "fits"),
    [
        ("ref", "refs/heads/release/*", "refs/heads/release/1.2", True),
        ("ref", "refs/heads/release/*", "refs/heads/release/a/b", False),
        ("ref", "refs/heads/release/**", "refs/heads/release/a/b", True),
        ("ref", "refs/tags/v*", "refs/heads/v1", False),
        ("ref", "refs/heads/*-rc", "refs/heads/1-rc", True),
        ("ref", "refs/heads/*-rc", "refs/heads/1-rc2", False),
        ("environment", "pro*", "prod", False),
        ("job_workflow_ref", "o/r/.github/w.yml@refs/tags/v1.*", "o/r/.github/w.yml@refs/tags/v1.4", True),
        ("job_workflow_ref", "o/r/.github/w.yml@refs/tags/v1.*", "o/x/.github/w.yml@refs/tags/v1.4", False),
        ("job_workflow_ref", "o/*@refs/heads/main", "o/r@refs/heads/main", False),
        ("job_workflow_ref", "o/r/w.yml*", "o/r/w.yml@refs/heads/main", False),
    ],
)
def test_patterns_hold_in_git_refs_alone(name: str, rule: str, value: str, fits: bool) -> None:
    """`*` stays within a segment, `**` does not; what stands before the ref is never a pattern."""
    assert matches(IssuerBinding(GITHUB, "worker", {name: rule}), from_issuer(**{name: value})) is fits


def test_bindings_are_checked_when_they_are_made() -> None:
    """A binding that could match no workload, or more than it states, is refused with the remediation."""
    good: list[Binding] = [
        KeyBinding(public_jwk()),
        SpiffeBinding("spiffe://example.org/a"),
        IssuerBinding("https://issuer.example", "s", {"ref": "refs/heads/*", "/a/b": ["x", "y"]}),
        IssuerBinding("http://127.0.0.1:9400", "s"),
        LocalBinding(0, DIGEST),
        ClientBinding("https://app.example/client.json"),
    ]
    for binding in good:
        assert checked_binding(binding) == binding
    bad: list[Binding] = [
        KeyBinding({"kty": "oct", "k": "AAAA"}),
        KeyBinding({**public_jwk(), "d": "AAAA"}),
        SpiffeBinding("spiffe://example.org"),
        SpiffeBinding("spiffe://example.org/*/"),
        IssuerBinding("issuer.example", "s"),
        IssuerBinding("http://issuer.example", "s"),
        IssuerBinding("https://issuer.example#x", "s"),
        IssuerBinding("https://issuer.example", ""),
        IssuerBinding("https://issuer.example", "s", {"environment": "*"}),
        IssuerBinding("https://issuer.example", "s", {"workflow_ref": "o/*@refs/heads/main"}),
        IssuerBinding("https://issuer.example", "s", {"environment": []}),
        LocalBinding(-1, DIGEST),
        LocalBinding(0, "abc"),
        ClientBinding("http://app.example/client.json"),
    ]
    for binding in bad:
        with pytest.raises(Malformed):
            checked_binding(binding)


def test_issuer_and_subject_are_told_apart() -> None:
    """An issuer holds no `#`, so no subject can pass for a part of another issuer's name."""
    assert workload_of(IssuerBinding("https://a.example", "x#y")) == "https://a.example#x#y"
    with pytest.raises(Malformed, match="issuer"):
        checked_binding(IssuerBinding("https://a.example#x", "y"))
