# SPDX-License-Identifier: Apache-2.0
"""What a person writes after `--narrow` becomes the values of a narrower call."""

from typing import Any

import pytest

from remit.cli.decisions.narrowing_options import narrower_values
from remit.cli.exit_codes import UsageFault

Json = Any
QUESTION: Json = {
    "narrowable": {"amount": "lower", "to": "fewer", "guests": "fewer", "path": "below"},
    "arguments": {
        "amount": 5000,
        "to": ["lena@example.com", "tom@ext.example", 7],
        "guests": [{"mail": "lena@example.com"}, {"mail": "tom@ext.example"}],
        "path": "reports",
        "text": "hello",
    },
}


@pytest.mark.parametrize(
    ("given", "values"),
    [
        (["amount=500"], {"amount": 500}),
        (["amount=0.5"], {"amount": 0.5}),
        (["path=reports/2026=final"], {"path": "reports/2026=final"}),
        (["to=lena@example.com"], {"to": ["lena@example.com"]}),
        (["to=7", "to=lena@example.com"], {"to": ["lena@example.com", 7]}),
        (["guests=tom@ext.example"], {"guests": [{"mail": "tom@ext.example"}]}),
        (['guests={"mail": "tom@ext.example"}'], {"guests": [{"mail": "tom@ext.example"}]}),
        ([], {}),
    ],
)
def test_values_are_read_as_the_argument_needs_them(given: list[str], values: dict[str, Json]) -> None:
    """A number, a path, and those elements of a list that stay, in the order of the question."""
    assert narrower_values(QUESTION, given) == values


@pytest.mark.parametrize(
    "given",
    [
        ["amount"], ["amount=much"], ["amount=true"], ["amount=1", "amount=2"], ["path=a", "path=b"],
        ["to=eve@evil.example.org"], ["to=True"], ["text=hell"], ["none=1"],
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_what_to_write(given: list[str]) -> None:
    """Before anything is sent."""
    with pytest.raises(UsageFault) as refused:
        narrower_values(QUESTION, given)
    assert refused.value.remediation
