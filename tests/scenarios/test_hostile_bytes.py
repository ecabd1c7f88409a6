# SPDX-License-Identifier: Apache-2.0
"""Bytes made for the libraries that read them: nested without end, repeated, long beyond sense.

Each is read in a process of its own, as native code would take that with it. What comes of it is a fault of
ours with words, and never the end of the process nor an error of another kind.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

#: What reads the bytes `data`, and bytes made for it.
READS = {
    "a message of an upstream": (
        "from remit.adapters.upstream.jsonrpc import read_message\nread_message('desk', data)",
        'b\'{"jsonrpc":"2.0","id":1,"result":{"a":\' + b\'[\' * N + b\']\' * N + b\'}}\'',
    ),
    "an argument": (
        "from remit.core.canonical import parse_strict\nparse_strict(data, max_bytes=1 << 30)",
        "b'{\"a\":' * N",
    ),
    "a number of a million digits": (
        "from remit.core.canonical import parse_strict\nparse_strict(data, max_bytes=1 << 30)",
        "b'1' * 1_000_000",
    ),
    "lists of lists in YAML": (
        "from remit.config.lines import read_yaml\nread_yaml(data.decode(), 'a.yaml')",
        "b'[' * N",
    ),
    "items of items in YAML": (
        "from remit.config.lines import read_yaml\nread_yaml(data.decode(), 'a.yaml')",
        "b'- ' * N",
    ),
    "aliases in YAML": (
        "from remit.config.lines import read_yaml\nread_yaml(data.decode(), 'a.yaml')",
        "b'a: &a [x]\\nb: [*a, *a]'",
    ),
    "a head of a token": (
        "from remit.core.compact import read_compact\nread_compact(data.decode(), max_bytes=1 << 20)",
        "__import__('base64').urlsafe_b64encode(b'{\"alg\":' + b'[' * N) + b'.e30.AAAA'",
    ),
    "a certificate": (
        "from remit.core.spiffe import BROKEN\nfrom cryptography import x509\nfrom remit.core.errors import Malformed\n"
        "try:\n    x509.load_der_x509_certificate(data)\nexcept BROKEN as fault:\n    raise Malformed('x') from fault",
        "b'0\\x80' * N",
    ),
    "an attestation": (
        "from remit.services.webauthn import WebAuthn\nfrom remit.core.errors import Malformed\n"
        "one = {'id': 'AA', 'rawId': 'AA', 'type': 'public-key', 'response': {'clientDataJSON': 'e30',\n"
        "    'attestationObject': __import__('base64').urlsafe_b64encode(data).decode().rstrip('=')}}\n"
        "try:\n    WebAuthn('a', 'https://a').registered(one, 'AA')\n"
        "except ValueError as fault:\n    raise Malformed('x') from fault",
        "b'\\x81' * 9_000",
    ),
    "a text in marks": (
        "from remit.core.constraint.text import Exact\nfrom remit.core.errors import Malformed\n"
        "if Exact('a').judge(data.decode()).name != 'YES':\n    raise Malformed('x')",
        "('a' + '\\u0301\\u0316' * N).encode()",
    ),
    "a number to be resolved in a name": (
        "from remit.core.holding import normal\nfrom remit.core.errors import Malformed\n"
        "normal(data.decode())\nraise Malformed('x')",
        "b'1' * N",
    ),
    "a pattern": (
        "from remit.core.constraint import load\nload({'pattern': data.decode()})",
        "b'((((a{1,30}){1,30}){1,30}){1,30}){1,30}'",
    ),
}


@pytest.mark.parametrize("name", READS)
def test_what_reads_it_goes_on(name: str) -> None:
    """The process gives a fault of remit's own."""
    read, data = READS[name]
    program = f"from remit.core.errors import RemitError\nN = 200_000\ndata = {data}\ntry:\n"
    program += textwrap.indent(read, "    ") + "\nexcept RemitError:\n    raise SystemExit(7)\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)  # noqa: S603
    assert done.returncode == 7, done.stderr.decode()[-600:]
