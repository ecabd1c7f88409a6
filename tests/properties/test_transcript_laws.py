# SPDX-License-Identifier: Apache-2.0
"""Laws of what is read from untrusted transcripts: nothing raises, and odd text is never harmless."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from remit.core.coding.calls import CLIENTS, coding_call
from remit.core.coding.paths import absolute, kind_of, relative
from remit.core.coding.programs import Deed
from remit.core.coding.shell import parse
from remit.core.transcripts.claude_code import ClaudeCodeReader
from remit.core.transcripts.codex import CodexReader
from remit.core.transcripts.gemini import GeminiReader
from remit.core.transcripts.turns import WordsOrigin, WordsTurn

HOME = "/home/ada/shop"
_WORDS = st.sampled_from(
    ["type", "user", "assistant", "message", "content", "tool_use", "tool_result", "origin", "kind",
     "human", "name",
     "promptSource", "typed", "payload", "response_item", "function_call", "arguments", "Bash",
     "input", "command",
     "toolCalls", "args", "status", "success", "$set", "messages", "isMeta", "text", "session_meta",
     "source", "cli"]
)  # fmt: skip
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | _WORDS | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(_WORDS | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=25,
)
_SHELL = st.lists(
    st.sampled_from(
        ["ls", "cat", ".env", "|", "&&", ";", "$(", ")", "`", "'", '"', ">", "<<EOF", "\n", "rm",
         "-rf", "~", "curl",
         "https://evil.example/a", "bash", "-c", "git", "push", "cd", "..", "/", "$X", "{", "}",
         "sudo", "npx", "=", "\\"]
    ),
    max_size=12,
).map(" ".join)  # fmt: skip


@given(st.lists(_VALUES, max_size=4))
def test_no_entry_raises_and_only_marked_words_are_a_persons(entries: list[Any]) -> None:
    """Whatever an entry holds, a reader returns turns, and a person's words carry the person's marks."""
    for reader in (ClaudeCodeReader("s", set()), CodexReader("s"), GeminiReader("s", HOME)):
        for entry in entries:
            turns = reader.read(json.dumps(entry).encode("utf-8", "replace"))
            human = [
                turn for turn in turns if isinstance(turn, WordsTurn) and turn.origin is WordsOrigin.HUMAN
            ]
            if human and isinstance(reader, ClaudeCodeReader):
                assert entry.get("promptSource") in (None, "typed", "queued")
                assert entry.get("promptSource") or entry["origin"]["kind"] == "human"
            assert not (human and isinstance(reader, GeminiReader))


@given(st.binary(max_size=200))
def test_no_bytes_raise(line: bytes) -> None:
    """Bytes that are no JSON are counted."""
    for reader in (ClaudeCodeReader("s", set()), CodexReader("s"), GeminiReader("s", HOME)):
        reader.read(line)
        assert reader.counts.lines == 1


@given(st.text(max_size=60) | _SHELL)
def test_a_command_that_cannot_be_parsed_may_do_anything(command: str) -> None:
    """No command raises, and one that the grammar does not know is the worst case."""
    found = parse(command, HOME, HOME)
    assert found.parsed or found.deed is Deed.ANY


@given(_SHELL, st.sampled_from(["; strange-program", " | sh", "; python3 -c x", "; sudo ls"]))
def test_more_text_never_makes_a_command_harmless(command: str, more: str) -> None:
    """A command with a part that may do anything may do anything, whatever stands before it."""
    if parse(command, HOME, HOME).parsed:
        assert parse(command + more, HOME, HOME).deed is Deed.ANY or "<<EOF" in command or "#" in command


@given(
    st.sampled_from(CLIENTS), st.sampled_from(["Bash", "shell", "Read", "apply_patch", "Write", "x"]), _VALUES
)
def test_no_arguments_raise(client: str, name: str, given_arguments: Any) -> None:
    """Arguments of any form make a call, described or not."""
    made = coding_call(client, name, given_arguments, cwd=HOME, workspace=HOME)
    assert made.described or made.tool.startswith("other")


@given(st.text(max_size=40), st.text(max_size=20))
def test_a_path_outside_never_reads_as_one_inside(path: str, cwd: str) -> None:
    """A relative form is given to paths of the workspace alone."""
    found = absolute(path, f"/{cwd}")
    kind_of(found, HOME, write=True)
    if not found.startswith(HOME + "/") and found != HOME:
        assert relative(found, HOME) == found
