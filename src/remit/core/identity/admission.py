# SPDX-License-Identifier: Apache-2.0
"""Admission: the person, groups and roles here for an account that the organisation's provider has
authenticated.
"""

from __future__ import annotations

import msgspec

from remit.core.errors import Forbidden, Malformed
from remit.core.identity.principals import Person, Role
from remit.core.ids import check_name
from remit.core.json_value import Json


class AdmissionRules(msgspec.Struct, frozen=True, kw_only=True):
    """The mapping from a provider's claims to people here.

    `person` is the claim that names a person at the first sign-in; where `domain` is given, the claim must
    end with `@` and that domain. `require` holds claims and their exact values. `groups` and `roles` map the
    provider's groups (in the claim `groups_claim`) to groups and roles here: these follow the provider, and
    all others stay unchanged.
    """

    person: str = "preferred_username"
    domain: str = ""
    require: dict[str, str] = {}
    add_people: bool = False
    groups_claim: str = "groups"
    groups: dict[str, str] = {}
    roles: dict[str, Role] = {}


def check_required(rules: AdmissionRules, claims: dict[str, Json]) -> None:
    """Raise `Forbidden` unless every required claim has its value."""
    for name, value in rules.require.items():
        if claims.get(name) != value:
            raise Forbidden(
                "this account of the provider may not sign in here",
                code="sign-in-claims",
                remediation="use your organisation's account",
            )


def name_from(rules: AdmissionRules, claims: dict[str, Json]) -> str:
    """Return the person's name according to the claims; raise `Forbidden` where they give none.

    An email address counts only if the provider has verified it: at other providers anyone may enter any
    address.
    """
    found = claims.get(rules.person)
    name = found.lower() if isinstance(found, str) else ""
    if rules.person == "email" and claims.get("email_verified") is not True:
        name = ""
    if rules.domain and name:
        name, at, domain = name.rpartition("@")
        name = name if at and domain == rules.domain.lower() else ""
    try:
        return check_name(name, "a person")
    except Malformed:
        raise Forbidden(
            f"the provider's claim `{rules.person}` has no usable name",
            code="sign-in-name",
            remediation="ask an administrator which claim names people",
        ) from None


def admitted(rules: AdmissionRules, claims: dict[str, Json], person: Person) -> Person:
    """Return the person with the mapped groups and roles updated to the provider's current claims."""
    listed = claims.get(rules.groups_claim)
    there = {one for one in listed if isinstance(one, str)} if isinstance(listed, list) else set()
    following = set(rules.groups.values())
    groups = [one for one in person.groups if one not in following]
    groups += [ours for theirs, ours in rules.groups.items() if theirs in there]
    roles = person.roles - set(rules.roles.values())
    roles |= {ours for theirs, ours in rules.roles.items() if theirs in there}
    return msgspec.structs.replace(person, groups=tuple(dict.fromkeys(groups)), roles=frozenset(roles))
