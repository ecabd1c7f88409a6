# SPDX-License-Identifier: Apache-2.0
"""Ordinary sessions of a coding assistant in the project, scripted: always the same for the same seed.

Each session is one client process. It looks around, reads, edits what is there, writes something new, commits
and keeps notes. In one of six it reads manuals on the web for its person, and writes nothing.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.adoption.project import DOCS, TOPICS, Project, first_test, module

Json = Any
#: Pieces of work in one session.
PIECES = 10
PAGES = 5


class Call(NamedTuple):
    """One call of the assistant."""

    server: str
    tool: str
    arguments: Json


class Assistant:
    """What an assistant does day by day. It remembers what it wrote, so that its edits fit."""

    def __init__(self, project: Project, seed: int) -> None:
        """Know the project as it is first."""
        self._random = random.Random(seed)
        self._root = project.folder
        self._rates = dict.fromkeys(TOPICS, 3)
        self._made = 0
        self._noted: list[str] = []

    def working(self) -> Iterator[Call]:
        """Yield the calls of a session that changes the project."""
        yield from self._look_around()
        for _ in range(PIECES):
            work = self._random.choices((self._fix, self._feature, self._document, self._look), (4, 2, 2, 2))[
                0
            ]
            yield from work()
        yield self._git("git_log", max_count=self._random.choice((5, 10, 20)))

    def reading(self) -> Iterator[Call]:
        """Yield the calls of a session that reads manuals and answers its person."""
        yield from self._look_around()
        for _ in range(PAGES):
            topic = self._topic()
            yield self._files("read_text_file", path=self._path("src", f"{topic}.py"))
            yield self._manual(topic)
        yield self._git("git_log", max_count=5)

    def reading_first(self) -> Iterator[Call]:
        """Yield the calls of a session that reads a manual and then changes the project by it."""
        topic = self._topic()
        yield self._manual(topic)
        yield from self.working()

    def _look_around(self) -> Iterator[Call]:
        yield self._files("list_directory", path=self._path())
        yield self._git("git_status")
        yield Call("memory", "search_nodes", {"query": self._topic()})

    def _fix(self) -> Iterator[Call]:
        topic = self._topic()
        file, test = self._path("src", f"{topic}.py"), self._path("tests", f"test_{topic}.py")
        yield self._files("search_files", path=self._path(), pattern=f"**/*{topic}*")
        yield self._files("read_text_file", path=file)
        yield self._files("read_text_file", path=test)
        old = self._rates[topic]
        new = self._rates[topic] = old + self._random.randint(1, 5)
        for path, before, after in (
            (file, f"RATE = {old}", f"RATE = {new}"),
            (test, f"== {old}", f"== {new}"),
        ):
            yield self._files("edit_file", path=path, edits=[{"oldText": before, "newText": after}])
        yield self._git("git_diff_unstaged")
        yield from self._commit(f"{topic}: a rate of {new}", f"src/{topic}.py", f"tests/test_{topic}.py")

    def _feature(self) -> Iterator[Call]:
        self._made += 1
        topic = f"{self._topic()}_{self._made}_{self._random.randrange(10**4)}"
        yield self._files("directory_tree", path=self._path("src"))
        files = [self._path("src", f"{self._topic()}.py") for _ in range(3)]
        yield self._files("read_multiple_files", paths=files)
        yield self._files("write_file", path=self._path("src", f"{topic}.py"), content=module(topic))
        yield self._files(
            "write_file", path=self._path("tests", f"test_{topic}.py"), content=first_test(topic)
        )
        yield from self._commit(f"{topic}: begin", f"src/{topic}.py", f"tests/test_{topic}.py")
        said = {"name": topic, "entityType": "module", "observations": [f"{topic} is new in the shop"]}
        self._noted.append(topic)
        yield Call("memory", "create_entities", {"entities": [said]})

    def _document(self) -> Iterator[Call]:
        topic = self._topic()
        yield self._files("read_text_file", path=self._path("docs", f"{topic}.md"))
        text = f"# {topic}\n\nThe {topic} of the shop, {self._random.randrange(10**6)} times a day.\n"
        yield self._files("write_file", path=self._path("docs", f"{topic}.md"), content=text)
        yield self._git("git_diff_unstaged")
        yield from self._commit(f"docs: {topic}", f"docs/{topic}.md")

    def _look(self) -> Iterator[Call]:
        yield Call("memory", "read_graph", {})
        yield self._files("list_directory", path=self._path(self._random.choice(("src", "tests", "docs"))))
        for _ in range(3):
            yield self._files("read_text_file", path=self._path("src", f"{self._topic()}.py"))
        yield self._git("git_show", revision=self._random.choice(("HEAD", "HEAD~1", "HEAD~2")))
        if self._noted:
            name = self._random.choice(self._noted)
            about = {
                "entityName": name,
                "contents": [f"{name} was looked at {self._random.randrange(10**6)}"],
            }
            yield Call("memory", "add_observations", {"observations": [about]})

    def _commit(self, message: str, *paths: str) -> Iterator[Call]:
        yield self._git("git_add", files=list(paths))
        yield self._git("git_commit", message=message)

    def _manual(self, topic: str) -> Call:
        url = f"http://{self._random.choice(DOCS)}/{topic}/page-{self._random.randrange(500)}"
        return Call("fetch", "fetch", {"url": url})

    def _files(self, tool: str, **arguments: Json) -> Call:
        return Call("files", tool, arguments)

    def _git(self, tool: str, **arguments: Json) -> Call:
        return Call("git", tool, {"repo_path": str(self._root), **arguments})

    def _topic(self) -> str:
        return self._random.choice(TOPICS)

    def _path(self, *parts: str) -> str:
        return str(Path(self._root, *parts))
