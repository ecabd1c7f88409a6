# SPDX-License-Identifier: Apache-2.0
"""The model calls of a guarded coding assistant count for its task, as its transcript states them."""

from __future__ import annotations

import json
from pathlib import Path

from remit.adapters.runtime.claude_transcripts import ClaudeTranscripts
from remit.core.evidence.event import EventKind
from remit.services.guard.usage import GuardedUsage
from tests.worlds.guard import GuardWorld, guard_world


class Transcript:
    """The transcript of a session, as the client writes it."""

    def __init__(self, world: GuardWorld, home: Path) -> None:
        self.file = home / "projects" / "-p" / "s1.jsonl"
        self.file.parent.mkdir(parents=True)
        self.file.touch()
        usage = world.services.tasks.usage
        world.services.guard._usage = GuardedUsage(ClaudeTranscripts(home), usage)

    def answers(self, name: str, tokens: int) -> None:
        """Let the model answer."""
        usage = {"input_tokens": tokens, "output_tokens": 1}
        line = {"type": "assistant", "message": {"id": name, "model": "m-1", "usage": usage}}
        with self.file.open("a", encoding="utf-8") as opened:
            opened.write(json.dumps(line) + "\n")

    @property
    def named(self) -> dict[str, str]:
        """What each event says of it."""
        return {"transcript_path": str(self.file)}


async def used(world: GuardWorld) -> list[tuple[str, int]]:
    """The tasks of recorded model calls, with the tokens that were read."""
    entries = await world.services.evidence.log.pages(limit=1000, kinds=(EventKind.MODEL_USED,))
    leaves = [json.loads(one.leaf) for one in entries]
    return [(one["task"], one["facts"]["input_tokens"]) for one in leaves]


async def test_each_model_call_counts_once_for_the_task_of_the_session(tmp_path: Path) -> None:
    """With the event after it, however often the transcript is read."""
    async with guard_world(tmp_path / "remit") as world:
        transcript = Transcript(world, tmp_path / "client")
        await world.event("UserPromptSubmit", prompt="go", prompt_id="p", **transcript.named)
        transcript.answers("msg_1", 100)
        await world.run("Bash", {"command": "ls"}, {"stdout": "", "stderr": ""}, **transcript.named)
        (task,) = [one.id for one in await world.tasks()]
        assert await used(world) == [(task, 100)]
        transcript.answers("msg_2", 50)
        await world.event("Stop", **transcript.named)
        await world.event("Stop", **transcript.named)
        assert await used(world) == [(task, 100), (task, 50)]


async def test_a_resumed_session_does_not_count_what_it_did_before(tmp_path: Path) -> None:
    """What stands in the transcript at the first event was counted by the session that wrote it."""
    async with guard_world(tmp_path / "remit") as world:
        transcript = Transcript(world, tmp_path / "client")
        transcript.answers("msg_1", 100)
        await world.event("UserPromptSubmit", prompt="go", prompt_id="p", **transcript.named)
        transcript.answers("msg_2", 50)
        await world.event("Stop", **transcript.named)
        assert [tokens for _, tokens in await used(world)] == [50]


async def test_a_transcript_of_another_folder_counts_nothing(tmp_path: Path) -> None:
    """Threat: a program names a file that it has written itself."""
    async with guard_world(tmp_path / "remit") as world:
        transcript = Transcript(world, tmp_path / "client")
        await world.event("UserPromptSubmit", prompt="go", prompt_id="p", **transcript.named)
        forged = tmp_path / "forged.jsonl"
        transcript.answers("msg_1", 100)
        forged.write_bytes(transcript.file.read_bytes())
        transcript.file.write_text("", encoding="utf-8")
        await world.event("Stop", transcript_path=str(forged))
        assert await used(world) == []
