# SPDX-License-Identifier: Apache-2.0
"""Facts of a proof: each statement and its grounds."""

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
    """One fact of a proof, with its grounds. `holds` is false where the fact is no longer true."""

    says: str
    below: tuple[Fact, ...] = ()
    holds: bool = True


def best_assurance(agent: Agent) -> Assurance:
    """Return the best assurance that an agent's bindings could give; `asserted` where it has none."""
    return max((_BEST[type(one)].assurance for one in agent.bindings), default=Assurance.ASSERTED)


def moment(when: datetime) -> str:
    """Return a time in the form of a proof."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def of_attestation(claims: AccessClaims) -> Fact:
    """Describe how the agent proved its identity when its token was issued, and what binds the token."""
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
    """Describe a way in which an agent may prove its identity, and its last such proof."""
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
