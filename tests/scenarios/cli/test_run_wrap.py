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

from remit.cli.instance import running
from remit.cli.serve.background import stop
from remit.config import Config, load_bundle, load_config
from remit.config.scaffold import scaffold
from tests.servers.ports import free_port

Json = Any
ROOT = Path(__file__).resolve().parents[3]
SERVER = ROOT / "src" / "remit" / "templates" / "servers" / "notes.py"


class Desk:
    """A person's project folder with a client's file in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self.folder.mkdir()
        self.home = folder / "home"
        self.config = self.home / "config" / "remit"
        self.state = self.home / "state" / "remit"
        self.file = self.folder / ".mcp.json"
        folder = self.folder
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
        return env | {
            "PYTHONPATH": str(ROOT / "src"),
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_STATE_HOME": str(self.home / "state"),
        }

    def wrap(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `remit wrap`."""
        return subprocess.run(
            [sys.executable, "-m", "remit", "wrap", str(self.file), *words],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    def loaded(self) -> Config:
        """Return the user's configuration."""
        return load_config(self.config)

    def entry(self, name: str = "My Notes") -> Json:
        """Return a server as the client would start it."""
        text = "\n".join(line for line in self.file.read_text().splitlines() if not line.startswith("//"))
        return json.loads(text)["mcpServers"][name]

    def beside(self) -> list[str]:
        """Return the names of backups and manifests."""
        return sorted(path.name for path in (self.state / "wrapped").iterdir())


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk that stops what it started; the test sees the user's folders as the commands do."""
    one = Desk(tmp_path)
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, one.environment[name])
    yield one
    stop(one.config / "remit.yaml")
    stop(one.folder / "remit.yaml")


def test_one_command_in_and_one_back(desk: Desk) -> None:
    """Wrapping rewrites the entry and says so loudly; undoing gives back every byte, and leaves no copy."""
    done = desk.wrap()
    assert done.returncode == 0, done.stderr
    assert "OBSERVE MODE" in done.stdout
    assert "isolation: none" in done.stdout
    assert desk.entry()["args"][-2:] == ["--upstream", "my-notes"]
    assert desk.file.read_text().startswith("// do not lose this\n")
    config = desk.loaded()
    assert config.upstreams["my-notes"].mode == "observe"
    everyday = load_bundle(config).task_types["everyday"]
    assert (everyday.run_by, everyday.requested_by) == (("mcp-client",), ("agent:mcp-client",))
    assert not everyday.requires_person
    back = desk.wrap("--undo")
    assert back.returncode == 0, back.stderr
    assert desk.file.read_bytes() == desk.original
    assert desk.beside() == []


def test_secrets_move_to_where_only_their_owner_reads_them(desk: Desk) -> None:
    """A credential stands in one file and the backup, in the user's state folder, closed to others."""
    assert desk.wrap().returncode == 0
    found = [
        path for path in desk.home.parent.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()
    ]
    assert {path.parent for path in found} == {desk.state / "secrets", desk.state / "wrapped"}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in found)
    assert len(found) == 3  # the secret, the backup, and its manifest


def test_a_project_holds_nothing_of_remit(desk: Desk) -> None:
    """Configuration, keys, store and backups are in the user's folders; a project's `remit.yaml` counts."""
    desk.wrap()
    assert sorted(path.name for path in desk.folder.iterdir()) == [".mcp.json", "my-notes"]
    assert (desk.config / "remit.yaml").is_file()
    assert {"agents", "keys", "remit.db", "secrets"} <= {path.name for path in desk.state.iterdir()}
    assert desk.state.stat().st_mode & 0o077 == 0
    desk.wrap("--undo")
    scaffold(desk.folder, sample=False)
    (desk.folder / "remit.yaml").write_text("upstreams:\n  own: {command: [x]}\n")
    assert desk.wrap().returncode == 0
    assert set(load_config(desk.folder).upstreams) == {"own", "my-notes"}


def test_all_problems_are_told_in_one_run(desk: Desk) -> None:
    """Each server that cannot be carried over is named with its reasons, and nothing is changed."""
    servers = {
        "a": {"command": "x", "envFile": ".env", "args": ["${NOT_SET}"]},
        "b": {"type": "ws", "url": "x"},
    }
    desk.file.write_text(json.dumps({"mcpServers": servers}))
    before = desk.file.read_bytes()
    done = desk.wrap()
    assert done.returncode == 2
    assert all(word in done.stderr for word in ("envFile", "NOT_SET", "`ws`", "--skip a", "--skip b"))
    assert desk.file.read_bytes() == before
    assert not desk.config.exists()


def test_a_link_stays_a_link_and_a_folder_without_write_permission_is_told(desk: Desk) -> None:
    """The file behind a link changes; a folder that cannot be written is told before any change."""
    real = desk.home.parent / "dotfiles.json"
    desk.file.rename(real)
    desk.file.symlink_to(real)
    assert desk.wrap().returncode == 0
    assert desk.file.is_symlink()
    assert "connect" in real.read_text()
    assert desk.wrap("--undo").returncode == 0
    assert (desk.file.is_symlink(), real.read_bytes()) == (True, desk.original)


