# SPDX-License-Identifier: Apache-2.0
"""Transcripts of coding assistants, made up, in the forms that Claude Code and Codex write.

`Claude` and `Codex` write one session entry by entry; `many` writes a home with any number of ordinary
sessions of realistic size and mixture, always the same for the same seed.
"""

from __future__ import annotations

import json
import random
import string
from pathlib import Path
from typing import Any

WORKSPACE = "/home/ada/shop"
REJECTED = (
    "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it was a file "
    "edit, the new_string was NOT written to the file). STOP what you are doing and wait for the user."
)


class Claude:
    """One session of Claude Code."""

    def __init__(self, session: str = "s-1", workspace: str = WORKSPACE) -> None:
        self.session, self.workspace = session, workspace
        self.entries: list[dict[str, Any]] = []
        self._calls = 0

    def _add(self, kind: str, **more: Any) -> None:
        number = len(self.entries)
        self.entries.append(
            {
                "parentUuid": f"{self.session}-{number - 1}" if number else None,
                "isSidechain": False,
                "userType": "external",
                "cwd": self.workspace,
                "sessionId": self.session,
                "version": "2.1.328",
                "gitBranch": "main",
                "type": kind,
                "uuid": f"{self.session}-{number}",
                "timestamp": f"2026-11-01T10:{number // 60 % 60:02}:{number % 60:02}.000Z",
                **more,
            }
        )

    def human(self, text: str, *, mode: str = "default", **marks: Any) -> Claude:
        """Add a prompt that the person typed; `marks` replace the entry's own."""
        own = {"origin": {"kind": "human"}, "promptSource": "typed", "permissionMode": mode}
        self._add("user", message={"role": "user", "content": text}, **{**own, **marks})
        return self

    def unmarked(self, text: str, **marks: Any) -> Claude:
        """Add an entry of type `user` without marks of its origin."""
        self._add("user", message={"role": "user", "content": text}, **marks)
        return self

    def call(
        self, name: str, arguments: Any, result: Any = "ok", *, error: bool = False, **marks: Any
    ) -> Claude:
        """Add a call and its result, which Claude Code writes twice; None leaves the result out."""
        self._calls += 1
        number = f"toolu_{self.session}_{self._calls}"
        use = {"type": "tool_use", "id": number, "name": name, "input": arguments}
        self._add(
            "assistant",
            message={"role": "assistant", "content": [use], "usage": {"output_tokens": 90}},
            **marks,
        )
        if result is not None:
            block = {"tool_use_id": number, "type": "tool_result", "content": result, "is_error": error}
            about = {"stdout": result, "stderr": "", "interrupted": False}
            self._add("user", message={"role": "user", "content": [block]}, toolUseResult=about, **marks)
        return self

    def text(self) -> str:
        """Return the transcript."""
        return "".join(json.dumps(one) + "\n" for one in self.entries)

    def write(self, home: Path) -> Path:
        """Write the transcript where Claude Code keeps it."""
        folder = home / ".claude" / "projects" / self.workspace.replace("/", "-")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.session}.jsonl"
        path.write_text(self.text(), encoding="utf-8")
        return path


class Codex:
    """One session of the Codex CLI."""

    def __init__(self, session: str = "c-1", workspace: str = WORKSPACE, *, source: Any = "cli") -> None:
        self.session = session
        self.entries: list[dict[str, Any]] = []
        self.add(
            "session_meta", {"id": session, "cwd": workspace, "source": source, "cli_version": "0.153.0"}
        )

    def add(self, kind: str, payload: dict[str, Any]) -> Codex:
        """Add an item."""
        self.entries.append({"timestamp": "2026-11-01T10:00:00.000Z", "type": kind, "payload": payload})
        return self

    def human(self, text: str, *, policy: str = "on-request") -> Codex:
        """Add what the person sent, and the context of the turn."""
        self.add("event_msg", {"type": "user_message", "message": text, "kind": "plain"})
        return self.add("turn_context", {"cwd": WORKSPACE, "approval_policy": policy})

    def call(self, name: str, arguments: Any, result: Any = "ok") -> Codex:
        """Add a call of a function and its result."""
        number = f"call_{len(self.entries)}"
        given = {"type": "function_call", "name": name, "arguments": json.dumps(arguments), "call_id": number}
        self.add("response_item", given)
        return self.add(
            "response_item", {"type": "function_call_output", "call_id": number, "output": result}
        )

    def patch(self, text: str, result: str = "Success") -> Codex:
        """Add a call of `apply_patch`."""
        number = f"call_{len(self.entries)}"
        self.add(
            "response_item",
            {"type": "custom_tool_call", "name": "apply_patch", "input": text, "call_id": number},
        )
        return self.add(
            "response_item", {"type": "custom_tool_call_output", "call_id": number, "output": result}
        )

    def write(self, home: Path) -> Path:
        """Write the transcript where Codex keeps it."""
        folder = home / ".codex" / "sessions" / "2026" / "11" / "01"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"rollout-2026-11-01T10-00-00-{self.session}.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in self.entries), encoding="utf-8")
        return path


