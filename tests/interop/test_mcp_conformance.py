# SPDX-License-Identifier: Apache-2.0
"""The suites that others wrote, run as they intend; skipped where npm cannot give them."""

import pytest

from tests.interop import __main__ as interop
from tests.interop import suite
from tests.interop.results import Row

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    """The suite, or a reason why not."""
    try:
        suite.install()
    except suite.NotInstalled as fault:
        pytest.skip(str(fault))


def judge(found: list[Row]) -> None:
    """All that is required passed, and all else is as it is written down."""
    assert found
    odd = [row for row in found if not row.as_expected or (row.required and not row.good)]
    assert not odd, "\n".join(map(str, odd))
    assert not [row.scenario for row in found if row.required and row.warned]


@pytest.mark.parametrize("revision", interop.REVISIONS)
def test_servers_behind_the_gateway_conform(revision: str) -> None:
    """Whatever a revision requires of a server holds through relay and gateway."""
    judge(interop.server(revision))


@pytest.mark.parametrize("revision", interop.REVISIONS)
def test_the_client_of_the_sdk_conforms(revision: str) -> None:
    """Whatever a revision requires of a client holds for the SDK's, extensions of authorization too."""
    judge(interop.client(revision))


def test_the_authorization_server_conforms() -> None:
    """Metadata and the authorization code, with a person who consents."""
    judge(interop.authorization(interop.REVISIONS[0]))
