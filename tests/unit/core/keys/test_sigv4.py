# SPDX-License-Identifier: Apache-2.0
"""AWS Signature Version 4: AWS's own examples, and AWS's own library on anything else."""

from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import example, given
from hypothesis import strategies as st

from remit.core.keys.sigv4 import AwsKeys, AwsScope, signing_headers

AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
# The keys of AWS's documentation, which open nothing.
KEYS = AwsKeys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
EXAMPLES = [
    (
        "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
        "iam",
        {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    ),
    (
        "https://example.amazonaws.com/",
        "service",
        {},
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
]


@pytest.mark.parametrize(("url", "service", "headers", "signature"), EXAMPLES)
def test_examples_of_aws(url: str, service: str, headers: dict[str, str], signature: str) -> None:
    """The signatures that its documentation and its test suite give."""
    scope = AwsScope("us-east-1", service)
    made = signing_headers("GET", url, b"", KEYS, scope, AT, headers)
    assert made["Authorization"].endswith(f"Signature={signature}")
    assert made["X-Amz-Date"] == "20150830T123600Z"


def test_keys_are_not_shown() -> None:
    """In logs and tracebacks neither."""
    assert "wJalr" not in f"{KEYS} {KEYS!r}"


def theirs(url: str, body: bytes, keys: AwsKeys, scope: AwsScope, added: dict[str, str]) -> str:
    """Return the signature of AWS's own library."""
    asked = AWSRequest(
        "PUT", url, data=body, headers={k: v for k, v in added.items() if k != "Authorization"}
    )
    asked.context["timestamp"] = added["X-Amz-Date"]
    kind = S3SigV4Auth if scope.service == "s3" else SigV4Auth
    by = kind(Credentials(keys.id, keys.secret, keys.token or None), scope.service, scope.region)
    return str(by.signature(by.string_to_sign(asked, by.canonical_request(asked)), asked))


segments = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=8).filter(
    lambda text: text not in (".", "..")
)
words = st.text(st.characters(codec="utf-8"), max_size=8)


@example(path=[], query=[("0", ""), ("00", "")], body=b"", token="", service="s3", port="")
@given(
    path=st.lists(segments, max_size=3),
    query=st.lists(st.tuples(words.filter(bool), words), max_size=3),
    body=st.binary(max_size=40),
    token=st.text("abcDEF0123+/=", max_size=20),
    service=st.sampled_from(["s3", "sts", "iam", "execute-api"]),
    port=st.sampled_from(["", ":443", ":8443"]),
)
def test_it_signs_as_aws_own_library_does(
    path: list[str], query: list[tuple[str, str]], body: bytes, token: str, service: str, port: str
) -> None:
    """Whatever stands in path, query and body."""
    written = "&".join(f"{quote(name, safe='')}={quote(text, safe='')}" for name, text in query)
    place = "/".join(quote(one, safe="") for one in path)
    url = f"https://api.example.com{port}/{place}" + (f"?{written}" if written else "")
    keys, scope = AwsKeys("AKIDEXAMPLE", "s3cret", token), AwsScope("eu-central-1", service)
    made = signing_headers("PUT", url, body, keys, scope, AT)
    assert made["Authorization"].endswith(f"Signature={theirs(url, body, keys, scope, made)}")
