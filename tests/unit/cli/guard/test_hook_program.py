# SPDX-License-Identifier: Apache-2.0
"""The program of a hook prints remit's answer, and lets nothing happen where it has none."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from remit.cli.guard import hook_program
from remit.cli.guard.client_hooks import HookConnection, hooks_of, program_words
from remit.cli.guard.hook_settings import connection_of, is_whole, with_hooks
from remit.cli.wrap.backup import digest
from remit.core.hooks.forms import FORMS

BY_COMMAND = [name for name, form in FORMS.items() if form.by_command]
#: Status, headers and body of what answers; the seconds that it waits before.
OK = (200, {"X-Remit-Answer": "1"}, b'{"decision":"deny"}', 0.0)


@contextmanager
def answering(
    status: int, headers: dict[str, str], body: bytes, delay_s: float
) -> Iterator[tuple[str, list[bytes]]]:
    """Serve one answer to everything; yield the address, and what was asked."""
    asked: list[bytes] = []
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = self.rfile.read(int(self.headers["content-length"]))
            asked.append(f"{self.path} {self.headers['x-remit-guard']} ".encode() + told)
            over.wait(delay_s)
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hooks/codex", asked
        over.set()
        server.shutdown()


def run(
    place: Path, event: str = "PreToolUse", body: str = '{"a": 1}', wait: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run the program as a hook does, in an environment that must not matter."""
    words = program_words(sys.executable, Path(hook_program.__file__))
    env = {"PYTHONPATH": str(place.parent), "HTTP_PROXY": "http://127.0.0.1:9", "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [*words, event, str(place), *wait], input=body, env=env, capture_output=True, text=True, check=False
    )


def connection(folder: Path, url: str, deadline_s: float = 20.0) -> Path:
    """Write the file of a connection."""
    place = folder / "hook-codex.json"
    place.write_bytes(HookConnection(url=url, secret="s" * 64, deadline_s=deadline_s).written())
    return place


def test_an_event_goes_to_remit_and_its_answer_is_printed(tmp_path: Path) -> None:
    """The event's name is in the address, the secret in a header, the body as it came."""
    with answering(*OK) as (url, asked):
        done = run(connection(tmp_path, url), body='{"text": "ü"}')
    assert (done.returncode, done.stdout, done.stderr) == (0, '{"decision":"deny"}', "")
    assert asked == [f"/hooks/codex?PreToolUse {'s' * 64} ".encode() + '{"text": "ü"}'.encode()]


@pytest.mark.parametrize(
    "answer",
    [
        (500, {"X-Remit-Answer": "1"}, b"{}", 0.0),
        (401, {}, b'{"code":"hook-secret"}', 0.0),
        (200, {}, b"{}", 0.0),
        (200, {"X-Remit-Answer": "1"}, b"<html>it works!</html>", 0.0),
        (200, {"X-Remit-Answer": "1"}, b"[]", 0.0),
        (200, {"X-Remit-Answer": "1"}, b"", 0.0),
        (200, {"X-Remit-Answer": "1"}, b"{}", 30.0),
    ],
    ids=["error", "refused", "another service", "garbage", "a list", "nothing", "too slow"],
)
def test_what_is_no_answer_lets_nothing_happen(
    tmp_path: Path, answer: tuple[int, dict[str, str], bytes, float]
) -> None:
    """Exit code 2 with a reason; after the end of a turn the same failure is silent to the client."""
    with answering(*answer) as (url, _):
        place = connection(tmp_path, url, deadline_s=0.5)
        done, ended = run(place), run(place, "Stop")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing is permitted" in done.stderr
    assert (ended.returncode, ended.stdout) == (0, "")


def test_a_call_can_wait_for_a_person(tmp_path: Path) -> None:
    """By its own command line, beside the client's time-out; an unreadable wait lets nothing happen."""
    status, headers, body, _ = OK
    with answering(status, headers, body, 1.5) as (url, _):
        place = connection(tmp_path, url, deadline_s=0.5)
        patient, hasty, odd = run(place, wait=("60",)), run(place), run(place, wait=("soon",))
    assert (patient.returncode, hasty.returncode, odd.returncode) == (0, 2, 2)


def test_without_remit_or_its_file_nothing_happens(tmp_path: Path) -> None:
    """Both are said."""
    absent = run(connection(tmp_path, "http://127.0.0.1:9/hooks/codex"))
    lost = run(tmp_path / "gone.json")
    assert (absent.returncode, lost.returncode) == (2, 2)
    assert "`remit up` starts it" in absent.stderr


@pytest.mark.parametrize("client", BY_COMMAND)
def test_a_hook_without_its_program_lets_nothing_happen(tmp_path: Path, client: str) -> None:
    """The shell above speaks for a program that is missing, as the client would start it."""
    words = program_words(sys.executable, tmp_path / "gone.py")
    made = hooks_of(client, HookConnection(url="u", secret="s", place="p", words=words))
    form = FORMS[client]
    for name, hook in made.items():
        text = json.dumps(hook)
        inner = hook["hooks"][0] if isinstance(hook, dict) and "hooks" in hook else hook
        said = inner.get("command") or inner.get("bash")
        done = subprocess.run(["bash", "-c", said], input="{}", capture_output=True, text=True, check=False)
        if name in hook_program.ENDINGS:
            assert done.returncode == 0, text
        else:
            assert (done.returncode, done.stdout) == (2, ""), text
            assert "nothing is permitted" in done.stderr
    assert {name for name in form.events if name not in hook_program.ENDINGS}


@pytest.mark.parametrize("client", BY_COMMAND)
def test_hooks_by_command_are_whole_only_with_their_secret(tmp_path: Path, client: str) -> None:
    """Another secret, address or command counts as missing; so does a file that is gone."""
    place = tmp_path / "guards" / f"hook-{client}.json"
    place.parent.mkdir()
    known = connection_of("http://127.0.0.1:1/hooks/x", "s" * 64, str(place))
    place.write_bytes(known.written())
    text, _ = with_hooks("{}", "f", hooks_of(client, known))
    asked = ("f", client, known.url, digest(known.secret.encode()), str(place))
    assert is_whole(text, *asked) == []
    assert is_whole(text.replace("exit 2", "exit 0", 1), *asked)
    assert is_whole(text, "f", client, "http://127.0.0.1:2/hooks/x", asked[3], str(place))
    assert is_whole(text, "f", client, known.url, digest(b"other"), str(place))
    for off in (
        '"disableAllHooks": true',
        '"hooksConfig": {"enabled": false}',
        '"hooksConfig": {"disabled": ["remit"]}',
    ):
        assert is_whole(text.replace("{", f"{{{off}, ", 1), *asked) == list(FORMS[client].events)
    place.unlink()
    assert is_whole(text, *asked) == list(FORMS[client].events)
