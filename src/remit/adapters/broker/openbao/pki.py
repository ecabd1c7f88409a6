# SPDX-License-Identifier: Apache-2.0
"""OpenBao and Vault: a client certificate of its own for each task.

1. the key is made here and goes nowhere but into what carries it; OpenBao signs a request for it, for no
   longer than the task (`MOUNT/sign/ROLE`)
2. the certificate is revoked by its serial number
3. it is tried at the sink, by a connection that shows it; or by OCSP (RFC 6960) at OpenBao, whose signature
   is checked: what every sink sees that asks, and no more
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from remit.adapters.broker.injection import Injection
from remit.adapters.broker.narrowing import PLACE, Fits, fill, texts_of
from remit.adapters.broker.openbao.certificate_probe import Showing, tried_at
from remit.adapters.broker.openbao.client import BaoSource, bao_refused, unreadable
from remit.core.errors import KeyUnavailable, NothingDone
from remit.core.json_value import Json
from remit.core.keys.certificate import ClientCertificate
from remit.ports.broker import LeaseWanted, Probe, UnfitCredential, UpstreamCredential
from remit.ports.runtime import Clock

#: How far the clock of OpenBao may be from ours.
SKEW: Final = timedelta(minutes=5)
#: What no value may hold, and what parts a name of each kind.
_WIDER: Final = ",*"
_PARTING: Final = {"uri_sans": ":/?#%\\@", "alt_names": "@"}
_REQUEST: Final = "application/ocsp-request"


class OpenBaoPkiBroker:
    """`ports.broker.Broker` at one role of a PKI engine."""

    kind = "openbao-certificate"
    standing = False
    #: A certificate whose answer was lost is not known here; its key was never given away.
    traceable = False

    def __init__(
        self,
        bao: BaoSource,
        mount: str,
        role: str,
        *,
        clock: Clock,
        probe_url: str = "",
        showing: Showing | None = None,
        parameters: Mapping[str, Json] | None = None,
        headers: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Take where it is. With neither `headers` nor `env` calls show the certificate on their connection.
        With `probe_url` the sink itself is tried there, over a connection that `showing` makes.
        `parameters` go along with the request, filled in for the task: names that the
        certificate is to have (`common_name`, `uri_sans`). Unless given, its name is the task's.
        """
        self._bao = bao
        self._mount = mount.strip("/")
        self._role = role
        self._clock = clock
        self._parameters = {"common_name": "{task}", **(parameters or {})}
        self._probe_url = probe_url
        self._showing = showing
        self._shown = not headers and not env
        self._injection = Injection(headers, env)

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """1. Raises `KeyUnavailable`."""
        path = f"{self._mount}/sign/{self._role}"
        texts = texts_of(wanted)
        asked = {kind: fill(one, texts, _fitting(kind, one)) for kind, one in self._parameters.items()}
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            asked["csr"] = _requested(asked, key)
        except ValueError:
            raise NothingDone(
                "the task's parameters cannot be used as certificate names",
                code="lease-parameter",
                remediation="constrain the parameter in the task type to short plain texts",
            ) from None
        left_s = (wanted.task.deadline - self._clock.now()).total_seconds()
        asked["ttl"] = f"{max(1, math.ceil(left_s))}s"
        answer = await self._bao.ask("POST", path, asked)
        told = answer.object.get("data")
        if answer.status != 200 or not isinstance(told, dict):
            raise bao_refused(path, f"status {answer.status}")
        serial = told.get("serial_number")
        if not isinstance(serial, str) or not serial:
            raise bao_refused(path, "it returned no serial number, so the certificate could not be revoked")
        try:
            certificate = _read(told.get("certificate"), path)
            issuer = _read(told.get("issuing_ca"), path)
            presented = _presented(certificate, told, path)
            chain = "".join(_pem(_read(one, path)) for one in told.get("ca_chain") or ())
        except KeyUnavailable:
            # Nobody can read it, so that it opens nothing, and could not be tried.
            await self._revoke(serial)
            raise
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        values = {
            "certificate": _pem(certificate),
            "chain": chain,
            "issuing_ca": _pem(issuer),
            "private_key": private,
            "serial_number": serial,
        }
        found = UpstreamCredential(
            lease=wanted.lease,
            sink=f"{self._mount}: {serial}",
            until=certificate.not_valid_after_utc,
            certificate=ClientCertificate(presented, private) if self._shown else None,
            secrets=(private,) if self._shown or self._injection.uses("private_key") else (),
            handle={
                "serial": serial,
                "certificate": values["certificate"],
                "issuer": values["issuing_ca"],
                **({"key": private, "chain": presented} if self._probe_url else {}),
            },
        )
        try:
            if certificate.public_key() != key.public_key() or not _names(asked) <= _names_in(certificate):
                raise bao_refused(path, "it returned a certificate for another key or with other names")
            carried = self._injection.filled(values, "OpenBao")
        except KeyUnavailable as why:
            raise UnfitCredential(why, found) from None
        return msgspec.structs.replace(found, headers=carried.headers, env=carried.env)

    async def revoke(self, credential: UpstreamCredential) -> None:
        """2. Raises `KeyUnavailable`. One that is revoked stays so."""
        serial = credential.handle.get("serial", "")
        if not serial:
            raise unreadable(credential.lease)
        await self._revoke(serial)

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """3."""
        if self._probe_url and self._showing is not None:
            handle = credential.handle
            if not handle.get("key"):
                return Probe.UNREACHABLE
            shown = ClientCertificate(handle.get("chain", ""), handle["key"])
            return await tried_at(self._probe_url, shown, self._showing)
        try:
            certificate = x509.load_pem_x509_certificate(credential.handle.get("certificate", "").encode())
            issuer = x509.load_pem_x509_certificate(credential.handle.get("issuer", "").encode())
            builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA256())
            content = builder.build().public_bytes(Encoding.DER)
            answer = await self._bao.ask_for(f"{self._mount}/ocsp", content, _REQUEST)
            said = ocsp.load_der_ocsp_response(answer.body)
        except (KeyUnavailable, ValueError):
            return Probe.UNREACHABLE
        if said.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL or not self._believed(said, issuer):
            return Probe.UNREACHABLE
        if said.serial_number != certificate.serial_number:
            return Probe.UNREACHABLE
        if said.certificate_status is ocsp.OCSPCertStatus.REVOKED:
            return Probe.REFUSED
        good = said.certificate_status is ocsp.OCSPCertStatus.GOOD
        return Probe.ACCEPTED if good else Probe.UNREACHABLE

    async def close(self) -> None:
        """Close all connections."""
        await self._bao.close()

    def _believed(self, said: ocsp.OCSPResponse, issuer: x509.Certificate) -> bool:
        """RFC 6960 section 3.2: signed by the issuer itself, and about now."""
        key, now = issuer.public_key(), self._clock.now()
        try:
            algorithm = said.signature_hash_algorithm
            if isinstance(key, ec.EllipticCurvePublicKey) and algorithm is not None:
                key.verify(said.signature, said.tbs_response_bytes, ec.ECDSA(algorithm))
            elif isinstance(key, rsa.RSAPublicKey) and algorithm is not None:
                key.verify(said.signature, said.tbs_response_bytes, padding.PKCS1v15(), algorithm)
            else:
                return False
        except (InvalidSignature, UnsupportedAlgorithm):
            return False
        until = said.next_update_utc
        return said.this_update_utc <= now + SKEW and (until is None or now <= until + SKEW)

    async def _revoke(self, serial: str) -> None:
        path = f"{self._mount}/revoke"
        answer = await self._bao.ask("POST", path, {"serial_number": serial})
        if answer.status not in (200, 204):
            raise bao_refused(path, f"status {answer.status}")


