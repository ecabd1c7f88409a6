# SPDX-License-Identifier: Apache-2.0
"""The log of the service: its lines, its modes, and where it goes."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remit.cli.serve import service_log
from remit.cli.serve.service_log import LogStyle, logging_to
from remit.gateway.access_log import ACCESS, logging_requests, place_in
from remit.services.mediation.call_log import CALLS
from tests.worlds.values import WorldClock

Json = Any


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Put the levels back."""
    loggers = [
        logging.getLogger(name) for name in ("", "remit", CALLS, service_log.SERVICE, ACCESS, "uvicorn")
    ]
    levels = [one.level for one in loggers]
    yield
    for one, level in zip(loggers, levels, strict=True):
        one.setLevel(level)


def lines(place: Path) -> list[Json]:
    """Return the lines of a log."""
    return [json.loads(line) for line in place.read_text().splitlines()]


def test_a_call_is_one_line_of_json(tmp_path: Path) -> None:
    """Its facts are members; a value that breaks lines does not."""
    place = tmp_path / "up.log"
    with logging_to(place):
        logging.getLogger(CALLS).info({"outcome": "deny", "tool": "x/a\nb", "ms": 1.5})
        logging.getLogger("remit.upkeep").info("not shown")
    (line,) = lines(place)
    assert line.pop("at").endswith("Z")
    assert line == {"level": "info", "outcome": "deny", "tool": "x/a\nb", "ms": 1.5}


def test_warnings_are_in_the_log_and_on_standard_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """With the text of the fault, where there is one."""
    place = tmp_path / "up.log"
    with logging_to(place):
        try:
            raise ValueError("why")
        except ValueError:
            logging.getLogger("remit").exception("upstream `%s` failed", "notes")
    (line,) = lines(place)
    assert (line["level"], line["from"], line["message"]) == ("error", "remit", "upstream `notes` failed")
    assert "ValueError: why" in line["trace"]
    assert "ERROR remit: upstream `notes` failed" in capfd.readouterr().err


def test_a_name_forges_no_line_no_fact_and_no_escape(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Agents and upstreams choose names of tools and texts of faults; terminals show the log."""
    evil = 'a outcome=ok\nERROR remit: "b"\x1b[2J\x9b\u202e'
    with logging_to(tmp_path / "up.log", LogStyle(level="info")):
        logging.getLogger(CALLS).info({"outcome": "deny", "tool": evil})
        try:
            raise ValueError(evil)
        except ValueError:
            logging.getLogger("remit").exception("upstream %s failed", evil)
    called, failed, *trace = capfd.readouterr().err.splitlines()
    assert called.startswith('INFO remit.calls: outcome=deny tool="a outcome=ok\\\\u{a}ERROR remit:')
    assert failed.startswith("ERROR remit: upstream a outcome=ok\\u{a}ERROR")
    assert all(one.startswith("  ") for one in trace)
    for text in (called, failed, *trace, *(tmp_path / "up.log").read_text().splitlines()):
        assert text.isprintable()


def test_the_log_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Also after a rotation, of which the last files are kept."""
    place = tmp_path / "up.log"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service_log, "MAX_BYTES", 200)
        with logging_to(place):
            for number in range(40):
                logging.getLogger(CALLS).info({"outcome": "ok", "number": number})
    files = sorted(one.name for one in tmp_path.iterdir())
    assert files == ["up.log", *(f"up.log.{number}" for number in range(1, service_log.KEPT + 1))]
    assert {one.stat().st_mode & 0o777 for one in tmp_path.iterdir()} == {0o600}
    assert lines(place)[-1]["number"] == 39


def test_standard_error_gets_everything_where_there_is_no_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A container without a folder to write to loses no line."""
    with logging_to(tmp_path / "none" / "up.log"):
        logging.getLogger(CALLS).info({"outcome": "ok", "tool": "notes/read"})
    assert json.loads(capfd.readouterr().err)["tool"] == "notes/read"


@pytest.mark.parametrize(
    ("style", "wanted"),
    [
        (LogStyle(), []),
        (LogStyle("json"), ["call", "message"]),
        (LogStyle("json", "debug"), ["message", "call", "message"]),
        (LogStyle("json", "error"), []),
    ],
)
def test_standard_error_is_json_from_a_level_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], style: LogStyle, wanted: list[str]
) -> None:
    """For a log collector: one object per line, with the id of the decision; the file has calls anyway."""
    with logging_to(tmp_path / "up.log", style):
        logging.getLogger("remit.x").debug("closely")
        logging.getLogger(CALLS).info({"call": "dec_1", "outcome": "deny"})
        logging.getLogger(service_log.SERVICE).info("serves at %s", "here")
    said = [json.loads(one) for one in capsys.readouterr().err.splitlines()]
    assert [next(name for name in ("call", "message") if name in one) for one in said] == wanted
    assert any(one.get("call") == "dec_1" for one in lines(tmp_path / "up.log"))


def test_text_has_calls_where_it_is_asked_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names and values in one line, which no name can break."""
    with logging_to(tmp_path / "up.log", LogStyle("text", "info")):
        logging.getLogger(CALLS).info({"outcome": "deny", "tool": "a\nb"})
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("INFO remit.calls: outcome=deny tool=a")


async def test_requests_are_logged_without_ids_queries_and_arguments(tmp_path: Path) -> None:
    """Only where it is asked for; a request that its endpoint does not answer has no status."""

    async def endpoint(scope: Json, receive: Json, send: Json) -> None:
        if scope["path"] != "/silent":
            await send({"type": "http.response.start", "status": 200, "headers": []})

    async def sink(message: Json = None) -> Json:
        return message

    clock = WorldClock()
    assert logging_requests(endpoint, clock) is endpoint
    with logging_to(tmp_path / "up.log", LogStyle(access=True)):
        served = logging_requests(endpoint, clock)
        for path in ("/http/shop/customers/4111", "/silent"):
            scope: Json = {
                "type": "http",
                "method": "GET",
                "path": path,
                "query_string": b"key=4111",
                "headers": [],
            }
            await served(scope | {"client": ("192.0.2.7", 1)}, sink, sink)
    found = [(one["place"], one["status"], one["from_address"]) for one in lines(tmp_path / "up.log")]
    assert found == [("/http/shop/...", 200, "192.0.2.7"), ("/silent", 0, "192.0.2.7")]
    assert "4111" not in (tmp_path / "up.log").read_text()
    assert place_in("/api/v1/tasks/tsk_1/end") == "/api/v1/tasks/..."
