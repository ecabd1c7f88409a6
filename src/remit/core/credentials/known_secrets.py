# SPDX-License-Identifier: Apache-2.0
"""Secrets that their form gives away, whatever their name: keys and tokens of well-known services.

A secret without such a form (a password in a sentence) is not found. What is found is never shown: only its
kind, the first characters and a fingerprint. A text that is shown goes through `without_secrets`, which also
takes out what a name beside it declares to be secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

import msgspec
import re2

#: The form of each kind, as RE2 reads it.
KINDS: Final = {
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY(?:-----[A-Za-z0-9+/=\s\\]*)?",
    "GitHub token": r"\b(?:gh[oprsu]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})",
    "GitLab token": r"\bglpat-[A-Za-z0-9_-]{16,}",
    "Slack token": r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    "API key (`sk-`)": r"\bsk-[A-Za-z0-9_-]{16,}",
    "Stripe key": r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}",
    "AWS access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "Google API key": r"\bAIza[0-9A-Za-z_-]{30,}",
    "npm token": r"\bnpm_[A-Za-z0-9]{30,}",
    "PyPI token": r"\bpypi-[A-Za-z0-9_-]{40,}",
    "Hugging Face token": r"\bhf_[A-Za-z0-9]{30,}",
    "Vault token": r"\bhvs\.[A-Za-z0-9_-]{16,}",
    "JSON web token": r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*",
    "password in a URL": r"\b[a-z][a-z0-9+.-]*://[^/\s:@\"'<>$\{]+:[^/\s:@\"'<>$\{]{3,}@",
}
_EACH: Final = {kind: re2.compile(form) for kind, form in KINDS.items()}
_ANY: Final = re2.compile("|".join(f"(?:{form})" for form in KINDS.values()))
#: A value that the name before it declares: of an option, a variable, a member, a header.
_SECRET: Final = r"(?:token|secret|passw(?:or)?d|pwd|credential|(?:api|access|private)[-_]?key)"
_DECLARED: Final = re2.compile(
    rf"(?i)((?:\b[a-z0-9_-]*{_SECRET}[a-z0-9_-]*[\"']?\s*[=:]|--[a-z0-9_-]*{_SECRET}[a-z0-9_-]*\s|"
    r"\b(?:bearer|basic)\s|\s(?:-u|--user)[\s=]*[^\s:\"']*:)\s*[\"']?)[^\s\"'$<>{}]{4,}"
)
SHOWN: Final = 4


class FoundSecret(msgspec.Struct, frozen=True):
    """A secret by kind and fingerprint. `shown` are its first characters; the secret itself is not kept."""

    kind: str
    fingerprint: str
    shown: str


def has_known_secret(text: str) -> bool:
    """Return whether a text holds a secret of a known form."""
    return _ANY.search(text) is not None


def known_secrets(text: str) -> Iterator[FoundSecret]:
    """Yield each secret of a text, in no order; the same one as often as it occurs."""
    if not has_known_secret(text):
        return
    for kind, form in _EACH.items():
        for found in form.finditer(text):
            value = found.group()
            digest = hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
            yield FoundSecret(kind, digest[:12], value[:SHOWN])


def without_secrets(text: str) -> str:
    """Return a text to be shown: each secret is its first characters and `…`."""
    known = _ANY.sub(lambda found: _shown(found.group()), text)
    declared: str = _DECLARED.sub(lambda found: f"{found.group(1)}…", known)
    return declared


def _shown(value: str) -> str:
    scheme, mark, _ = value.partition("://")
    return f"{scheme}{mark}…@" if mark else f"{value[:SHOWN]}…"
