# SPDX-License-Identifier: Apache-2.0
"""The log of the service: its lines, its modes, and where it goes."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remit.cli.serve import service_log
from remit.cli.serve.service_log import logging_to
from remit.services.mediation.call_log import CALLS

Json = Any


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Put the levels back."""
    loggers = [logging.getLogger(name) for name in ("", CALLS, service_log.SERVICE, "uvicorn")]
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
