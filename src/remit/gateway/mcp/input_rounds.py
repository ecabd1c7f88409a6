# SPDX-License-Identifier: Apache-2.0
"""Questions of an upstream in a result, and the answers in a repetition of the same call.

2026-07-28: a result of type `input_required` contains questions to the agent's client (for a person's answer,
a model's answer, or its folders) and the upstream's state. The client answers by repeating the call. The
repetition is a call like the first: the answers are its argument `mcp:input`, and everything is decided
again.

All tasks are one client for the upstream, so the upstream's own check of the state cannot distinguish the
states of different tasks. The endpoint therefore seals the state for one exact call of one task (AES-256-GCM,
RFC 5116); no other call can open it.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from remit.core.decisions.access_request import call_digest
from remit.core.json_value import Json
from remit.core.tools.tool import INPUT
from remit.gateway.mcp.messages import WireFault, bad_params, unusable
from remit.ports.runtime import Clock, Entropy

#: The questions that a server may ask, and the capability that declares that a client can answer.
QUESTIONS: Final = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}
_PARTS: Final = {"elicitation": ("form", "url"), "sampling": ("tools", "context"), "roots": ()}
#: Maximum number of questions in one result, and of answers in one call.
MAX_QUESTIONS: Final = 32
MAX_KEY: Final = 256
#: Seconds for which a state is valid: people need time.
STATE_LIFE_S: Final = 3600
_NONCE: Final = 12


class InputWanted(msgspec.Struct, frozen=True):
    """The input that an upstream requests: its questions by their keys, in their raw form, and its state."""

    inputRequests: dict[str, msgspec.Raw] | None = None  # noqa: N815 - the wire's own name
    requestState: str | None = None  # noqa: N815 - the wire's own name


class InputRequest(msgspec.Struct, frozen=True):
    """One question."""

    method: str
    params: dict[str, Json] | None = None


_read_wanted = msgspec.json.Decoder(InputWanted).decode
_read_question = msgspec.json.Decoder(InputRequest).decode
_read_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_write = msgspec.json.Encoder().encode


def declared(capabilities: Json) -> dict[str, Json]:
    """Return the kinds of questions that a client can answer, taken from its declared capabilities."""
    if not isinstance(capabilities, dict) or not capabilities:
        return {}
    return {
        name: {part: {} for part in parts if isinstance(one.get(part), dict)}
        for name, parts in _PARTS.items()
        if isinstance(one := capabilities.get(name), dict)
    }


def read_wanted(body: bytes, able: dict[str, Json]) -> tuple[dict[str, InputRequest], str | None]:
    """Read the questions of a result, and its state.

    Raise `WireFault` for a question that the client cannot answer according to `able`.
    """
    try:
        wanted = _read_wanted(body)
        questions = {key: _read_question(raw) for key, raw in (wanted.inputRequests or {}).items()}
    except (msgspec.DecodeError, RecursionError):
        raise unusable() from None
    if len(questions) > MAX_QUESTIONS or not (questions or wanted.requestState is not None):
        raise unusable()
    if any(QUESTIONS.get(one.method) not in able for one in questions.values()):
        raise unusable()
    return questions, wanted.requestState


class Rounds:
    """Seals the states of upstreams with a key of this process: after a restart, calls begin with their first
    round.
    """

    def __init__(self, clock: Clock, entropy: Entropy) -> None:
        """Generate the key."""
        self._clock = clock
        self._entropy = entropy
        self._key = AESGCM(entropy.bytes(32))

    def taken(
        self, params: dict[str, Json], task: str, tool: str, arguments: dict[str, Json]
    ) -> dict[str, Json]:
        """Return the arguments of a call, including the answers in its params; raise `WireFault`."""
        if INPUT in arguments:
            raise bad_params(f"an argument must not be named `{INPUT}`", "send answers as `inputResponses`")
        given: dict[str, Json] = {}
        if "inputResponses" in params:
            responses = params["inputResponses"]
            if type(responses) is not dict or len(responses) > MAX_QUESTIONS:
                raise bad_params(f"`inputResponses` must be an object with at most {MAX_QUESTIONS} members")
            if not all(type(one) is dict and len(key) <= MAX_KEY for key, one in responses.items()):
                raise bad_params("each member of `inputResponses` must be an object")
            given["responses"] = responses
        if "requestState" in params:
            given["state"] = self._opened(params["requestState"], call_digest(task, tool, arguments))
        return {**arguments, INPUT: given} if given else arguments

    def passed_on(
        self, body: bytes, able: dict[str, Json], task: str, tool: str, arguments: dict[str, Json]
    ) -> bytes:
        """Return a result that asks for input in the agent's form, with its state sealed for this call."""
        read_wanted(body, able)
        members = _read_members(body)
        if "requestState" in members:
            state = msgspec.json.decode(members["requestState"], type=str)
            first = {name: value for name, value in arguments.items() if name != INPUT}
            sealed = self._sealed(state, call_digest(task, tool, first))
            members["requestState"] = msgspec.Raw(_write(sealed))
        return _write(members)

    def _sealed(self, state: str, call: str) -> str:
        nonce = self._entropy.bytes(_NONCE)
        until = int(self._clock.boot_s() + STATE_LIFE_S).to_bytes(8, "big")
        text = until + state.encode("utf-8", "surrogatepass")
        return base64.urlsafe_b64encode(nonce + self._key.encrypt(nonce, text, call.encode())).decode()

    def _opened(self, sealed: Json, call: str) -> str:
        try:
            # With `validate` and the re-encoding, a sealed state has only one valid form.
            raw = base64.b64decode(sealed, altchars=b"-_", validate=True)
            if base64.urlsafe_b64encode(raw).decode() != sealed:
                raise ValueError
            text = self._key.decrypt(raw[:_NONCE], raw[_NONCE:], call.encode())
        except (TypeError, ValueError, binascii.Error, InvalidTag):
            raise _no_state() from None
        if int.from_bytes(text[:8], "big") < self._clock.boot_s():
            raise _no_state()
        return text[8:].decode("utf-8", "surrogatepass")


def _no_state() -> WireFault:
    return bad_params(
        "`requestState` does not belong to this call, or is too old",
        "make the call without `requestState` and `inputResponses`",
    )
