# SPDX-License-Identifier: Apache-2.0
"""Threat: while remit is stopped, another process listens at its port, and receives what people send to
it.
"""

import contextlib
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remit.cli.session_file import session_for, terminal_key
from remit_sdk.dpop import DpopProver
from tests.clients.other_user import NOBODY, OPEN_PYTHON
from tests.gateways.remit_up import Remit

pytestmark = pytest.mark.slow

Json = Any

needs_another_user = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or not OPEN_PYTHON,
    reason="another user is become by root alone",
)
#: Answers all with the same, and writes down what it is sent, with the headers.
THIEF = """
import http.server, json, sys
class Thief(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        print(json.dumps({"path": self.path, "headers": dict(self.headers), "body": body}), flush=True)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b"{}")
    do_GET = do_POST
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Thief)
print("ready", flush=True)
server.serve_forever()
"""


@pytest.fixture
def remit(tmp_path: Path) -> Iterator[Remit]:
    """A served folder into which the administrator has signed in."""
    made = Remit(tmp_path / "house")
    made.folder.mkdir()
    assert made("init", ".").code == 0
    made.start()
    try:
        made.enter()
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.stop()


class Thief:
    """A process that listens at a port; `leave` returns what arrived, in order."""

    def __init__(self, port: int, user: int | None = None) -> None:
        self._process = subprocess.Popen(
            [OPEN_PYTHON if user else sys.executable, "-I", "-S", "-c", THIEF, str(port)],
            stdout=subprocess.PIPE,
            cwd="/",
            user=user,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def leave(self) -> list[Json]:
        """Stop, and give what was sent."""
        self._process.kill()
        out, _ = self._process.communicate()
        return [json.loads(line) for line in out.splitlines()]


@contextlib.contextmanager
def thief_at(port: int, user: int | None = None) -> Iterator[Thief]:
    """Listen for as long as it takes."""
    made = Thief(port, user)
    try:
        yield made
    finally:
        if made._process.poll() is None:
            made.leave()


def asked(remit: Remit, path: str, **headers: str) -> tuple[int, str]:
    """Ask the REST interface; gives the status, and the code of a refusal."""
    try:
        with urllib.request.urlopen(urllib.request.Request(remit.url + path, headers=headers)) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read()).get("code", "")


def proven(remit: Remit, prover: DpopProver, secret: str) -> str:
    """Show a session with a proof that has remit's nonce; gives the code of the refusal."""
    url, code = f"{remit.url}/api/v1/me", ""
    for _ in range(2):
        headers = {"Authorization": f"DPoP {secret}", "DPoP": prover.proof("GET", url, secret)}
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(url, headers=headers))
        prover.learn(url, {"DPoP-Nonce": refused.value.headers.get("DPoP-Nonce", "")})
        code = json.loads(refused.value.read())["code"]
    return str(code)


def test_what_was_sent_to_whoever_held_the_port_opens_nothing(remit: Remit) -> None:
    """A thief of this very user gets the session and a proof. The session without the key is refused, and so
    is the proof: it has no nonce of remit, and is for that request alone.
    """
    port = remit.port
    remit.stop()
    with thief_at(port) as thief:
        remit("who", "admin")
        (sent,) = thief.leave()
    scheme, _, secret = sent["headers"]["Authorization"].partition(" ")
    assert scheme == "DPoP"
    remit.start(port=port)
    assert asked(remit, "/api/v1/me", Authorization=f"Bearer {secret}") == (401, "session-unproven")
    (proof,) = (value for name, value in sent["headers"].items() if name.lower() == "dpop")
    shown = {"Authorization": f"DPoP {secret}", "DPoP": proof}
    assert asked(remit, "/api/v1/me", **shown) == (401, "proof-method")
    # With a key of the thief's own, and with remit's nonce.
    assert proven(remit, DpopProver(), secret) == "session-unproven"
    assert remit("who", "admin").code == 0


