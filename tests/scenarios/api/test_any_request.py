# SPDX-License-Identifier: Apache-2.0
"""Threat: an unforeseen request.

Requests are made from the published description, fitting and unfitting ones (schemathesis), and sent to a
real gateway. None is answered with a fault of ours, every answer is one that the description names, and what
does not fit the description is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis.openapi
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from remit.api.oauth.paths import AUTHORIZE_PATH
from remit.api.openapi import document
from tests.gateways.live_gateway import LiveGateway

Json = Any

#: Requests for each operation, fitting and unfitting ones; more of them look longer.
REQUESTS = int(os.environ.get("REMIT_REQUESTS", "6"))
#: What is looked at in every answer.
LOOKED_AT: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
#: They would end the session or the gateway's work, or give no end.
LEFT_OUT = {
    ("post", "/api/v1/sign-out"),
    ("get", "/api/v1/approvals/watch"),
}
ASKING = """
enforcement_points:
  note-bot: {resources: [notes], agents: ["*"], vouches: key-bound}
"""
SCHEMA = schemathesis.openapi.from_dict(document())
OPERATIONS = [
    # What strangers and other enforcement points speak to is asked every time.
    pytest.param(method, path, marks=[pytest.mark.slow] if path.startswith("/api/") else [])
    for path, operations in document()["paths"].items()
    for method in operations
    if method in ("get", "post", "put", "delete", "patch") and (method, path) not in LEFT_OUT
]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    """A gateway that an enforcement point may ask."""
    folder: Path = tmp_path_factory.mktemp("any-request")
    with LiveGateway(folder, ASKING) as live:
        yield live


@pytest.fixture(scope="module")
def credentials(gateway: LiveGateway) -> dict[str, str]:
    """What is shown at each part: a person's session, and a token of the enforcement point."""
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": gateway.key.assertion("note-bot", gateway.url),
    }
    told = httpx2.post(f"{gateway.url}/oauth/token", data=form, timeout=120)
    assert told.status_code == 200, told.text
    return {"/api/": gateway.session(), "/access/": told.json()["access_token"]}


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=str)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_request_gets_an_answer_that_is_described(
    gateway: LiveGateway, credentials: dict[str, str], method: str, path: str, mode: GenerationMode
) -> None:
    """No request is a fault of ours, and every answer has a status, a type and a shape that are described."""
    operation = SCHEMA[path][method.upper()]
    secret = next((value for part, value in credentials.items() if path.startswith(part)), "")
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}

    @settings(
        max_examples=REQUESTS,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case[Any]) -> None:
        answer = case.call(base_url=gateway.url, headers=headers, allow_redirects=False, timeout=120)
        # Who is not signed in is sent to sign in before anything of the request is looked at.
        left: list[Any] = [negative_data_rejection] if path == AUTHORIZE_PATH else []
        case.validate_response(answer, checks=LOOKED_AT, excluded_checks=left)

    try:
        ask()
    except Unsatisfiable:
        pytest.skip("this operation takes nothing that could be unfitting")
