# SPDX-License-Identifier: Apache-2.0
"""Workloads: programs that can prove their identity, the methods of proof, and the bindings of agents to
workloads.

An attestor (`ports.attestor`) examines a token, a certificate or a peer process and returns the proven
identity as `Attested`. An agent has *bindings*, the permitted proofs of its identity. `matches` compares the
two. Each workload has one canonical text: a SPIFFE ID, `issuer#subject`, `jkt:thumbprint`,
`local:uid:digest`, or the address of a client ID metadata document.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import msgspec
from joserfc.errors import JoseError

from remit.core.errors import Malformed
from remit.core.json_value import Json
from remit.core.keys.jwk import checked_public_jwk, thumbprint


class Assurance(enum.IntEnum):
    """The strength of an identity's proof, weakest first; carried in the token and in every decision."""

    ASSERTED = 1
    SHARED_SECRET = 2
    FEDERATED_BEARER = 3
    KEY_BOUND = 4
    ATTESTED = 5

    @property
    def word(self) -> str:
        """The design's word for the level: `asserted`, `shared-secret`, ..."""
        return self._name_.lower().replace("_", "-")

    @classmethod
    def from_word(cls, word: str) -> Assurance:
        """Return the level for a word; raise `KeyError` for an unknown word."""
        return cls[word.upper().replace("-", "_")]


class AttestationMethod(enum.StrEnum):
    """A workload's method of proof; in the token, in every decision and in the evidence.

    `private-key`: an assertion signed with a registered key (RFC 7523). `certificate`: a TLS client
    certificate with a registered key (RFC 8705 section 2.2). `x509-svid` and `jwt-svid`: the documents of
    SPIFFE. `oidc`: a token of an issuer that is trusted for workloads. `unix-peer`: the kernel's information
    on the other end of a Unix socket. `client-metadata`: an assertion signed with a key of a client ID
    metadata document. `wit-svid`: a SPIFFE document over a key, with a proof of possession.
    """

    PRIVATE_KEY = "private-key"
    CERTIFICATE = "certificate"
    X509_SVID = "x509-svid"
    JWT_SVID = "jwt-svid"
    WIT_SVID = "wit-svid"
    OIDC = "oidc"
    UNIX_PEER = "unix-peer"
    CLIENT_METADATA = "client-metadata"

    @property
    def assurance(self) -> Assurance:
        """The best assurance of this method. A copyable token is a bearer token, whatever its issuer."""
        return _ASSURANCE[self]


_ASSURANCE: Final[Mapping[AttestationMethod, Assurance]] = {
    AttestationMethod.PRIVATE_KEY: Assurance.KEY_BOUND,
    AttestationMethod.CERTIFICATE: Assurance.KEY_BOUND,
    AttestationMethod.X509_SVID: Assurance.ATTESTED,
    AttestationMethod.JWT_SVID: Assurance.FEDERATED_BEARER,
    AttestationMethod.WIT_SVID: Assurance.KEY_BOUND,
    AttestationMethod.OIDC: Assurance.FEDERATED_BEARER,
    AttestationMethod.UNIX_PEER: Assurance.ASSERTED,
    AttestationMethod.CLIENT_METADATA: Assurance.KEY_BOUND,
}


class Confirmation(msgspec.Struct, frozen=True, kw_only=True):
    """A key whose possession a workload proved (RFC 7800 `cnf`): by DPoP (`jkt`) or by mTLS (`x5t#S256`)."""

    jkt: str = ""
    x5t_s256: str = ""

    def __bool__(self) -> bool:
        """Return whether there is a key at all."""
        return bool(self.jkt or self.x5t_s256)

    @property
    def word(self) -> str:
        """The kind of sender constraint: `dpop`, `mtls`, or `bearer` for none."""
        return "dpop" if self.jkt else "mtls" if self.x5t_s256 else "bearer"

    def met_by(self, proven: Confirmation) -> bool:
        """Return whether every key named here was proven; true where none is named."""
        return self.jkt in ("", proven.jkt) and self.x5t_s256 in ("", proven.x5t_s256)


