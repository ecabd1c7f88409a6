# SPDX-License-Identifier: Apache-2.0
"""Policy bundles: Rego compiled by `opa build`, with remit's index of the rules in the manifest."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import tarfile
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from remit.adapters.policy.rego.rule_groups import DECISION_PACKAGE, WHOLE, DividedRules
from remit.adapters.policy.rego.rules import RegoRule
from remit.core.canonical import digest
from remit.core.errors import ConfigInvalid
from remit.ports.policy import PolicySource

FORMAT: Final = "remit-rego/3"
ENDING: Final = ".tar.gz"
WASM: Final = "/policy.wasm"
MAX_BYTES: Final = 64 << 20
_FOREIGN: Final = "was not built by remit"
_REBUILD: Final = "build it again with `remit policy build`"


class BuiltPolicies(msgspec.Struct, frozen=True):
    """Compiled policies: rules, revision, and the Wasm program, which is empty for a policy server."""

    rules: tuple[RegoRule, ...]
    revision: str
    wasm: bytes = b""
    divided: DividedRules = WHOLE


class RegoRuleIndex(msgspec.Struct, frozen=True, kw_only=True):
    """What remit writes into the manifest, below `metadata.remit`."""

    format: str = FORMAT
    rules: tuple[RegoRule, ...] = ()
    divided: DividedRules = WHOLE


class _Form(msgspec.Struct):
    format: str


class _Metadata(msgspec.Struct):
    remit: msgspec.Raw = msgspec.Raw(b"null")


class _Manifest(msgspec.Struct):
    revision: str = ""
    metadata: _Metadata | None = None


def revision_of(sources: Sequence[PolicySource]) -> str:
    """Return the revision of policies: a digest of the names and texts of their files."""
    return digest({"format": FORMAT, "files": {one.file: _sha256(one.text.encode()) for one in sources}})


def manifest(rules: Sequence[RegoRule], divided: DividedRules, revision: str) -> str:
    """Return the manifest of a bundle that is to be built."""
    document: dict[str, Any] = {
        "revision": revision,
        "roots": ["remit", DECISION_PACKAGE],
        "rego_version": 1,
        "metadata": {"remit": RegoRuleIndex(rules=tuple(rules), divided=divided)},
    }
    return msgspec.json.encode(document).decode()


def opened(source: PolicySource) -> BuiltPolicies:
    """Read a bundle; raise `ConfigInvalid`. The text of a binary source is its base64."""
    try:
        found = _files(base64.b64decode(source.text, validate=True))
        head = msgspec.json.decode(found["/.manifest"], type=_Manifest)
    except (binascii.Error, tarfile.TarError, OSError, EOFError, KeyError, msgspec.DecodeError):
        raise ConfigInvalid("is not a bundle of OPA", file=source.file, remediation=_REBUILD) from None
    index = _index(head.metadata.remit if head.metadata else msgspec.Raw(b"null"), source.file)
    covered = {one for group in index.divided.groups for one in group.rules}
    if not head.revision or (covered and covered != {rule.ref.id for rule in index.rules}):
        raise ConfigInvalid(_FOREIGN, file=source.file, remediation=_REBUILD)
    return BuiltPolicies(index.rules, head.revision, found.get(WASM, b""), index.divided)


def _index(text: msgspec.Raw, file: str) -> RegoRuleIndex:
    try:
        form = msgspec.json.decode(text, type=_Form).format
        if form == FORMAT:
            return msgspec.json.decode(text, type=RegoRuleIndex)
    except msgspec.DecodeError:
        raise ConfigInvalid(_FOREIGN, file=file, remediation=_REBUILD) from None
    said = f"was built by another version of remit: its format is `{form}`, and this one reads `{FORMAT}`"
    raise ConfigInvalid(said, file=file, remediation=_REBUILD)


def _files(content: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    room = MAX_BYTES
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        for member in archive:
            if member.name not in ("/.manifest", WASM, ".manifest", WASM[1:]) or not member.isreg():
                continue
            room -= member.size
            stream = archive.extractfile(member)
            if room < 0 or stream is None:
                raise tarfile.TarError
            found["/" + member.name.lstrip("/")] = stream.read()
    return found


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
