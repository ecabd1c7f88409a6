# SPDX-License-Identifier: Apache-2.0
"""Bytes made for the libraries that read them: nested without end, repeated, long beyond sense.

Each input is read in a separate process, which a crash of native code would end. The result is a fault of
ours with a message, and never the end of the process nor an error of another kind.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

#: What reads the bytes `data`, and bytes made for it.
STRICT = "from remit.core.canonical import parse_strict\nparse_strict(data, max_bytes=1 << 30)"
YAML = "from remit.config.reading.yaml_lines import read_yaml\nread_yaml(data.decode(), 'a.yaml')"
MESSAGE = "from remit.adapters.upstream.mcp.jsonrpc import read_message\nread_message('desk', data)"
TOKEN = "from remit.core.keys.jws import read_compact\nread_compact(data.decode(), max_bytes=1 << 20)"
CERTIFICATE = """
from cryptography import x509
from remit.core.identity.spiffe import BROKEN
try:
    x509.load_der_x509_certificate(data)
except BROKEN:
    raise Malformed("broken")
"""
ATTESTATION = """
from base64 import urlsafe_b64encode
from remit.services.people.webauthn import WebAuthn
response = {"clientDataJSON": "e30", "attestationObject": urlsafe_b64encode(data).decode().rstrip("=")}
try:
    WebAuthn("a", "https://a").registered(
        {"id": "AA", "rawId": "AA", "type": "public-key", "response": response}, "AA"
    )
except ValueError:
    raise Malformed("broken")
"""
CONSTRAINT = """
from remit.core.tools.constraint.text import Exact
if Exact("a").judge(data.decode()).name != "YES":
    raise Malformed("another")
"""
NAME = """
from remit.core.flow.stored_labels import ROOT, normal
if normal(data.decode()) == ROOT:
    raise Malformed("unsure")
"""
PATTERN = "from remit.core.tools.constraint import load\nload({'pattern': data.decode()})"
READS = {
    "a message of an upstream": (
        MESSAGE,
        'b\'{"jsonrpc":"2.0","id":1,"result":{"a":\' + b\'[\' * N + b\']\' * N + b\'}}\'',
    ),
    "an argument": (STRICT, "b'{\"a\":' * N"),
    "a number of a million digits": (STRICT, "b'1' * 1_000_000"),
    "lists of lists in YAML": (YAML, "b'[' * N"),
    "items of items in YAML": (YAML, "b'- ' * N"),
    "aliases in YAML": (YAML, "b'a: &a [x]\\nb: [*a, *a]'"),
    "a head of a token": (
        TOKEN,
        "__import__('base64').urlsafe_b64encode(b'{\"alg\":' + b'[' * N) + b'.e30.AAAA'",
    ),
    "a certificate": (CERTIFICATE, "b'0\\x80' * N"),
    "an attestation": (ATTESTATION, "b'\\x81' * 9_000"),
    "a text in marks": (CONSTRAINT, "('a' + '\\u0301\\u0316' * N).encode()"),
    "a name in digits": (NAME, "b'1' * N"),
    "a pattern": (PATTERN, "b'((((a{1,30}){1,30}){1,30}){1,30}){1,30}'"),
}


@pytest.mark.parametrize("name", READS)
def test_what_reads_it_goes_on(name: str) -> None:
    """The process gives a fault of remit's own."""
    read, data = READS[name]
    program = f"from remit.core.errors import Malformed, RemitError\nN = 200_000\ndata = {data}\ntry:\n"
    program += textwrap.indent(read, "    ") + "\nexcept RemitError:\n    raise SystemExit(7)\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 7, done.stderr.decode()[-600:]
