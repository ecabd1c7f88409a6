# SPDX-License-Identifier: Apache-2.0
"""A prompt's author, as the client's transcript marks it; and when a transcript does not count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.runtime.claude_transcripts import ClaudeTranscripts
from remit.core.transcripts.turns import WordsOrigin
from remit.services.guard.words import origin_by_marks

TYPED = {"origin": {"kind": "human"}, "promptSource": "typed"}
NOTICE = {"origin": {"kind": "task-notification"}, "promptSource": "system"}


def entry(text: str, **more: Any) -> str:
    """Return the entry of a prompt."""
    return json.dumps(
        {"type": "user", "promptId": "p1", "message": {"role": "user", "content": text}, **more}
    )


def transcript(home: Path, *lines: str) -> str:
    """Write a transcript."""
    file = home / "projects" / "-p" / "s1.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(file)


@pytest.mark.parametrize(
    ("lines", "origin"),
    [
        ([entry("go", **TYPED)], WordsOrigin.HUMAN),
        ([entry("go", **NOTICE)], WordsOrigin.SYSTEM),
        ([entry("go", **TYPED), entry("go", **NOTICE)], WordsOrigin.SYSTEM),
        ([entry("go", promptSource="sdk")], WordsOrigin.UNKNOWN),
        ([entry("go", **TYPED, isMeta=True)], WordsOrigin.SYSTEM),
        ([entry("go", promptSource="suggestion", origin={"kind": "human"})], WordsOrigin.SYSTEM),
        ([entry("go")], WordsOrigin.UNKNOWN),
        ([entry("stop", **TYPED)], WordsOrigin.UNKNOWN),
        (["{", "[]", '"x"', entry("go", **TYPED)], WordsOrigin.HUMAN),
        ([], WordsOrigin.UNKNOWN),
    ],
)
def test_the_worst_mark_of_a_prompt_counts(tmp_path: Path, lines: list[str], origin: WordsOrigin) -> None:
    """An entry that was added beside the client's own does not outweigh it."""
    marks = ClaudeTranscripts(tmp_path).marks(transcript(tmp_path, *lines), "p1", "go")
    assert origin_by_marks(marks, headless=False) is origin


def test_an_entry_of_another_prompt_does_not_count(tmp_path: Path) -> None:
    """The same words were typed an hour ago; the model's own prompt repeats them."""
    path = transcript(tmp_path, entry("go", **TYPED))
    assert ClaudeTranscripts(tmp_path).marks(path, "p2", "go") == []


def test_only_the_clients_own_folder_is_read(tmp_path: Path) -> None:
    """A hook that names another file, or a link out of the folder, brings nothing."""
    outside = tmp_path / "outside.jsonl"
    outside.write_text(entry("go", **TYPED), encoding="utf-8")
    home = tmp_path / "home"
    (home / "projects").mkdir(parents=True)
    link = home / "projects" / "s1.jsonl"
    link.symlink_to(outside)
    reader = ClaudeTranscripts(home)
    for path in (str(outside), str(link), str(home / "projects"), "/dev/zero", "", "\0"):
        assert reader.marks(path, "p1", "go") == []


def test_headless_prompts_count_as_the_persons_where_that_was_chosen(tmp_path: Path) -> None:
    """`claude -p` in a script: the installation says whose words they are."""
    marks = ClaudeTranscripts(tmp_path).marks(
        transcript(tmp_path, entry("go", promptSource="sdk")), "p1", "go"
    )
    assert origin_by_marks(marks, headless=True) is WordsOrigin.HUMAN


def answered(name: str, output: int, **usage: Any) -> str:
    """Return a line of a message of the model."""
    told = {"input_tokens": 3, "output_tokens": output, **usage}
    return json.dumps({"type": "assistant", "message": {"id": name, "model": "m-1", "usage": told}})


def test_the_model_calls_of_a_transcript_are_its_messages(tmp_path: Path) -> None:
    """A message stands in several lines, of which the last has its final counts; caches were read, too."""
    path = transcript(
        tmp_path,
        entry("go", **TYPED),
        answered("msg_1", 1),
        answered("msg_1", 20, cache_read_input_tokens=1000, cache_creation_input_tokens=None),
        answered("msg_2", 5),
        "{",
        answered("msg_3", -1),
        json.dumps({"type": "assistant", "message": {"id": "msg_4"}}),
    )
    calls = ClaudeTranscripts(tmp_path).usage(path)
    assert [(one.span, one.model, one.input_tokens, one.output_tokens) for one in calls] == [
        ("claude-code/msg_1", "m-1", 1003, 20),
        ("claude-code/msg_2", "m-1", 3, 5),
    ]


def test_model_calls_elsewhere_do_not_count(tmp_path: Path) -> None:
    """A file outside of the client's folder states nothing."""
    elsewhere = tmp_path / "elsewhere.jsonl"
    elsewhere.write_text(answered("msg_1", 5), encoding="utf-8")
    assert ClaudeTranscripts(tmp_path).usage(str(elsewhere)) == []
