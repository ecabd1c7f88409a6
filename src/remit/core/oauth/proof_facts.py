# SPDX-License-Identifier: Apache-2.0
"""Facts of a proof: what is said, and what it rests on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import msgspec

from remit.core.identity.principals import Agent, LastProof
from remit.core.identity.workload import (
    Assurance,
    AttestationMethod,
    Binding,
    ClientBinding,
    Confirmation,
    IssuerBinding,
    KeyBinding,
    LocalBinding,
    SpiffeBinding,
    workload_of,
)
from remit.core.oauth.access_token import AccessClaims

_BEST: Final[dict[type[Binding], AttestationMethod]] = {
    KeyBinding: AttestationMethod.PRIVATE_KEY,
    SpiffeBinding: AttestationMethod.X509_SVID,
    IssuerBinding: AttestationMethod.OIDC,
    LocalBinding: AttestationMethod.UNIX_PEER,
    ClientBinding: AttestationMethod.CLIENT_METADATA,
}


class Fact(msgspec.Struct, frozen=True):
    """One fact of a proof, with what it rests on. `holds` is false where it is not so any more."""

    says: str
    below: tuple[Fact, ...] = ()
    holds: bool = True


def best_assurance(agent: Agent) -> Assurance:
    """Return the best that an agent's bindings could prove; `asserted` where it has none."""
    return max((_BEST[type(one)].assurance for one in agent.bindings), default=Assurance.ASSERTED)


def moment(when: datetime) -> str:
    """Return a time as a proof writes it."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def of_attestation(claims: AccessClaims) -> Fact:
    """Say how the agent proved itself when its token was issued, and what binds the token."""
    method = claims.attestation.value if claims.attestation else "only its code"
    return Fact(
        f"issued to an agent that authenticated by {method} ({claims.assurance.word})",
        (Fact(_sender(claims.confirmation), (), bool(claims.confirmation)),),
    )


def _sender(confirmation: Confirmation) -> str:
    if confirmation.jkt:
        return f"bound to the key jkt:{confirmation.jkt}: the sender proves possession of the key (DPoP)"
    if confirmation.x5t_s256:
        return (
            f"bound to the certificate {confirmation.x5t_s256}: valid only in a connection with that "
            "certificate (mTLS)"
        )
    return "bound to no key: any holder can use it"


def of_binding(binding: Binding, last: LastProof | None) -> Fact:
    """Say by what an agent may prove itself, and when it last did."""
    workload = workload_of(binding)
    if last is None or last.workload != workload:
        return Fact(_way(binding))
    where = f" from {last.place}" if last.place else ""
    return Fact(_way(binding), (Fact(f"last {moment(last.at)} by {last.method}{where}"),))


def _way(binding: Binding) -> str:
    match binding:
        case KeyBinding():
            return f"a private key with the thumbprint {workload_of(binding)}"
        case SpiffeBinding(spiffe_id):
            return f"an SVID of {spiffe_id}, against the bundle of its trust domain"
        case IssuerBinding(issuer, subject, claims):
            rules = f", and {', '.join(sorted(claims))} as registered" if claims else ""
            return f"a token of {issuer} for {subject}{rules}"
        case LocalBinding(uid, digest):
            return (
                f"as reported by the kernel: a process of user {uid} from the program sha256:{digest[:16]}..."
            )
        case ClientBinding(metadata_url):
            return f"the metadata document at {metadata_url}"