@needs_another_user
def test_another_user_at_the_port_is_sent_nothing(remit: Remit) -> None:
    """Neither a session nor a sign-in code: the kernel says who listens before anything is sent."""
    code = remit.ask("person", "add", "ana") and remit.ask("person", "code", "ana")["code"]
    port = remit.port
    remit.stop()
    with thief_at(port, NOBODY) as thief:
        for said in (remit("who", "admin"), remit("login", "--code-stdin", by="ana", given=code)):
            assert said.code != 0
            assert "`nobody` of this machine listens" in said.err
            assert "--served-by nobody" in said.err
        assert thief.leave() == []
    remit.start(port=port)
    assert remit("login", "--code-stdin", by="ana", given=code).code == 0


@needs_another_user
@pytest.mark.parametrize("how", [("run", "--", "true"), ("connect",)], ids=lambda how: how[0])
@pytest.mark.parametrize("proof", ["key", "platform's token"])
def test_another_user_at_the_port_is_sent_nothing_of_an_agent(
    remit: Remit, tmp_path: Path, how: tuple[str, ...], proof: str
) -> None:
    """It receives neither an assertion nor a platform's token, nor the session of the person who states the
    intent.
    """
    purpose = ("--owner", "admin", "--purpose", "keep notes tidy")
    assert remit("agent", "register", "note-bot", *purpose).code == 0
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("a.platform.token")
    by = ("--token-file", str(token)) if proof != "key" else ()
    command, *rest = how
    remit.stop()
    with thief_at(remit.port, NOBODY) as thief:
        said = remit.apart(command, "--agent", "note-bot", "--task", "tidy-note", *by, *rest)
        assert said.code == 3
        assert "`nobody` of this machine listens" in said.err
        assert thief.leave() == []


@needs_another_user
def test_whoever_has_not_accepted_yet_is_asked_for_too(remit: Remit) -> None:
    """A connection that waits in the backlog has no process yet; the owner of its listener counts."""
    port = remit.port
    remit.stop()
    listen = (
        "import socket, sys; one = socket.socket(); one.setsockopt(1, 2, 1);"
        " one.bind(('127.0.0.1', int(sys.argv[1]))); one.listen(); print('ready', flush=True);"
        " sys.stdin.read(); got, _ = one.accept(); got.settimeout(1); print(got.recv(9), flush=True)"
    )
    with subprocess.Popen(
        [OPEN_PYTHON, "-I", "-c", listen, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        user=NOBODY,
        cwd="/",
    ) as silent:
        assert silent.stdout is not None
        assert silent.stdin is not None
        assert silent.stdout.readline() == b"ready\n"
        said = remit("who", "admin")
        assert "`nobody` of this machine listens" in said.err
        silent.stdin.close()
        assert silent.stdout.read() == b"b''\n"


@needs_another_user
def test_a_user_that_was_named_once_is_known_from_then_on(remit: Remit) -> None:
    """Where remit runs as its own user, people name that user at their first sign-in."""
    port = remit.port
    remit.stop()
    with thief_at(port, NOBODY) as named:
        remit("login", "--code-stdin", "--served-by", "nobody", given="abcd-abcd-abcd-abcd")
        (sent,) = named.leave()
    assert sent["path"] == "/api/v1/sign-in"
    assert remit("login", "--code-stdin", "--served-by", "no-such-user", given="x").code == 2


def test_a_session_goes_with_its_proofs_in_every_command(remit: Remit) -> None:
    """Questions, work, streams and the intent of a task; signing out ends it at remit as well."""
    assert remit("person", "add", "ana").code == 0
    remit.sign_in("ana")
    assert remit("who", "ana", by="ana").code == 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.chdir(remit.folder),
    ):
        patch.setenv("XDG_CONFIG_HOME", remit.env["XDG_CONFIG_HOME"])
        kept = session_for(remit.url)
        assert kept.proven_at == remit.url
        key = terminal_key()
    assert remit("logout").code == 0
    assert proven(remit, DpopProver(key), kept.secret) == "no-session"


def test_the_key_lies_beside_the_sessions_for_its_owner_alone(remit: Remit) -> None:
    """A reader of both files has the sessions; laxer modes are refused."""
    place = Path(remit.env["XDG_CONFIG_HOME"]) / "remit" / "keys" / "terminal.key.json"
    assert place.stat().st_mode & 0o777 == 0o600
    assert place.parent.stat().st_mode & 0o777 == 0o700
    place.chmod(0o640)
    said = remit("who", "admin")
    assert said.code == 2
    assert f"chmod 600 {place}" in said.err
