# SPDX-License-Identifier: Apache-2.0
"""Laws of SPIFFE IDs and of rules about claims."""

import re

from hypothesis import given
from hypothesis import strategies as st

from remit.core.errors import Malformed
from remit.core.identity.workload import AttestationMethod, Attested, IssuerBinding, SpiffeId, matches

ISSUER = "https://issuer.example"
REFS = st.text("ab/-", max_size=12)


def shown(**claims: object) -> Attested:
    """Return what a token with these claims proves."""
    method = AttestationMethod.OIDC
    return Attested(workload=f"{ISSUER}#s", method=method, assurance=method.assurance, facts=claims)


@given(st.text(max_size=40))
def test_whatever_is_read_as_a_spiffe_id_is_written_unchanged(rest: str) -> None:
    """There is one text for each SPIFFE ID."""
    text = f"spiffe://{rest}"
    try:
        read = SpiffeId.parse(text)
    except Malformed:
        return
    assert str(read) == text
    assert SpiffeId.parse(str(read)) == read


@given(st.text("ab/*", max_size=10), REFS)
def test_patterns_of_refs_mean_what_the_same_expression_means(pattern: str, ref: str) -> None:
    """Our matcher, linear in both lengths, agrees with the regular expression."""
    parts = re.split(r"(\*\*|\*)", pattern)
    translated = "".join({"**": ".*", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts)
    expected = pattern == ref or ("*" in pattern and re.fullmatch(translated, ref) is not None)
    # An empty claim is as good as none.
    expected = expected and (pattern == ref or bool(ref))
    assert matches(IssuerBinding(ISSUER, "s", {"ref": pattern}), shown(ref=ref)) is expected


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=4), st.data())
def test_a_further_rule_never_lets_more_match(claims: dict[str, str], data: st.DataObject) -> None:
    """Rules only narrow."""
    rules = data.draw(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3))
    more = {**rules, data.draw(st.text(max_size=5)): data.draw(st.text(max_size=5))}
    wide, narrow = IssuerBinding(ISSUER, "s", dict(rules)), IssuerBinding(ISSUER, "s", dict(more))
    if set(rules) <= set(more) and all(more[name] == value for name, value in rules.items()):
        assert not matches(narrow, shown(**claims)) or matches(wide, shown(**claims))
