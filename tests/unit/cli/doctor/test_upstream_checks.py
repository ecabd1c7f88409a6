# SPDX-License-Identifier: Apache-2.0
"""What `remit doctor` says of upstreams: whether they can be reached from here, and since when by remit."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from remit.cli.doctor.upstreams import upstream_looks
from remit.config import Config, load_config
from remit.core.evidence.event import EventKind
from remit.services.tools.reachability import Contact, UpstreamReachability
from tests.gateways.remit_up import furnished
from tests.worlds.calls import call_world
from tests.worlds.values import TENANT

Json = Any

#: A server that is there for as long as a file is not.
FLEETING = """
import os, runpy, sys, threading, time
def watch():
    while not os.path.exists("gone"):
        time.sleep(0.05)
    os._exit(7)
if os.path.exists("gone"):
    sys.exit("the disk does not exist")
threading.Thread(target=watch, daemon=True).start()
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def open_port() -> Iterator[int]:
    """A port that takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def config_of(folder: Path, port: int) -> Config:
    """Return a configuration with a program, one that is not installed, and a server."""
    (folder / "remit.yaml").write_text(
        "upstreams:\n"
        f"  notes: {{command: [{sys.executable}]}}\n"
        "  lost: {command: [no-such-program]}\n"
        f"  mail: {{url: 'http://127.0.0.1:{port}/mcp'}}\n"
    )
    return load_config(folder / "remit.yaml")


def seen(*, reachable: bool | None, why: str = "", api: bool = False) -> Json:
    """Return what a running remit says of an upstream, since three minutes ago."""
    since = (datetime.now(UTC) - timedelta(minutes=3, seconds=1)).isoformat()
    return {"reachable": reachable, "since": None if reachable is None else since, "why": why, "api": api}


def looks(config: Config, told: dict[str, Json]) -> dict[str, tuple[str, str]]:
    """Return what is said of each, by its name."""
    return {one.subject.split()[1]: (one.state, one.says) for one in upstream_looks(config, told)}


def test_without_a_running_remit_it_says_what_is_found_from_here(tmp_path: Path, open_port: int) -> None:
    """A program that is there, one that is not, and a server that takes connections."""
    found = looks(config_of(tmp_path, open_port), {})
    assert found["notes"] == ("ok", f"starts {sys.executable}")
    assert found["lost"] == ("fail", "program `no-such-program` does not exist")
    assert found["mail"][0] == "ok"


def test_a_secret_without_which_remit_would_not_start_is_named(tmp_path: Path) -> None:
    """A missing file fails, with where it is named; a variable may be set where remit runs."""
    (tmp_path / "remit.yaml").write_text(
        "upstreams:\n"
        "  notes:\n"
        f"    command: [{sys.executable}]\n"
        "    env: {DESK: 'file:none', ROOM: 'env:NO_SUCH_NAME', FLOOR: '3'}\n"
    )
    config = load_config(tmp_path / "remit.yaml")
    at = "remit.yaml:4: `upstreams.notes.env"
    starts, lost, unset = upstream_looks(config, {})
    assert starts.state == "ok"
    assert (lost.state, unset.state) == ("fail", "note")
    assert lost.says.startswith(f"{at}.DESK`: secret file `{tmp_path / 'none'}` cannot be read")
    assert unset.says == f"{at}.ROOM`: environment variable `NO_SUCH_NAME` is not set"
    _, lost = upstream_looks(config, {"notes": seen(reachable=True)})
    assert lost.state == "fail"


def test_what_remit_does_not_reach_is_named_with_since_when_and_why(tmp_path: Path, open_port: int) -> None:
    """Though its program is installed, and its port takes connections."""
    away = seen(reachable=False, why="it ended with status 7")
    found = looks(config_of(tmp_path, open_port), {"notes": away, "mail": away})
    for name in ("notes", "mail"):
        state, says = found[name]
        assert state == "fail"
        assert says.startswith("unreachable for remit since ")
        assert says.endswith("(3 min ago): it ended with status 7")


def test_what_remit_reaches_is_said_with_since_when(tmp_path: Path, open_port: int) -> None:
    """This holds also for a program that is not on the caller's path, because it runs."""
    there = seen(reachable=True)
    found = looks(config_of(tmp_path, open_port), dict.fromkeys(("notes", "lost", "mail"), there))
    assert {state for state, _ in found.values()} == {"ok"}
    assert all(says.endswith("(3 min ago)") for _, says in found.values())


