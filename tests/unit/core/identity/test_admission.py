# SPDX-License-Identifier: Apache-2.0
"""Which person here corresponds to a person that the organisation's provider has proven."""

from typing import Any

import pytest

from remit.core.errors import Forbidden
from remit.core.identity.admission import AdmissionRules, admitted, check_required, name_from
from remit.core.identity.principals import Role
from tests.worlds.values import a_person


@pytest.mark.parametrize(
    ("rules", "claims", "name"),
    [
        (AdmissionRules(), {"preferred_username": "lena"}, "lena"),
        (AdmissionRules(), {"preferred_username": "Lena"}, "lena"),
        (AdmissionRules(person="upn", domain="acme.example"), {"upn": "lena@acme.example"}, "lena"),
        (AdmissionRules(person="upn", domain="acme.example"), {"upn": "Lena@ACME.example"}, "lena"),
        (
            AdmissionRules(person="email", domain="acme.example"),
            {"email": "lena@acme.example", "email_verified": True},
            "lena",
        ),
    ],
)
def test_a_name_that_the_claims_give(rules: AdmissionRules, claims: dict[str, Any], name: str) -> None:
    """Without the organisation's domain, in lower case."""
    assert name_from(rules, claims) == name


@pytest.mark.parametrize(
    ("rules", "claims"),
    [
        (AdmissionRules(), {}),
        (AdmissionRules(), {"preferred_username": ""}),
        (AdmissionRules(), {"preferred_username": 7}),
        (AdmissionRules(), {"preferred_username": ["lena"]}),
        (AdmissionRules(), {"preferred_username": "lena@acme.example"}),
        (AdmissionRules(), {"preferred_username": "../root"}),
        (AdmissionRules(person="upn", domain="acme.example"), {"upn": "lena"}),
        (AdmissionRules(person="upn", domain="acme.example"), {"upn": "lena@evil.example"}),
        (AdmissionRules(person="upn", domain="acme.example"), {"upn": "lena@evil@acme.example"}),
        (AdmissionRules(person="upn", domain="acme.example"), {"upn": "@acme.example"}),
        (AdmissionRules(person="upn", domain="acme.example"), {"upn": "lena@acme.example.evil"}),
        (AdmissionRules(person="email", domain="acme.example"), {"email": "lena@acme.example"}),
        (
            AdmissionRules(person="email", domain="acme.example"),
            {"email": "lena@acme.example", "email_verified": "true"},
        ),
    ],
)
def test_a_name_that_they_do_not_give(rules: AdmissionRules, claims: dict[str, Any]) -> None:
    """Another domain, an unverified address, and a value that is no name are refused."""
    with pytest.raises(Forbidden):
        name_from(rules, claims)


def test_claims_that_must_be_there() -> None:
    """Exactly, each of them."""
    rules = AdmissionRules(require={"tid": "acme", "kind": "member"})
    check_required(rules, {"tid": "acme", "kind": "member", "more": 1})
    for claims in (
        {},
        {"tid": "acme"},
        {"tid": "acme", "kind": "guest"},
        {"tid": ["acme"], "kind": "member"},
    ):
        with pytest.raises(Forbidden):
            check_required(rules, claims)


def test_groups_and_roles_follow_the_provider() -> None:
    """Those that a rule names come and go; the others stay as they were given."""
    rules = AdmissionRules(
        groups={"Legal": "legal", "Law": "legal", "Staff": "staff"}, roles={"Approvers": Role.APPROVER}
    )
    lena = a_person(groups=("writers", "staff"), roles=frozenset({Role.AUDITOR}))
    now = admitted(rules, {"groups": ["Law", "Approvers", 7]}, lena)
    assert now.groups == ("writers", "legal")
    assert now.roles == {Role.AUDITOR, Role.APPROVER}
    later = admitted(rules, {"groups": "Law"}, now)
    assert later.groups == ("writers",)
    assert later.roles == {Role.AUDITOR}
