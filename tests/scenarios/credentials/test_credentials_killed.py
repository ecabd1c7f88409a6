# SPDX-License-Identifier: Apache-2.0
"""remit is killed while a task holds a database role: the next start takes the role back."""

import asyncio
import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.brokers import AtPostgres
from tests.gateways.remit_up import Remit, until
from tests.refusals import own_failure
from tests.servers.ports import free_port
from tests.servers.scripted_mcp import scripted_http
from tests.worlds.database_roles import place

__all__ = ["place"]
Json = Any

#: Stops wait long for credentials to be dead: on a busy machine a source is late.
PATIENT = {"closure_wait_s": 20}
TOOLS = """
upstream: notes
tools:
  echo:
    effect: none
    audience: self
    labels: {class: internal, trust: trusted}
    arguments: {word: {role: content}}
"""
TASK = """
task: tidy-note
purpose: Tidy up
run_by: [note-bot]
requested_by: [group:writers]
grants:
  - tool: notes/echo
    arguments: {word: {anything: {}}}
"""


@contextmanager
def upstream() -> Iterator[str]:
    """Serve an MCP server in its own thread; yield its address."""
    loop, over, place = asyncio.new_event_loop(), asyncio.Event(), []
    port = free_port()
    ready = threading.Event()

    async def serve() -> None:
        async with scripted_http("modern", port) as made:
            place.append(made.url)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(60)
    try:
        yield place[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


@pytest.fixture
def remit(tmp_path: Path, place: AtPostgres) -> Iterator[Remit]:
    """A served folder whose upstream is given a database role for each task."""
    made = Remit(tmp_path / "house")
    made.folder.mkdir()
    assert made("init", ".").code == 0
    with upstream() as url:
        lease = {
            "postgres": {"admin": "env:CRM_DATABASE", "grants": list(place.GRANTS[:2])},
            "headers": place.HEADERS,
        }
        notes = {"url": url, "lease": lease}
        (made.folder / "remit.yaml").write_text(
            json.dumps({"upstreams": {"notes": notes}, "limits": PATIENT})
        )
        (made.folder / "tools" / "notes.yaml").write_text(TOOLS)
        (made.folder / "tasks" / "tidy-note.yaml").write_text(TASK)
        made.env["CRM_DATABASE"] = place.admin_url
        made.start()
        made.enter()
        assert made("person", "add", "ana", "--group", "writers").code == 0
        made.sign_in("ana")
        assert made("agent", "register", "note-bot", "--owner", "ana", "--purpose", "tidies").code == 0
        yield made
        if made.process is not None and made.process.poll() is None:
            made.stop()


def test_a_killed_remit_leaves_no_role_to_the_next_one(remit: Remit, place: AtPostgres) -> None:
    """`kill -9` between issue and end: the role is there, and gone once remit serves again; the task goes on
    with another one, which an orderly stop takes back.
    """
    task = str(remit.ask("task", "open", "tidy-note", "--agent", "note-bot", by="ana")["id"])
    assert not own_failure(remit.call(task, "echo", {"word": "hello"}))
    (left,) = place.roles()
    remit.stop(signal.SIGKILL)
    assert place.roles() == {left}
    remit.start()
    until(lambda: left not in place.roles())
    assert not own_failure(remit.call(task, "echo", {"word": "hello"}))
    (other,) = place.roles()
    assert other != left
    assert remit.stop() == 0
    assert place.roles() == set()