# SPIFFE ID standard, section 2: scheme, lower-case trust domain, path of plain segments, at most 2048 bytes.
_TRUST_DOMAIN: Final = re.compile(r"[a-z0-9._-]{1,255}")
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._-]+")
MAX_SPIFFE_ID_BYTES: Final = 2048


class SpiffeId(msgspec.Struct, frozen=True):
    """A SPIFFE ID, `spiffe://trust-domain/path`; the path is empty or begins with `/`."""

    trust_domain: str
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> SpiffeId:
        """Parse a SPIFFE ID strictly, without normalisation; raise `Malformed`."""
        if not text.startswith("spiffe://") or len(text.encode("utf-8", "replace")) > MAX_SPIFFE_ID_BYTES:
            raise _no_spiffe_id(text)
        domain, slash, path = text.removeprefix("spiffe://").partition("/")
        segments = path.split("/") if slash else []
        if not _TRUST_DOMAIN.fullmatch(domain) or not all(map(_is_segment, segments)):
            raise _no_spiffe_id(text)
        return cls(domain, slash + path)

    def __str__(self) -> str:
        """Return the SPIFFE ID as text."""
        return f"spiffe://{self.trust_domain}{self.path}"


def _is_segment(segment: str) -> bool:
    return _SEGMENT.fullmatch(segment) is not None and segment not in (".", "..")


def _no_spiffe_id(text: str) -> Malformed:
    return Malformed(
        f"`{text[:100]}` is not a SPIFFE ID",
        code="spiffe-id",
        remediation="write `spiffe://trust-domain/path` with a lower-case trust domain and no empty segment",
    )


class KeyBinding(msgspec.Struct, frozen=True, tag_field="type", tag="key"):
    """The workload holds the private part of this public key (RFC 7517; P-256 or Ed25519)."""

    jwk: dict[str, str]


class SpiffeBinding(msgspec.Struct, frozen=True, tag_field="type", tag="spiffe"):
    """The workload has this SPIFFE ID, proved by an X.509-SVID, a JWT-SVID or a WIT-SVID."""

    spiffe_id: str


class IssuerBinding(msgspec.Struct, frozen=True, tag_field="type", tag="issuer"):
    """The workload gets tokens from this OIDC issuer, with exactly this subject and these further claims.

    A key of `claims` is the name of a claim, or an RFC 6901 JSON Pointer to a nested one
    (`/kubernetes.io/namespace`). A value is the exact text, or a list of permitted texts; where the claim is
    itself a list, one of its members must match. In claims that hold a git ref (`GIT_REF_CLAIMS`), and only
    there, `*` and `**` work as in branch filters.
    """

    issuer: str
    subject: str
    claims: dict[str, str | list[str]] = {}


class LocalBinding(msgspec.Struct, frozen=True, tag_field="type", tag="local"):
    """The workload runs on this machine as this user id, from an executable with this SHA-256 (hex)."""

    uid: int
    executable_digest: str


class ClientBinding(msgspec.Struct, frozen=True, tag_field="type", tag="client"):
    """The workload is the OAuth client whose ID is the address of this metadata document."""

    metadata_url: str


Binding = KeyBinding | SpiffeBinding | IssuerBinding | LocalBinding | ClientBinding


class WorkloadProof(msgspec.Struct, frozen=True):
    """A valid proof of possession for one request: its id may not be used again before `expires`."""

    token_id: str
    expires: datetime


