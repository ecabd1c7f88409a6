# SPDX-License-Identifier: Apache-2.0
"""OpenBao and Vault: a separate client certificate for each task.

1. remit creates the key, and puts it only where the credential is injected. OpenBao signs a certificate
   request for it, for no longer than the task (`MOUNT/sign/ROLE`).
2. The certificate is revoked by its serial number.
3. The certificate is probed at the sink, by a connection that presents it; or by OCSP (RFC 6960) at OpenBao,
   whose signature is checked. OCSP shows only what a sink that uses OCSP would see.
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

#: Largest permitted difference between OpenBao's clock and ours.
SKEW: Final = timedelta(minutes=5)
#: Characters that no value may contain, and characters that separate the parts of a name, by kind.
_WIDER: Final = ",*"
_PARTING: Final = {"uri_sans": ":/?#%\\@", "alt_names": "@"}
_REQUEST: Final = "application/ocsp-request"


class OpenBaoPkiBroker:
    """`ports.broker.Broker` for one role of a PKI engine."""

    kind = "openbao-certificate"
    standing = False
    #: remit does not know a certificate whose answer was lost; its key never left this process.
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
        """Store the role of the PKI engine.

        With neither `headers` nor `env`, calls present the certificate on their connection. With `probe_url`,
        the sink itself is probed there, over a connection with the context of `showing`. `parameters` are
        sent with the request, filled in for the task: the names in the certificate (`common_name`,
        `uri_sans`). By default its name is the task's id.
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
        """Implement step 1; raises `KeyUnavailable`."""
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
            # The certificate cannot be read: it grants no access and cannot be probed.
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
        """Revoke the certificate (step 2). Raises `KeyUnavailable`. Revoking again is harmless."""
        serial = credential.handle.get("serial", "")
        if not serial:
            raise unreadable(credential.lease)
        await self._revoke(serial)

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """Do step 3."""
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
        """Return whether an OCSP response is signed by the issuer itself and current (RFC 6960 section
        3.2).
        """
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
    """Return a check that a value fits into a name of this kind, as one part of that one name.

    Commas separate names, and `*` matches every name. A value that is the whole name may have several parts.
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
    """Return the signed request. It repeats the names: the PKI role decides whether these or the parameters
    count.
    """
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
    """Return the certificate and the intermediate ones. The server has the root itself."""
    between = (_read(one, path) for one in told.get("ca_chain") or ())
    return "".join((_pem(certificate), *(_pem(one) for one in between if one.issuer != one.subject)))


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
