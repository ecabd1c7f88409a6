# SPDX-License-Identifier: Apache-2.0
"""What a test says of a refusal: of which kind it is, and by which code."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from mcp_types import CallToolResult, TextContent

from remit.core.errors import RemitError
from remit.core.json_value import Json


@contextmanager
def refused(code: str, kind: type[RemitError] = RemitError) -> Iterator[pytest.ExceptionInfo[RemitError]]:
    """Expect a refusal with this very code."""
    with pytest.raises(kind) as caught:
        yield caught
    assert caught.value.code == code, f"refused by `{caught.value.code}`, not by `{code}`"


def own_failure(answer: Json) -> bool:
    """Return whether an answer of the MCP endpoint is an error, or remit's result of a failed call."""
    result = answer.get("result") or {}
    values = result.get("structuredContent")
    told = isinstance(values, dict) and "status" in values and "message" in values
    return "error" in answer or (
        result.get("isError") is True and (told or "remit/failure" in result.get("_meta", {}))
    )


def failure(answer: Json) -> dict[str, Json]:
    """Return what an answer of the MCP endpoint says to programs of the failure: of a tool's call by its
    result, else by its error.
    """
    if (error := answer.get("error")) is not None:
        return {"message": error["message"], **error.get("data", {})}
    result = answer["result"]
    assert result["isError"], result
    told: dict[str, Json] = result.get("structuredContent") or result["_meta"]["remit/failure"]
    assert told["message"] in result["content"][0]["text"]
    return told


def said(result: CallToolResult) -> str:
    """Return the text of a result of the official client."""
    return "".join(one.text for one in result.content if isinstance(one, TextContent))