class Attested(msgspec.Struct, frozen=True, kw_only=True):
    """A workload's proven identity, at one moment.

    `workload` is its canonical text, `instance` the running copy where the platform names it (a pod, a run).
    `facts` are the verified claims behind it, for bindings to match; they stay in this process. `token_id`
    identifies the presented document (a `jti`, a serial number), empty where it has no identifier. `expires`
    is the document's expiry, none for a peer process. `posture` holds the claims about device and build that
    the configuration lets in, by their names there. `used` is a proof that was made for this request alone.
    """

    workload: str
    method: AttestationMethod
    assurance: Assurance
    confirmation: Confirmation = Confirmation()
    facts: dict[str, Json] = {}
    instance: str = ""
    token_id: str = ""
    expires: datetime | None = None
    posture: dict[str, Json] = {}
    used: WorkloadProof | None = None

    def with_key(self, confirmation: Confirmation) -> Attested:
        """Return the same proof, together with a key whose possession the workload also proved."""
        return msgspec.structs.replace(self, confirmation=confirmation)


def workload_of(binding: Binding) -> str:
    """Return the canonical text of a binding's workload; empty for an invalid key."""
    match binding:
        case KeyBinding(jwk):
            try:
                return f"jkt:{thumbprint(jwk)}"
            except (JoseError, ValueError, TypeError, KeyError):
                return ""
        case SpiffeBinding(spiffe_id):
            return spiffe_id
        case IssuerBinding(issuer, subject):
            return issuer_workload(issuer, subject)
        case LocalBinding(uid, digest):
            return local_workload(uid, digest)
        case ClientBinding(metadata_url):
            return metadata_url


def issuer_workload(issuer: str, subject: str) -> str:
    """Return the workload name of an OIDC subject. An issuer holds no `#` (RFC 8414 section 2); a subject
    may.
    """
    return f"{issuer}#{subject}"


def local_workload(uid: int, executable_digest: str) -> str:
    """Return the workload name of a process on this machine."""
    return f"local:{uid}:{executable_digest}"


_METHODS: Final[Mapping[type[Binding], frozenset[AttestationMethod]]] = {
    KeyBinding: frozenset({AttestationMethod.PRIVATE_KEY, AttestationMethod.CERTIFICATE}),
    SpiffeBinding: frozenset(
        {AttestationMethod.X509_SVID, AttestationMethod.JWT_SVID, AttestationMethod.WIT_SVID}
    ),
    IssuerBinding: frozenset({AttestationMethod.OIDC}),
    LocalBinding: frozenset({AttestationMethod.UNIX_PEER}),
    ClientBinding: frozenset({AttestationMethod.CLIENT_METADATA}),
}


def matches(binding: Binding, attested: Attested) -> bool:
    """Return whether the attested identity proves the workload of a binding: same method, same workload,
    every claim.

    INVARIANT: an unknown construct does not match.
    """
    workload = workload_of(binding)
    if attested.method not in _METHODS[type(binding)] or not workload or workload != attested.workload:
        return False
    if isinstance(binding, IssuerBinding):
        return all(_claim_matches(attested.facts, name, wanted) for name, wanted in binding.claims.items())
    return True


#: Claims that hold a git ref, in which `*` cannot occur (git-check-ref-format), each with the text that
#: precedes the ref.
GIT_REF_CLAIMS: Final[Mapping[str, str]] = {
    "ref": "",
    "head_ref": "",
    "base_ref": "",
    "ref_path": "",
    "workflow_ref": "@",
    "job_workflow_ref": "@",
    "ci_config_ref_uri": "@",
}
_MAX_PATTERN: Final = 512


def _claim_matches(facts: Mapping[str, Json], name: str, wanted: str | list[str]) -> bool:
    found = claim(facts, name)
    have = {_text(one) for one in (found if isinstance(found, list) else [found])} - {None}
    want = [wanted] if isinstance(wanted, str) else wanted
    if any(one in have for one in want):
        return True
    if name not in GIT_REF_CLAIMS:
        return False
    return any(_ref_matches(GIT_REF_CLAIMS[name], one, text) for one in want for text in have if text)


