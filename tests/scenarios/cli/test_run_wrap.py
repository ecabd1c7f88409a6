# SPDX-License-Identifier: Apache-2.0
"""`remit wrap` on a real client's file: one command in, one command back, and no secret left behind.

The threat: a tool that is meant to protect loses a person's configuration, leaks its contents, or stays in
the way when it is no longer wanted.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from remit.cli.serve.background import stop
from remit.cli.serve.instance import running
from remit.config import load_bundle, load_config
from tests.servers.ports import free_port

Json = Any
ROOT = Path(__file__).resolve().parents[3]
SERVER = ROOT / "src" / "remit" / "templates" / "servers" / "notes.py"


class Desk:
    """A person's project folder with a client's file in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / ".mcp.json"
        notes = folder / "my-notes"
        notes.mkdir()
        (notes / "shopping.md").write_text("- bread\n")
        entry = {"command": sys.executable, "args": [str(SERVER), str(notes)], "env": {"API_KEY": "hunter2"}}
        text = json.dumps({"mcpServers": {"My Notes": entry}}, indent=4)
        self.file.write_text(f"// do not lose this\n{text}\n")
        self.original = self.file.read_bytes()

    @property
    def environment(self) -> dict[str, str]:
        """The environment of everything that runs here."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("REMIT_")}
        return env | {"PYTHONPATH": str(ROOT / "src"), "XDG_CONFIG_HOME": str(self.folder / "config")}

    def wrap(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `remit wrap`."""
        return subprocess.run(
            [sys.executable, "-m", "remit", "wrap", str(self.file), *words],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    def entry(self, name: str = "My Notes") -> Json:
        """Return a server as the client would start it."""
        text = "\n".join(line for line in self.file.read_text().splitlines() if not line.startswith("//"))
        return json.loads(text)["mcpServers"][name]

    def beside(self) -> list[str]:
        """Return the names of backups and manifests."""
        return sorted(path.name for path in self.folder.iterdir() if ".before-remit-" in path.name)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk that stops what it started."""
    one = Desk(tmp_path)
    yield one
    stop(tmp_path / "remit.yaml")


def test_one_command_in_and_one_back(desk: Desk) -> None:
    """Wrapping rewrites the entry and says so loudly; undoing gives back every byte, and leaves no copy."""
    done = desk.wrap()
    assert done.returncode == 0, done.stderr
    assert "OBSERVE MODE" in done.stdout
    assert "isolation: none" in done.stdout
    assert desk.entry()["args"][-2:] == ["--upstream", "my-notes"]
    assert desk.file.read_text().startswith("// do not lose this\n")
    config = load_config(desk.folder)
    assert config.upstreams["my-notes"].mode == "observe"
    everyday = load_bundle(config).task_types["everyday"]
    assert (everyday.run_by, everyday.requested_by) == (("mcp-client",), ("agent:mcp-client",))
    assert not everyday.requires_person
    back = desk.wrap("--undo")
    assert back.returncode == 0, back.stderr
    assert desk.file.read_bytes() == desk.original
    assert desk.beside() == []


def test_secrets_move_to_where_only_their_owner_reads_them(desk: Desk) -> None:
    """A credential stands in its own file, the backup and nowhere else; all of these are closed to others."""
    desk.wrap()
    stored_label = [
        path for path in desk.folder.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()
    ]
    assert {path.name.partition(".before")[0] for path in stored_label} == {
        ".mcp.json",
        "my-notes.API_KEY",
    }
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in stored_label)
    assert desk.file not in stored_label


def test_wrapping_twice_changes_nothing_and_a_new_server_is_added(desk: Desk) -> None:
    """A second run finds nothing to do; a server that came later is wrapped, and undoing undoes both."""
    desk.wrap()
    wrapped = desk.file.read_bytes()
    assert "Nothing to do" in desk.wrap().stdout
    assert desk.file.read_bytes() == wrapped
    text = desk.file.read_text().replace('"mcpServers": {', '"mcpServers": {\n"Two": {"command": "true"},')
    desk.file.write_text(text)
    assert desk.wrap().returncode == 0
    assert desk.entry("Two")["args"][-1] == "two"
    back = desk.wrap("--undo")
    assert "changed since" in back.stdout
    assert desk.entry() == {
        "command": sys.executable,
        "args": [str(SERVER), str(desk.folder / "my-notes")],
        "env": {"API_KEY": "hunter2"},
    }
    assert desk.entry("Two") == {"command": "true"}


def test_a_server_that_is_switched_off_is_left_as_it_is(desk: Desk) -> None:
    """It is unused, so remit does not start it; once it is on, wrapping again includes it."""
    off = {"command": "no-such-server", "disabled": True}
    text = desk.file.read_text().replace('"mcpServers": {', '"mcpServers": {"old": ' + json.dumps(off) + ",")
    desk.file.write_text(text)
    done = desk.wrap()
    assert done.returncode == 0
    assert "switched off" in done.stdout
    assert desk.entry("old") == off
    assert list(load_config(desk.folder / "remit.yaml").upstreams) == ["my-notes"]
    assert "old: switched off" in desk.wrap().stdout
    desk.file.write_text(desk.file.read_text().replace('"disabled": true', '"disabled": false'))
    assert json.loads(desk.wrap("--json").stdout)["off"] == []
    assert set(load_config(desk.folder / "remit.yaml").upstreams) == {"my-notes", "old"}


def test_a_file_that_changed_since_gets_only_its_entries_back(desk: Desk) -> None:
    """What a person did after wrapping stays; only what remit rewrote is put back, and the backup is kept."""
    desk.wrap()
    desk.file.write_text(desk.file.read_text().replace("do not lose this", "nor this"))
    back = desk.wrap("--undo")
    assert "changed since" in back.stdout
    assert desk.file.read_bytes() == desk.original.replace(b"do not lose this", b"nor this")
    assert len(desk.beside()) == 1


def test_a_dry_run_and_a_refusal_change_nothing(desk: Desk) -> None:
    """Neither looking nor a server that cannot be carried over leaves anything behind."""
    assert "nothing was changed" in desk.wrap("--dry-run").stdout
    before = sorted(path.name for path in desk.folder.iterdir())
    text = desk.original.decode().replace('"env"', '"envFile": ".env", "env"').encode()
    desk.file.write_bytes(text)
    done = desk.wrap()
    assert done.returncode == 2
    assert "envFile" in done.stderr
    assert "--skip" in done.stderr
    assert desk.file.read_bytes() == text
    assert sorted(path.name for path in desk.folder.iterdir()) == before


def test_a_folder_that_does_not_hold_keeps_the_client_working(desk: Desk) -> None:
    """Where remit's own folder is broken, the client's file is not touched, nor is `remit.yaml`."""
    (desk.folder / "remit.yaml").write_text("upstreams: {a: {command: [x]}}\n")
    done = desk.wrap()
    assert done.returncode == 2
    assert desk.file.read_bytes() == desk.original
    assert (desk.folder / "remit.yaml").read_text() == "upstreams: {a: {command: [x]}}\n"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_client_works_as_before_and_remit_starts_when_it_is_needed(desk: Desk, mode: Any) -> None:
    """The client starts its entry as it always did: the gateway comes up behind it, nothing is refused."""
    port = free_port()
    assert desk.wrap().returncode == 0
    config = desk.folder / "remit.yaml"
    text = "\n".join(line for line in config.read_text().splitlines() if not line.startswith("listen:"))
    config.write_text(f"{text}\nlisten: {{port: {port}}}\n")
    entry = desk.entry()
    start = StdioServerParameters(command=entry["command"], args=entry["args"], env=desk.environment, cwd="/")
    async with Client(start, mode=mode, read_timeout_seconds=120) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert "write_note" in names
        result = await client.call_tool("write_note", {"name": "plan", "text": "rest"})
        assert not result.is_error
    assert (desk.folder / "my-notes" / "plan.md").read_text().strip() == "rest"
    found = running(desk.folder / "remit.yaml")
    assert found is not None
    assert found.url == f"http://127.0.0.1:{port}"
    assert found.background
    assert "Stopped the remit" in desk.wrap("--undo").stdout
