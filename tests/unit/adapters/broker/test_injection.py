# SPDX-License-Identifier: Apache-2.0
"""How a credential is carried by a call, or by a process."""

import pytest

from remit.adapters.broker.injection import Injection
from remit.core.errors import KeyUnavailable

KEY = "-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n"


def test_what_a_template_names_is_put_in() -> None:
    """In headers and in variables; nothing else of the credential goes along."""
    injection = Injection({"X-User": "{user}"}, {"PGUSER": "{user}", "PGPASSWORD": "{password}"})
    carried = injection.filled({"user": "anna", "password": "{user}", "host": "db"}, "the source")
    assert carried.headers == {"X-User": "anna"}
    # What a source gives is no template.
    assert carried.env == {"PGUSER": "anna", "PGPASSWORD": "{user}"}
    assert injection.uses("password")
    assert not injection.uses("host")


def test_a_variable_may_hold_lines_and_a_header_may_not() -> None:
    """A key as PEM goes to a process; in a header it would begin another one."""
    assert Injection(env={"KEY": "{key}"}).filled({"key": KEY}, "the source").env == {"KEY": KEY}
    with pytest.raises(KeyUnavailable, match="cannot be used in the header `X-Key`") as told:
        Injection({"X-Key": "{key}"}).filled({"key": KEY}, "the source")
    assert "MC4C" not in str(told.value)
    with pytest.raises(KeyUnavailable, match="cannot be used in the variable `KEY`"):
        Injection(env={"KEY": "{key}"}).filled({"key": "a\0b"}, "the source")


@pytest.mark.parametrize("template", ["{tokn}", "{token", "{}"])
def test_what_the_source_does_not_give_is_said(template: str) -> None:
    """With the names that there are."""
    for injection, place in (
        (Injection({"X": template}), "header"),
        (Injection(env={"X": template}), "variable"),
    ):
        with pytest.raises(KeyUnavailable, match=f"for the {place} `X`") as told:
            injection.filled({"token": "t0ken"}, "the source")
        assert "`token`" in told.value.remediation
        assert "t0ken" not in f"{told.value}"
