# SPDX-License-Identifier: Apache-2.0
"""The examples of gitleaks' rules are found about as often as the documentation says."""

import json

import pytest

from tests.interop.secret_cases import PUBLISHED, ExamplesUnavailable, counted, examples

#: Values are drawn again in each run; so far counts move by less than this share.
_MOVES = 0.03


@pytest.mark.slow
def test_the_published_counts_are_about_those_of_today() -> None:
    """As many secrets are found, and as few other texts reported, as the page says."""
    try:
        given = examples()
    except ExamplesUnavailable as missing:
        pytest.skip(str(missing))
    today, published = counted(given), json.loads(PUBLISHED.read_text(encoding="utf-8"))
    for part, whole in (("found", "secrets"), ("reported", "others"), ("rules found", "rules")):
        shares = [int(str(each[part])) / int(str(each[whole])) for each in (today, published)]
        assert shares[0] == pytest.approx(shares[1], abs=_MOVES), part
