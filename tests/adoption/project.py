# SPDX-License-Identifier: Apache-2.0
"""A made-up project under git, four public MCP servers of its `.mcp.json`, and a web that is a local proxy.

Others wrote the servers: `git` and `fetch` are from PyPI, `files` and `memory` from npm, in pinned versions.
"""

import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from tests.interop.environments import Environment, NodeEnvironment
from tests.interop.suite import NODE

Json = Any
HERE = Path(__file__).resolve().parent
TOPICS = (
    "cart", "order", "invoice", "stock", "search", "mail", "report", "login", "price", "refund", "coupon",
    "address", "basket", "courier", "ledger", "notice", "parcel", "quote", "rating", "supplier",
)  # fmt: skip
#: Something that is not the project's, and that must reach no agent.
CANARY = "canary-5c1e77d09b"
DOCS = ("docs.shop.example", "docs.python.example")
_WHO = ("-c", "user.name=Ada Example", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")


def module(topic: str) -> str:
    """Return the source of one module."""
    return (
        f'"""The {topic} of the shop."""\n\nRATE = 3\n\n\n'
        f"def total_{topic}(items: list[int]) -> int:\n    return sum(items) * RATE\n\n\n"
        f"def first_{topic}(items: list[int]) -> int:\n    return items[0]\n"
    )


def first_test(topic: str) -> str:
    """Return the source of one test module."""
    return (
        f"from src.{topic} import total_{topic}\n\n\n"
        f"def test_total() -> None:\n    assert total_{topic}([1]) == 3\n"
    )


class Web(ThreadingHTTPServer):
    """The proxy of `fetch`: it answers for every host, and remembers what was asked of it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.pages: dict[str, str] = {}
        self.asked: list[str] = []
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The proxy's address."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Page(BaseHTTPRequestHandler):
    server: Web

    def do_GET(self) -> None:
        """Answer with the page of this address, or with one about it."""
        self.server.asked.append(self.path)
        usual = f"How it works: {self.path.rpartition('/')[2]}. Call it with a list of numbers, and test it."
        text = self.server.pages.get(self.path, usual)
        body = f"<html><body><article><h1>Manual</h1><p>{text}</p></article></body></html>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


class Project:
    """A person's home with one project in it."""

    def __init__(self, folder: Path, web: Web) -> None:
        """Make the home, the project, and what lies beside both."""
        self.home = folder / "home"
        self.folder = self.home / "shop"
        self.memory = self.home / "notes" / "memory.jsonl"
        self.file = self.folder / ".mcp.json"
        self._web = web
        for name in ("src", "tests", "docs"):
            (self.folder / name).mkdir(parents=True)
        self.memory.parent.mkdir()
        (self.home / ".ssh").mkdir(mode=0o700)
        (self.home / ".ssh" / "id_ed25519").write_text(f"-----BEGIN KEY-----\n{CANARY}\n")
        for topic in TOPICS:
            (self.folder / "src" / f"{topic}.py").write_text(module(topic))
            (self.folder / "tests" / f"test_{topic}.py").write_text(first_test(topic))
            (self.folder / "docs" / f"{topic}.md").write_text(f"# {topic}\n\nThe {topic} of the shop.\n")
        (self.folder / ".env").write_text(f"PAYMENT_KEY={CANARY}\n")
        (self.folder / ".gitignore").write_text(".env\n.mcp.json\n")
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Ada Example")
        self.git("config", "user.email", "ada@example.com")
        self.git("add", ".")
        self.git(*_WHO, "commit", "-q", "-m", "Begin the shop")

    def git(self, *words: str) -> str:
        """Run git in the project."""
        env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        done = subprocess.run(
            ["git", "-C", str(self.folder), *words], env=env, capture_output=True, text=True, check=True
        )
        return done.stdout

    def write_client_file(self) -> None:
        """Write the client's file with four servers; raises `NotInstalled`."""
        python, node = (
            Environment("adoption-pypi", HERE / "servers.txt"),
            NodeEnvironment("adoption-npm", HERE / "npm"),
        )
        python.ready()
        node.ready()
        scripts, packages = python.python.parent, node.modules / "@modelcontextprotocol"

        def npm(name: str, *words: str, **env: str) -> Json:
            program = str(packages / f"server-{name}" / "dist" / "index.js")
            return {"command": str(NODE), "args": [program, *words], **({"env": env} if env else {})}

        servers = {
            "files": npm("filesystem", str(self.folder)),
            "git": {"command": str(scripts / "mcp-server-git"), "args": ["--repository", str(self.folder)]},
            "fetch": {
                "command": str(scripts / "mcp-server-fetch"),
                "args": ["--ignore-robots-txt", "--proxy-url", self._web.url],
            },
            "memory": npm("memory", MEMORY_FILE_PATH=str(self.memory)),
        }
        self.file.write_text(json.dumps({"mcpServers": servers}, indent=2) + "\n")

    def state(self) -> Json:
        """Return everything that a call could change, but for what git itself notes of a look."""
        files = {
            str(path.relative_to(self.home)): path.read_bytes()
            for path in sorted(self.home.rglob("*"))
            if path.is_file() and ".git" not in path.parts and self._is_the_persons(path)
        }
        refs = self.git("for-each-ref"), self.git("log", "--all", "--format=%H"), self.git("diff", "--cached")
        return {"files": files, "refs": refs, "asked": len(self._web.asked)}

    def _is_the_persons(self, path: Path) -> bool:
        return path.is_relative_to(self.folder) or path == self.memory or ".ssh" in path.parts
