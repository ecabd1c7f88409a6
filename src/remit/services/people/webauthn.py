# SPDX-License-Identifier: Apache-2.0
"""WebAuthn: what it asks of an authenticator, and what the answers prove (WebAuthn level 3, section 7).

The library loads ASN.1, CBOR and a second TLS stack, 5 MB in all, so this module is imported at the first
passkey.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import webauthn
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, parse_client_data_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from remit.core.json_value import Json

_FAULTS = (WebAuthnException, ValueError, TypeError, KeyError, AttributeError)
#: Characters of one member of an answer. Attestations with their certificates have a few thousands. Some CBOR
#: content (patterns to compile, for example) costs the reader far more than its size.
MAX_MEMBER: Final = 16_384


class ProvenCredential(msgspec.Struct, frozen=True):
    """A new credential, proven by its authenticator; bytes are in base64url."""

    id: str
    public_key: str
    counter: int
    backed_up: bool


class WebAuthn:
    """The ceremonies of one host, whose pages have one origin."""

    def __init__(self, host: str, origin: str) -> None:
        """Take the host that credentials belong to, and the origin that answers must come from."""
        self._host = host
        self._origin = origin

    def to_register(self, challenge: bytes, name: str, handle: bytes, known: Sequence[str]) -> Json:
        """Return the options of `navigator.credentials.create`; `known` are the person's credentials."""
        options = webauthn.generate_registration_options(
            rp_id=self._host,
            rp_name="remit",
            user_name=name,
            user_id=handle,
            challenge=challenge,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(base64url_to_bytes(one)) for one in known],
        )
        return webauthn.helpers.options_to_json_dict(options)

    def registered(self, credential: Json, challenge: str) -> ProvenCredential:
        """Verify the answer to `to_register`; raises `ValueError` where it is not valid."""
        try:
            proven = webauthn.verify_registration_response(
                credential=_bounded(credential),
                expected_challenge=base64url_to_bytes(challenge),
                expected_rp_id=self._host,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except _FAULTS as error:
            raise ValueError(repr(error)) from None
        return ProvenCredential(
            id=bytes_to_base64url(proven.credential_id),
            public_key=bytes_to_base64url(proven.credential_public_key),
            counter=proven.sign_count,
            backed_up=proven.credential_backed_up,
        )

    def to_sign_in(self, challenge: bytes) -> Json:
        """Return the options of `navigator.credentials.get`."""
        options = webauthn.generate_authentication_options(
            rp_id=self._host,
            challenge=challenge,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return webauthn.helpers.options_to_json_dict(options)

    def signed_in(self, credential: Json, challenge: str, public_key: str, handle: bytes) -> int:
        """Verify the answer to `to_sign_in`, and return its counter; raises `ValueError` if invalid."""
        try:
            proven = webauthn.verify_authentication_response(
                credential=_bounded(credential),
                expected_challenge=base64url_to_bytes(challenge),
                expected_rp_id=self._host,
                expected_origin=self._origin,
                credential_public_key=base64url_to_bytes(public_key),
                # Checked by the store, where two concurrent answers cannot both be the first.
                credential_current_sign_count=0,
                require_user_verification=True,
            )
            told = credential["response"].get("userHandle")
            if told and base64url_to_bytes(told) != handle:
                raise ValueError("another user handle")
        except _FAULTS as error:
            raise ValueError(repr(error)) from None
        return proven.new_sign_count

    def challenge_of(self, credential: Json) -> str:
        """Return the unverified challenge that an answer names; raises `ValueError` where it names none."""
        try:
            data = base64url_to_bytes(_bounded(credential)["response"]["clientDataJSON"])
            return bytes_to_base64url(parse_client_data_json(data).challenge)
        except _FAULTS as error:
            raise ValueError(repr(error)) from None


def _bounded(credential: Json) -> Json:
    """Return an answer unchanged; raises `ValueError` where a member exceeds what authenticators send."""
    members = [*credential.values(), *credential["response"].values()]
    if any(isinstance(one, str) and len(one) > MAX_MEMBER for one in members):
        raise ValueError(f"a member of more than {MAX_MEMBER} characters")
    return credential
