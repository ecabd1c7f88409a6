# SPDX-License-Identifier: Apache-2.0
"""The guide to backups, followed to its end: its commands, in its order, and how what they print begins."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from remit.core.canonical import digest
from tests.architecture.tree import ROOT
from tests.gateways.remit_up import CODE, Remit, Said, furnished

pytestmark = pytest.mark.long

PAGE = (ROOT / "docs" / "howto" / "back-up-and-restore.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)


def steps() -> Iterator[tuple[list[str], str]]:
    """Read the commands of the page, each with what it prints."""
    for block in BLOCK.findall(PAGE):
        for part in re.split(r"^\$ remit ", block, flags=re.MULTILINE)[1:]:
            command, _, told = part.partition("\n")
            yield command.split(), told.strip()


def alike(text: str) -> str:
    """Return a text without its numbers and line breaks."""
    return re.sub(r"\d+", "N", " ".join(text.split()))


def carried_out(remit: Remit, words: list[str]) -> Said:
    """Carry out a command as the page's reader does, who sees prompts and codes."""
    match words:
        case ["stop"]:
            return Said(remit.stop(), "stopped", "")
        case ["up", *more]:
            remit.start(*more, port=remit.port)
            return Said(0, "", "")
        case ["login"]:
            code = CODE.search(remit.log.read_text())
            return remit("login", "--code-stdin", given=code[0] if code else "")
        case ["unlock", scope]:
            (lock,) = remit.ask("lock")["items"]
            return remit("unlock", scope, "--confirm", digest(lock))
    return remit(*words)


def test_the_page_is_true_of_a_backup_that_lacks_what_came_after_it(tmp_path: Path) -> None:
    """The evidence grows after the backup, so that the restore loses events."""
    with furnished(tmp_path) as remit:
        assert remit("person", "add", "vera", "--role", "administrator").code == 0
        done = []
        for words, told in steps():
            if words == ["stop"]:
                assert remit("person", "add", "lena").code == 0
            said = carried_out(remit, words)
            assert (said.code != 0) is told.startswith("error:"), (words, said)
            assert alike(told) in alike(said.out + said.err), words
            done.append(words[0])
        assert done == ["backup", "backup", "stop", "restore", "restore", "up", "login", "lock", "unlock"]