def test_an_api_that_calls_did_not_reach_may_be_back(tmp_path: Path, open_port: int) -> None:
    """Only calls try it: a port that takes connections now is a note, one that does not is a failure."""
    away = seen(reachable=False, why="no connection", api=True)
    config = config_of(tmp_path, open_port)
    assert looks(config, {"mail": away})["mail"][0] == "note"
    (tmp_path / "two").mkdir()
    shut = config_of(tmp_path / "two", 1)
    state, says = looks(shut, {"mail": away})["mail"]
    assert (state, "unreachable from here, too" in says) == ("fail", True)
    assert looks(config, {"mail": seen(reachable=None, api=True)})["mail"][0] == "ok"


async def test_since_when_is_when_it_became_so_and_each_change_is_recorded_once(tmp_path: Path) -> None:
    """The first time that it is there is no event, as nothing was lost; nor is what is said again."""
    async with call_world(tmp_path) as world:
        reached = UpstreamReachability(world.clock)
        assert reached.of("notes") == Contact()
        reached.tell("notes", True)
        began = world.clock.now()
        world.clock.advance(5)
        reached.tell("notes", True)
        assert reached.of("notes") == Contact(up=True, since=began)
        reached.tell("notes", False, "it ended")
        lost = world.clock.now()
        world.clock.advance(5)
        reached.tell("notes", False, "it ended again")
        assert reached.of("notes") == Contact(up=False, since=lost, why="it ended again")
        reached.tell("notes", True)
        assert reached.of("notes").why == ""
        await reached.record(world.services.store, TENANT)
        await reached.record(world.services.store, TENANT)
        for kind in (EventKind.UPSTREAM_LOST, EventKind.UPSTREAM_RESTORED):
            assert await world.facts(kind) == [{"upstream": "notes"}]


@pytest.mark.slow
def test_a_server_that_goes_is_named_by_the_doctor_and_by_the_interface(tmp_path: Path) -> None:
    """From a running remit, to who is signed in; since when it is there before, and why it is not after."""
    with furnished(tmp_path) as services:
        told = services.ask("doctor")
        assert "; reachable since " in of_notes(told)["says"]
        port = int(services.url.rpartition(":")[2])  # people who are signed in there stay signed in
        services.stop()
        file = services.folder / "remit.yaml"
        (services.folder / "fleeting.py").write_text(FLEETING)
        file.write_text(file.read_text().replace("servers/notes.py", "fleeting.py, servers/notes.py", 1))
        services.start(port=port)
        assert services.ask("doctor")["healthy"]
        (services.folder / "gone").touch()
        until(lambda: services("doctor", "--json").code == 1)
        one = of_notes(services("doctor", "--json").json)
        assert one["state"] == "fail"
        assert "unreachable for remit since " in one["says"]
        assert "ended with status 7" in one["says"]
        (services.folder / "gone").unlink()
        until(lambda: services("doctor", "--json").code == 0)
        # Who is not signed in hears what is found from here alone.
        services.ask("logout")
        assert "since" not in of_notes(services("doctor", "--json").json)["says"]


def of_notes(told: Json) -> Json:
    """Return what the doctor says of the one upstream."""
    (one,) = [found for found in told["findings"] if found["subject"] == "upstream notes"]
    return one


def until(holds: Callable[[], bool]) -> None:
    """Wait until a condition holds that no event reports."""
    end_s = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.1)