def test_a_configuration_that_lies_around_gets_no_secrets_of_another_place(desk: Desk) -> None:
    """A repository with a `remit.yaml` takes over no client of its person: that one must be named."""
    scaffold(desk.folder, sample=False)
    before = {path: path.read_bytes() for path in desk.folder.rglob("*") if path.is_file()}
    client = desk.home / ".cursor" / "mcp.json"
    client.parent.mkdir(parents=True)
    client.write_bytes(desk.original)
    desk.file = client
    refused = desk.wrap()
    assert refused.returncode == 2
    assert "--config ." in refused.stderr
    assert client.read_bytes() == desk.original
    assert {path: path.read_bytes() for path in desk.folder.rglob("*") if path.is_file()} == before
    usual = str(desk.config / "remit.yaml")
    assert desk.wrap("--config", usual).returncode == 0
    assert str(desk.config) in " ".join(desk.entry()["args"])


@pytest.mark.slow
def test_two_clients_are_wrapped_at_once(desk: Desk) -> None:
    """Commands that run at the same moment wait for each other: each server has its own upstream."""
    other = desk.folder / "other.json"
    other.write_bytes(desk.original)
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "remit", "wrap", str(file)],
            cwd=desk.folder, env=desk.environment, stdout=subprocess.DEVNULL,
        )
        for file in (desk.file, other)
    ]  # fmt: skip
    assert [one.wait(300) for one in running] == [0, 0]
    assert set(desk.loaded().upstreams) == {"my-notes", "my-notes-2"}
    assert load_bundle(desk.loaded()).task_types["everyday"].run_by == ("mcp-client", "other")
    for file in (desk.file, other):  # wrapped again, each server finds its upstream
        words = [sys.executable, "-m", "remit", "wrap", str(file)]
        for more in (["--undo"], []):
            subprocess.run(
                [*words, *more], cwd=desk.folder, env=desk.environment, stdout=subprocess.DEVNULL, check=True
            )
    assert set(desk.loaded().upstreams) == {"my-notes", "my-notes-2"}


async def test_servers_of_one_wrapped_client_share_one_relay(desk: Desk) -> None:
    """The entries that wrapping writes lead to one session, whose file server never reaches remit's files."""
    files = {"command": sys.executable, "args": [str(SERVER), "."]}
    text = desk.file.read_text().replace(
        '"mcpServers": {', '"mcpServers": {"Files": ' + json.dumps(files) + ","
    )
    desk.file.write_text(text)
    port = free_port()
    assert desk.wrap().returncode == 0
    config = desk.config / "remit.yaml"
    text = "\n".join(line for line in config.read_text().splitlines() if not line.startswith("listen:"))
    config.write_text(f"{text}\nlisten: {{port: {port}}}\n")

    def client(name: str) -> Client:
        entry = desk.entry(name)
        env = desk.environment | entry["env"]
        start = StdioServerParameters(command=entry["command"], args=entry["args"], env=env, cwd="/")
        return Client(start, mode="legacy", read_timeout_seconds=120)

    key = os.path.relpath(desk.state / "keys" / "token.json", desk.folder)  # noqa: ASYNC240 - no file is read
    async with client("Files") as one, client("My Notes") as other:
        assert not (await one.call_tool("list_notes", {})).is_error
        assert not (await other.call_tool("list_notes", {})).is_error
        assert _relays(desk.config) == 1
        refused = await one.call_tool("read_note", {"name": key})
        assert refused.is_error
        assert "own-files" in json.dumps(dict(refused.meta or {})["remit/failure"])


def _relays(config: Path) -> int:
    """Return the number of relays that serve sessions of a configuration."""
    return sum(_is_relay(path, config) for path in Path("/proc").glob("[0-9]*/cmdline"))


def _is_relay(path: Path, config: Path) -> bool:
    try:
        words = path.read_bytes()
    except OSError:
        return False
    return b"--shims=" in words and str(config).encode() in words


def test_a_shared_file_has_no_absolute_path(desk: Desk) -> None:
    """With `--portable` the entry names commands and `~` alone, so that it can be committed."""
    done = desk.wrap("--portable", "--json")
    assert done.returncode == 0, done.stderr
    entry = desk.entry()
    assert entry["command"] == "remit"
    assert not any(word.startswith("/") for word in entry["args"])
    assert entry["args"][:3] == ["connect", "--config", "~/config/remit/remit.yaml"]
    assert "env" not in entry


@pytest.mark.slow
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
    assert list(desk.loaded().upstreams) == ["my-notes"]
    assert "old: switched off" in desk.wrap().stdout
    desk.file.write_text(desk.file.read_text().replace('"disabled": true', '"disabled": false'))
    assert json.loads(desk.wrap("--json").stdout)["off"] == []
    assert set(desk.loaded().upstreams) == {"my-notes", "old"}


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
    config = desk.config / "remit.yaml"
    text = "\n".join(line for line in config.read_text().splitlines() if not line.startswith("listen:"))
    config.write_text(f"{text}\nlisten: {{port: {port}}}\n")
    entry = desk.entry()
    start = StdioServerParameters(
        command=entry["command"], args=entry["args"], env=desk.environment | entry["env"], cwd="/"
    )
    async with Client(start, mode=mode, read_timeout_seconds=120) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert "write_note" in names
        result = await client.call_tool("write_note", {"name": "plan", "text": "rest"})
        assert not result.is_error
        assert client.instructions == "Short notes, one file each."
    assert (desk.folder / "my-notes" / "plan.md").read_text().strip() == "rest"
    found = running(desk.config / "remit.yaml")
    assert found is not None
    assert found.url == f"http://127.0.0.1:{port}"
    assert found.background
    assert "Stopped the remit" in desk.wrap("--undo").stdout
