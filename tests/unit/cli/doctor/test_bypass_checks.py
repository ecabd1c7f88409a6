# SPDX-License-Identifier: Apache-2.0
"""What `remit doctor --bypass` finds open, tried by a real program in the agent's place."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from remit.cli.doctor.bypass import bypass_looks
from remit.cli.doctor.check import Check
from remit.config import load_config
from remit.core.errors import ConfigInvalid
from tests.servers.ports import free_port

#: A Python that other users may run.
PYTHON = Path("/usr/bin/python3")


@contextlib.contextmanager
def answering(status: int) -> Iterator[str]:
    """A server that gives each request this status; yields its address."""

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/mcp"
        server.shutdown()


def looks(folder: Path, urls: dict[str, str], place: str = "", more: str = "") -> dict[str, Check]:
    """Return the checks of a configuration with these upstreams, by subject."""
    lines = [f"  {name}: {{url: '{url}'}}\n" for name, url in urls.items()]
    (folder / ".remit").mkdir(mode=0o700, exist_ok=True)
    file = folder / "remit.yaml"
    file.write_text("upstreams:\n" + "".join(lines) + more)
    return {one.subject: one for one in bypass_looks(load_config(file), file, place)}


def test_an_upstream_that_answers_stands_open_and_one_that_asks_for_a_credential_does_not(
    tmp_path: Path,
) -> None:
    """What cannot be connected to is no way around."""
    with answering(200) as mail, answering(401) as crm:
        found = looks(tmp_path, {"mail": mail, "crm": crm, "gone": f"http://127.0.0.1:{free_port()}/mcp"})
    assert found["upstream mail"].state == "fail"
    assert "without a credential" in found["upstream mail"].says
    assert (found["upstream crm"].state, found["upstream gone"].state) == ("note", "ok")


def test_an_upstream_that_takes_connections_and_says_nothing_in_http_is_a_way(tmp_path: Path) -> None:
    """Another protocol, or a slow server: a client that knows it gets through."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            for _ in range(2):
                with server.accept()[0] as connection:
                    connection.sendall(b"220 mail\r\n")

        threading.Thread(target=greet, daemon=True).start()
        found = looks(tmp_path, {"mail": f"http://127.0.0.1:{server.getsockname()[1]}/mcp"})
    assert found["upstream mail"].state == "note"
    assert "can be reached" in found["upstream mail"].says


def test_a_shell_on_the_way_changes_no_target(tmp_path: Path) -> None:
    """`ssh` joins its arguments for a shell of the other machine."""
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\nshift\nexec sh -c "$*"\n')
    ssh.chmod(0o755)
    folder = tmp_path / "it's; touch gone $(touch gone)"
    folder.mkdir()
    with answering(200) as mail:
        found = looks(folder, {"mail": mail}, f"{ssh} agent-host")
    assert found["upstream mail"].state == "fail"
    assert found["configuration"].state == "fail"
    assert not (Path.cwd() / "gone").exists()


@pytest.mark.parametrize(
    "told",
    ['{"user": 1, "host": "h", "came": [[], "ok", "ok"]}', '{"user": "\\u001b[2J", "host": [], "came": 7}'],
)
def test_a_place_that_tells_something_else_is_an_error(tmp_path: Path, told: str) -> None:
    """An agent that controls its place writes the answer."""
    liar = tmp_path / "liar"
    liar.write_text(f"#!/bin/sh\ncat >/dev/null\necho '{told}'\n")
    liar.chmod(0o755)
    with pytest.raises(ConfigInvalid, match="tried nothing"):
        looks(tmp_path, {"mail": "http://127.0.0.1:9/mcp"}, str(liar))


def test_files_of_remit_that_the_agent_can_change_or_read_are_found(tmp_path: Path) -> None:
    """As the same user, the agent can do what remit can."""
    secret = tmp_path / "token"
    secret.write_text("s")
    secret.chmod(0o600)
    more = f"  api: {{url: 'http://127.0.0.1:9/mcp', headers: {{Authorization: 'Bearer file:{secret}'}}}}\n"
    found = looks(tmp_path, {}, more=more)
    for subject in ("configuration", "state and keys", "secret upstreams.api.headers.Authorization"):
        assert found[subject].state == "fail", subject
        assert "another user" in found[subject].remediation


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv") or not PYTHON.exists(),
    reason="needs root, `setpriv`, and a Python that other users may run",
)
def test_another_user_reads_nothing_of_remit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration may be read: it names secrets and holds none."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        found = looks(folder, {"mail": "http://127.0.0.1:9/mcp"}, "setpriv --reuid=65534 --clear-groups")
    assert "user 65534" in found["place"].says
    assert found["state and keys"].state == "ok"
    assert found["configuration"].state == "note"


@pytest.mark.parametrize("place", ["no-such-command", "true", "cat /dev/null;"])
def test_a_place_where_nothing_was_tried_is_an_error_and_not_a_good_sign(tmp_path: Path, place: str) -> None:
    """The message says what to give."""
    with pytest.raises(ConfigInvalid, match="tried nothing") as told:
        looks(tmp_path, {"mail": "http://127.0.0.1:9/mcp"}, place)
    assert "python3" in str(told.value.remediation)


def test_a_place_is_tried_also_without_bypass(tmp_path: Path) -> None:
    """The usual checks would say nothing of it, and look like an answer."""
    (tmp_path / "remit.yaml").write_text("upstreams:\n  mail: {url: 'http://127.0.0.1:9/mcp'}\n")
    command = [sys.executable, "-m", "remit", "--config", str(tmp_path), "doctor", "--place", "true"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (told.returncode, "tried nothing" in told.stderr) == (2, True)


def test_a_place_that_writes_without_an_end_is_stopped(tmp_path: Path) -> None:
    """It is ended once it has written more than an answer can be, on either stream."""
    for stream in ("stdout", "stderr"):
        place = f"{sys.executable} -c 'import sys\nwhile True: sys.{stream}.write(chr(120) * 65536)'"
        with pytest.raises(ConfigInvalid, match="tried nothing"):
            looks(tmp_path, {"files": "http://127.0.0.1:9/mcp"}, place)
