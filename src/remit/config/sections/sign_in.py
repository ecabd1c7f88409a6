# SPDX-License-Identifier: Apache-2.0
"""How people sign in, and what they can then consent to."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from remit.config.reading.secret_reference import SecretRef
from remit.config.reading.section import Name, Seconds, Section, Text

RoleName = Literal["administrator", "approver", "operator", "auditor"]


class ProviderSection(Section, frozen=True, kw_only=True):
    """An OpenID Connect provider of the organisation."""

    issuer: Annotated[Text, Meta(description="Its exact issuer; discovery is below it.")]
    client_id: Annotated[Text, Meta(description="remit's client id there.")]
    client_secret: Annotated[
        SecretRef | None,
        Meta(description="Its secret there, as `env:X` or `file:path`; PKCE is always used."),
    ] = None
    title: Annotated[str, Meta(description="Name shown to people. Default: its name here.")] = ""
    scopes: Annotated[tuple[Text, ...], Meta(description="Requested scopes.")] = (
        "openid",
        "profile",
        "email",
    )
    person: Annotated[
        Text,
        Meta(description="The claim with the person's name, used at the first sign-in."),
    ] = "preferred_username"
    domain: Annotated[
        str, Meta(description="The claim must end with `@` and this domain, which is removed.")
    ] = ""
    require: Annotated[
        dict[str, Text],
        Meta(description="Claims that must have exactly these values, such as `tid` or `hd`."),
    ] = {}
    add_people: Annotated[
        bool,
        Meta(
            description="Whether unknown people are added at their first sign-in; otherwise an "
            "administrator adds them."
        ),
    ] = False
    groups_claim: Annotated[Text, Meta(description="The claim that lists groups.")] = "groups"
    groups: Annotated[
        dict[str, Name],
        Meta(
            description="Groups of the provider, and the local groups that are set from them at each sign-in."
        ),
    ] = {}
    roles: Annotated[
        dict[str, RoleName],
        Meta(
            description="Groups of the provider, and the local roles that are set from them at each sign-in."
        ),
    ] = {}
    tls_ca: Annotated[str, Meta(description="File of the certificate authorities to trust for it.")] = ""


class SelfServiceSection(Section, frozen=True, kw_only=True):
    """Applications without a registration: the first person who consents to one answers for it."""

    groups: Annotated[
        tuple[Name, ...], Meta(description="Groups of people who may do so. Default: none.")
    ] = ()
    agent_group: Annotated[
        Name, Meta(description="The group of such agents; task types name it in `run_by`.")
    ] = "self-service"


class ClientsSection(Section, frozen=True, kw_only=True):
    """Interactive applications, which identify themselves by a metadata document at their own address."""

    documents: Annotated[bool, Meta(description="Whether client ID metadata documents are fetched.")] = True
    private: Annotated[bool, Meta(description="Whether such a document may be on a private network.")] = False
    tls_ca: Annotated[str, Meta(description="File of the certificate authorities to trust for them.")] = ""
    self_service: SelfServiceSection = SelfServiceSection()


class SignInSection(Section, frozen=True, kw_only=True):
    """How people sign in at a browser, and the rules of tasks that they open there."""

    oidc: Annotated[
        dict[Name, ProviderSection], Meta(description="Providers of the organisation, by name.")
    ] = {}
    passkeys: Annotated[bool, Meta(description="Whether people may sign in with a passkey.")] = True
    remote_codes: Annotated[
        bool, Meta(description="Whether one-time codes are taken from other machines than remit's own.")
    ] = False
    browser_ttl_s: Annotated[Seconds, Meta(ge=60, description="How long a browser session lasts.")] = (
        12 * 3600
    )
    fresh_s: Annotated[
        Seconds,
        Meta(
            ge=30,
            description="For tasks that change data, the consenting person must have signed in this "
            "recently.",
        ),
    ] = 900
    idle_s: Annotated[
        Seconds,
        Meta(ge=60, le=86400, description="A task opened there ends after this long without use."),
    ] = 1800
    clients: ClientsSection = ClientsSection()