def claim(facts: Mapping[str, Json], name: str) -> Json:
    """Return a claim by its name or by an RFC 6901 pointer (`/kubernetes.io/pod/uid`); None if absent."""
    if not name.startswith("/"):
        return facts.get(name)
    # RFC 6901 section 4, without array indexes: a claim's place in a list proves nothing.
    found: Json = facts
    for token in name[1:].split("/"):
        if not isinstance(found, Mapping):
            return None
        found = found.get(token.replace("~1", "/").replace("~0", "~"))
    return found


def _text(value: Json) -> str | None:
    """Return a claim's value in the spelling of the rules; None for a value without one spelling, such as a
    fraction.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else None


def _ref_matches(before: str, pattern: str, ref: str) -> bool:
    """Return whether a ref fits a pattern: `*` within a segment, `**` across; the text before the ref must be
    equal.
    """
    if "*" not in pattern or len(pattern) > _MAX_PATTERN or len(ref) > _MAX_PATTERN:
        return False
    if before:
        head, at, pattern = pattern.partition(before)
        if "*" in head or not at or not ref.startswith(head + at):
            return False
        ref = ref.removeprefix(head + at)
    return _glob(pattern, ref)


def _glob(pattern: str, text: str) -> bool:
    """Match in time proportional to the product of both lengths, whatever the pattern."""
    reach = {0}
    at = 0
    while at < len(pattern):
        if pattern[at] == "*":
            across = pattern.startswith("**", at)
            reach = _stretch(reach, text, across)
            at += 2 if across else 1
        else:
            reach = {place + 1 for place in reach if place < len(text) and text[place] == pattern[at]}
            at += 1
        if not reach:
            return False
    return len(text) in reach


def _stretch(reach: set[int], text: str, across: bool) -> set[int]:
    out = set(reach)
    for place in range(min(reach), len(text)):
        if place in out and (across or text[place] != "/"):
            out.add(place + 1)
    return out


def checked_binding(binding: Binding) -> Binding:
    """Return a binding in its canonical form.

    Raises `Malformed` with the remediation where the binding could match no workload, or more than it states.
    """
    match binding:
        case KeyBinding(jwk):
            return KeyBinding(checked_public_jwk(jwk))
        case SpiffeBinding(spiffe_id):
            # X509-SVID section 2: the ID of a workload has a path; a bare trust domain is an authority.
            if not SpiffeId.parse(spiffe_id).path:
                raise Malformed(
                    "a trust domain is not a workload", remediation="give the whole SPIFFE ID with its path"
                )
        case IssuerBinding(issuer, subject, claims):
            _check_url(issuer, "issuer")
            if not subject:
                raise Malformed("the subject is missing", remediation="give the token's exact `sub`")
            for name, wanted in claims.items():
                _check_rule(name, [wanted] if isinstance(wanted, str) else wanted)
        case LocalBinding(uid, digest):
            if uid < 0 or not re.fullmatch(r"[0-9a-f]{64}", digest):
                raise Malformed(
                    "a local workload needs a user id and the SHA-256 of its executable",
                    remediation="give the digest as 64 hexadecimal digits",
                )
        case ClientBinding(metadata_url):
            _check_url(metadata_url, "metadata address")
    return binding


def _check_url(url: str, what: str) -> None:
    try:
        parts = urlsplit(url)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        fine = bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and local))
    except ValueError:
        fine = False
    if not fine or "#" in url or any(character.isspace() for character in url):
        raise Malformed(
            f"the {what} `{url[:100]}` cannot be used", remediation="give its exact `https` address"
        )


def _check_rule(name: str, wanted: list[str]) -> None:
    if not name or not wanted:
        raise Malformed(f"the rule for claim `{name[:100]}` matches nothing", remediation="give its value")
    for value in wanted:
        head = value.partition(GIT_REF_CLAIMS.get(name, ""))[0] if GIT_REF_CLAIMS.get(name) else ""
        if "*" in value and (name not in GIT_REF_CLAIMS or "*" in head):
            raise Malformed(f"`*` has no meaning in claim `{name[:100]}`", remediation="list the values")