_TASKS = (
    "Fix the failing test in tests/test_{0}.py, run the tests and commit",
    "Implement a discount for {0} in src/{0}.py and add tests",
    "Refactor src/{0}.py so that it has no global state, then run the linter",
    "Update the documentation of {0} in docs/{0}.md",
)
_TOPICS = ("cart", "order", "invoice", "stock", "search", "mail", "report", "login", "price", "refund")
_COMMANDS = (
    ("git status", 200), ("git diff", 3000), ("ls -la src", 600), ("python -m pytest -q tests", 2500),
    ("npm test -- --run", 3000), ("rg -n 'def total' src | head -40", 1500), ("ruff check .", 300),
    ("git log --oneline -10", 500), ("cat pyproject.toml", 1200), ("make build 2>&1 | tail -30", 1800),
    ("find . -name '*.py' -newer setup.cfg", 900), ("git add -A && git commit -m 'work on the shop'", 200),
)  # fmt: skip


def code(rng: random.Random, size: int) -> str:
    """Return about `size` characters that look like numbered source code."""
    lines: list[str] = []
    length = 0
    while length < size:
        name = "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9)))
        begin = rng.choice(("return", "value =", "self." + name, "def " + name))
        line = f"{len(lines) + 1:>6}→    {begin}({name}, {rng.randint(0, 999)})"
        lines.append(line)
        length += len(line) + 1
    return "\n".join(lines)


def ordinary(session: str, rng: random.Random, *, calls: int = 17) -> Claude:
    """Return a session of ordinary work in a workspace, of about 6 kB a call.

    One in eight reads a page that the person names, one in eight runs code in its command line, one in twenty
    asks a tracker.
    """
    topic = rng.choice(_TOPICS)
    made = Claude(session)
    page = f"https://docs.shop.example/{topic}" if rng.random() < 0.125 else ""
    issue = rng.randint(1, 999) if rng.random() < 0.05 else 0
    said = rng.choice(_TASKS).format(topic)
    said += f". Get issue {issue} first" if issue else ""
    said += f". Read {page} first" if page else ""
    made.human(said, mode=rng.choice(("default", "acceptEdits")))
    if page:
        made.call("WebFetch", {"url": page, "prompt": "how does it work"}, code(rng, 4000))
    if issue:
        made.call("mcp__tracker__get_issue", {"number": issue}, code(rng, 800))
    if rng.random() < 0.125:
        made.call("Bash", {"command": f"python3 -c 'import {topic}; print({topic}.total())'"}, "42")
    for number in range(calls):
        kind = rng.random()
        file = f"{WORKSPACE}/src/{rng.choice(_TOPICS)}.py"
        if kind < 0.35:
            made.call("Read", {"file_path": file}, code(rng, rng.choice((800, 1500, 3000, 6000))))
        elif kind < 0.65:
            command, size = rng.choice(_COMMANDS)
            made.call("Bash", {"command": command, "description": "Work on the shop"}, code(rng, size))
        elif kind < 0.85:
            change = {"file_path": file, "old_string": code(rng, 300), "new_string": code(rng, 400)}
            made.call("Edit", change, f"The file {file} has been updated.\n{code(rng, 500)}")
        elif kind < 0.95:
            made.call("Grep", {"pattern": rng.choice(_TOPICS), "path": WORKSPACE}, code(rng, 600))
        else:
            made.call(
                "TodoWrite", {"todos": [{"content": "test", "status": "pending"}]}, "Todos have been modified"
            )
        if number % 10 == 9:
            made.human("Good, go on", mode="default")
        thought = {"type": "thinking", "thinking": code(rng, 300), "signature": "Eq" * 200}
        made._add("assistant", message={"role": "assistant", "content": [thought]})
    return made


def many(home: Path, *, sessions: int, seed: int = 7) -> int:
    """Write ordinary sessions below a home; return their size in bytes."""
    rng = random.Random(seed)
    size = 0
    for number in range(sessions):
        size += ordinary(f"session-{number:05}", rng).write(home).stat().st_size
    return size
