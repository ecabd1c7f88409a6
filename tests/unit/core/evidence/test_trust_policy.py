# SPDX-License-Identifier: Apache-2.0
"""A trust policy is read to the letter, and its quorum decides (c2sp.org/tlog-policy)."""

from __future__ import annotations

import itertools

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from remit.core.errors import Malformed, VerificationFailed
from remit.core.evidence.checkpoint import (
    COSIGNATURE_V1,
    Checkpoint,
    VerifierKey,
    cosign_checkpoint,
    sign_checkpoint,
)
from remit.core.evidence.trust_policy import TrustPolicy

SECRET = {name: Ed25519PrivateKey.generate() for name in ("log", "X1", "X2", "X3", "Y1", "Y2", "Y3", "other")}
LOG = VerifierKey("example.com/log", SECRET["log"].public_key().public_bytes_raw())
KEY = {
    name: VerifierKey(f"witness.example/{name}", secret.public_key().public_bytes_raw(), COSIGNATURE_V1)
    for name, secret in SECRET.items()
}
WITNESSES = "".join(f"witness {name} {KEY[name]}\n" for name in ("X1", "X2", "X3", "Y1", "Y2", "Y3"))
#: The example of the standard.
POLICY = f"""\
log {LOG}

{WITNESSES}
group X-witnesses 2 X1 X2 X3
group Y-witnesses any Y1 Y2 Y3
group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def signed(*witnesses: str, log: str = "log") -> bytes:
    """Return a checkpoint that these witnesses cosigned."""
    key = VerifierKey(LOG.name, SECRET[log].public_key().public_bytes_raw())
    note = sign_checkpoint(Checkpoint(LOG.name, 7, b"r" * 32), key, SECRET[log].sign)
    for name in witnesses:
        note = cosign_checkpoint(note, KEY[name], SECRET[name].sign, timestamp=1_700_000_000)
    return note.encode()


def test_the_quorum_of_the_standards_example_is_two_of_x_and_one_of_y() -> None:
    """For every set of witnesses."""
    policy = TrustPolicy.parse(POLICY.encode())
    names = ("X1", "X2", "X3", "Y1", "Y2", "Y3")
    for count in range(7):
        for some in itertools.combinations(names, count):
            enough = sum(one[0] == "X" for one in some) >= 2 and any(one[0] == "Y" for one in some)
            if enough:
                opened = policy.open(signed(*some))
                assert {one.key for one in opened.cosignatures} == {KEY[name] for name in some}
            else:
                with pytest.raises(VerificationFailed) as told:
                    policy.open(signed(*some))
                assert told.value.code == "quorum-missing"


def test_a_witness_that_the_policy_does_not_name_counts_for_nothing() -> None:
    """Its line is ignored."""
    policy = TrustPolicy.parse(f"log {LOG}\nwitness X1 {KEY['X1']}\nquorum X1\n".encode())
    with pytest.raises(VerificationFailed):
        policy.open(signed("X2", "other"))
    assert len(policy.open(signed("other", "X1", "X2")).cosignatures) == 1


def test_a_log_that_the_policy_does_not_name_is_refused() -> None:
    """Two logs under one name are told apart by their keys."""
    policy = TrustPolicy.parse(f"log {LOG}\nquorum none\n".encode())
    assert policy.open(signed()).log == LOG
    with pytest.raises(VerificationFailed):
        policy.open(signed(log="other"))
    other = VerifierKey(LOG.name, SECRET["other"].public_key().public_bytes_raw())
    with pytest.raises(VerificationFailed) as told:
        policy.open(signed(log="other"), other)
    assert told.value.code == "log-unknown"


def test_a_forged_line_of_a_named_witness_refuses_the_checkpoint() -> None:
    """It is not merely not counted."""
    policy = TrustPolicy.parse(POLICY.encode())
    lines = signed("X1", "X2", "Y1").decode().splitlines(keepends=True)
    good = signed("X1").decode().splitlines(keepends=True)
    other = sign_checkpoint(Checkpoint(LOG.name, 8, b"s" * 32), LOG, SECRET["log"].sign)
    other = cosign_checkpoint(other, KEY["X3"], SECRET["X3"].sign, timestamp=1)
    forged = "".join(lines) + f"{other.signatures[-1]}\n"
    assert good
    with pytest.raises(VerificationFailed) as told:
        policy.open(forged.encode())
    assert told.value.code == "signature-invalid"


def test_what_the_standard_allows_is_read() -> None:
    """Tabs, spaces around, comments, addresses, octets that are not UTF-8, and order of logs."""
    text = f"  # comment\n\n\t witness \t w\xc3 {KEY['X1']}  https://w.example/ \n".encode(
        "latin-1"
    ) + f"group g 1 w\xc3\nquorum g \nlog {LOG} https://log.example\n".encode("latin-1")
    policy = TrustPolicy.parse(text)
    assert policy.logs[0].url == "https://log.example"
    assert [one.url for one in policy.witnesses.values()] == ["https://w.example/"]
    assert policy.open(signed("X1")).log == LOG


BASE = f"log {LOG}\nwitness a {KEY['X1']}\nwitness b {KEY['X2']}\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        BASE,
        BASE + "quorum a",
        BASE + "quorum c\n",
        BASE + "quorum a\nquorum a\n",
        BASE + "quorum a b\n",
        BASE + "quorum\n",
        BASE + "Quorum a\n",
        BASE + "quorum a # comment\n",
        "quorum a\n" + BASE,
        BASE + "group g all\nquorum g\n",
        BASE + "group g 0 a b\nquorum g\n",
        BASE + "group g 3 a b\nquorum g\n",
        BASE + "group g 01 a b\nquorum g\n",
        BASE + "group g +1 a b\nquorum g\n",
        BASE + "group g most a b\nquorum g\n",
        BASE + "group g any a a\nquorum g\n",
        BASE + "group g any a none\nquorum g\n",
        BASE + "group g any a g\nquorum g\n",
        BASE + "group g any a\ngroup h any a b\nquorum h\n",
        BASE + "group a any b\nquorum a\n",
        BASE + "group none any a\nquorum none\n",
        BASE + f"witness a {KEY['X3']}\nquorum a\n",
        BASE + f"witness none {KEY['X3']}\nquorum a\n",
        BASE + f"witness c {VerifierKey('other.name', KEY['X1'].public, COSIGNATURE_V1)}\nquorum c\n",
        BASE + f"log {VerifierKey('other.name', LOG.public)}\nquorum a\n",
        BASE + f"witness c {VerifierKey('self', LOG.public, COSIGNATURE_V1)}\nquorum c\n",
        BASE + f"log {KEY['X3']}\nquorum a\n",
        BASE + f"witness c {LOG}\nquorum a\n",
        BASE + f"witness c {str(KEY['X3'])[:-4]}\nquorum a\n",
        BASE + f"witness c {KEY['X3']} https://a https://b\nquorum a\n",
        BASE + "quorum a\r\n",
        BASE + "quorum a\n\x00\n",
        BASE + "quorum\x0ba\n",
        BASE + "quorum\xa0a\n",
        BASE + "quorum a\n" + "# \n" * 100_000,
        "".join(f"witness w{i} {KEY['X1']}\n" for i in range(2)) + "quorum w0\n",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(Malformed):
        TrustPolicy.parse(text.encode())
