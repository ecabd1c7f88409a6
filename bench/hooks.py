# SPDX-License-Identifier: Apache-2.0
"""What a hook of a guarded coding assistant takes, with a real `remit up`: one working session.

Each call is two hooks, before and after it, each on a separate connection, as the clients make them. The
sender is one process, whose sockets remit looks up as it does a client's.
"""

import http.client
import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from bench.figure import Figure

CALLS = 1_000
HOOK_P99 = "hooks: p99 of a hook before a call"
RESULT_P99 = "hooks: p99 of a hook after a call"
START_S = 60
_TEXT = "def parse(line: str) -> list[str]:\n    return line.split()\n" * 60


def hooks(quick: bool) -> list[Figure]:
    """Measure one session; a quick one has a tenth of the calls, and is not compared."""
    count = CALLS // 10 if quick else CALLS
    with tempfile.TemporaryDirectory(prefix="remit-bench-") as kept:
        home = Path(kept)
        port = _installed(home)
        up = [sys.executable, "-P", "-m", "remit", "up"]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(up, env=_env(home), cwd=kept, stdout=quiet, stderr=quiet) as running:
            try:
                _wait(port)
                before, after = _session(home, port, count)
            finally:
                running.terminate()
    how = f"one session of {count} calls of Bash, Read and Edit; a connection for each hook"
    suffix = "" if not quick else f" ({count} calls)"
    return [
        Figure(name=HOOK_P99 + suffix, value=_p99(before) * 1e3, unit="ms", how=how),
        Figure(name=RESULT_P99 + suffix, value=_p99(after) * 1e3, unit="ms", how=how),
    ]


def _env(home: Path) -> dict[str, str]:
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith(("REMIT_", "XDG_"))},
        "HOME": str(home),
    }


def _installed(home: Path) -> int:
    command = [sys.executable, "-P", "-m", "remit", "guard", "install", "claude-code"]
    subprocess.run(
        [*command, "--mode", "enforce", "--headless"],
        env=_env(home),
        cwd=home,
        check=True,
        capture_output=True,
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    config = home / ".config/remit/remit.yaml"
    lines = [one for one in config.read_text(encoding="utf-8").splitlines() if not one.startswith("listen:")]
    config.write_text("\n".join([*lines, f"listen: {{port: {port}}}", ""]), encoding="utf-8")
    return port


def _wait(port: int) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError("remit did not start")


def _session(home: Path, port: int, count: int) -> tuple[list[float], list[float]]:
    settings = json.loads((home / ".claude/settings.json").read_text(encoding="utf-8"))
    secret = settings["hooks"]["PreToolUse"][0]["hooks"][0]["headers"]["X-Remit-Guard"]
    project = str(home / "project")

    def send(name: str, **more: object) -> tuple[float, bytes]:
        body = json.dumps({"hook_event_name": name, "session_id": "s", "cwd": project, **more})
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port)
        headers = {"X-Remit-Guard": secret, "Content-Type": "application/json"}
        connection.request("POST", "/hooks/claude-code", body, headers)
        answer = connection.getresponse()
        said = answer.read()
        took = time.perf_counter() - began
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"a hook failed: {answer.status} {said!r}")
        return took, said

    send("UserPromptSubmit", prompt="fix the parser and run the tests", source="user")
    before, after = [], []
    for number, (tool, given, result) in zip(range(count), itertools.cycle(_calls(project)), strict=False):
        call = {"tool_name": tool, "tool_input": given, "tool_use_id": f"toolu_{number}"}
        took, said = send("PreToolUse", **call)
        if b"deny" in said:
            raise RuntimeError(f"an ordinary call was refused: {said!r}")
        before.append(took)
        after.append(send("PostToolUse", **call, tool_response=result)[0])
    return before, after


def _calls(project: str) -> list[tuple[str, dict[str, object], dict[str, object]]]:
    path = f"{project}/parser.py"
    edit: dict[str, object] = {"file_path": path, "old_string": "split()", "new_string": "split(',')"}
    return [
        ("Read", {"file_path": path}, {"file": {"filePath": path, "content": _TEXT}}),
        ("Bash", {"command": "grep -rn 'def parse' src | head -20"}, {"stdout": _TEXT, "stderr": ""}),
        ("Edit", edit, {"filePath": path, "originalFile": _TEXT}),
        (
            "Bash",
            {"command": "python -m pytest -q tests/ 2>&1 | tail -5"},
            {"stdout": "3 passed", "stderr": ""},
        ),
    ]


def _p99(taken: list[float]) -> float:
    return sorted(taken)[int(len(taken) * 0.99) - 1]