def _fitting(kind: str, template: Json) -> Fits:
    """Return what says whether a value may stand in a name of a kind: as one part of that one name.

    Names are separated by commas, and `*` stands for all. A value that is a whole name may have parts.
    """
    whole = isinstance(template, str) and PLACE.fullmatch(template)
    shut = _WIDER + ("" if whole else _PARTING.get(kind, ""))
    return lambda text: text not in (".", "..") and not set(shut) & set(text)


def _names(asked: Mapping[str, Json]) -> set[str]:
    found = {str(asked["common_name"])}
    for kind in ("uri_sans", "alt_names"):
        found |= {one.strip() for one in str(asked.get(kind, "")).split(",") if one.strip()}
    return found


def _names_in(certificate: x509.Certificate) -> set[str]:
    found = {str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)}
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return found
    of_kind = (x509.UniformResourceIdentifier, x509.DNSName, x509.RFC822Name)
    return found | {str(name) for kind in of_kind for name in names.get_values_for_type(kind)}


def _requested(asked: Mapping[str, Json], key: ec.EllipticCurvePrivateKey) -> str:
    """Return the signed request. It has the names, too: by the role it is these that count, or the others."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, str(asked["common_name"]))])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    names: list[x509.GeneralName] = []
    for kind, made in (("uri_sans", x509.UniformResourceIdentifier), ("alt_names", x509.DNSName)):
        written = str(asked.get(kind, "")).split(",")
        names += [made(one.strip()) for one in written if one.strip()]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def _read(pem: Json, path: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(str(pem).encode())
    except ValueError:
        raise bao_refused(path, "it did not return a certificate") from None


def _presented(certificate: x509.Certificate, told: dict[str, Json], path: str) -> str:
    """Return the certificate with those between it and the root, which the other side has."""
    between = (_read(one, path) for one in told.get("ca_chain") or ())
    return "".join((_pem(certificate), *(_pem(one) for one in between if one.issuer != one.subject)))


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
