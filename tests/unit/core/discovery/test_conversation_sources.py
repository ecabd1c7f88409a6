# SPDX-License-Identifier: Apache-2.0
"""Conversations of any form are read as messages: who says what, which tool is called with what."""

import json

import pytest

from remit.core.discovery.declared import DeclaredAgent
from remit.core.discovery.discovered import SourceKind
from tests.clients.file_reads import json_lines, line_of, piece_with, pieces_of, reads_of
from tests.samples.conversations import CALL, CLAUDE, CONVERSATIONS, SPANS, TOLD


@pytest.mark.parametrize("file", CONVERSATIONS)
def test_each_form_tells_the_person_the_call_and_the_result_apart(file: str) -> None:
    """A message has its speaker; arguments and results have the tool's name."""
    pieces = pieces_of(file, CONVERSATIONS[file])
    told, call, result = (piece_with(one, pieces) for one in (TOLD, CALL["dsn"], "DB_TOKEN=whale-99"))
    assert (told.speaker, call.speaker, result.speaker) == ("person", "agent", "tool")
    assert call.names[0] == "Query"
    assert call.names[-1] == "dsn"
    assert result.names[0] == "Query"
    assert {told.kind, call.kind, result.kind} == {SourceKind.TRANSCRIPT}


@pytest.mark.parametrize("file", CONVERSATIONS)
def test_each_message_has_the_line_where_it_stands(file: str) -> None:
    """In lines, in one line and in indented documents, detectors come to the right line."""
    content = CONVERSATIONS[file]
    for text in (TOLD, "DB_TOKEN=whale-99 found"):
        piece = piece_with(text, pieces_of(file, content))
        assert text in content.split("\n")[line_of(text, piece) - 1]


def test_a_transcript_declares_its_client_as_an_agent_in_its_folder() -> None:
    """Claude Code's sessions name the folder, the model and the tools; texts belong to the client."""
    reads = reads_of("s1.jsonl", CLAUDE)
    (agent,) = [one for one in reads if isinstance(one, DeclaredAgent)]
    assert (agent.name, agent.framework, agent.model) == ("claude-code:shop", "claude-code", "claude-opus")
    assert agent.tools == ("Query",)
    assert piece_with(TOLD, pieces_of("s1.jsonl", CLAUDE)).agent == "claude-code"


def test_spans_declare_the_agents_that_they_name() -> None:
    """`gen_ai.agent.name` declares an agent with its model."""
    (agent,) = [one for one in reads_of("traces.json", SPANS) if isinstance(one, DeclaredAgent)]
    assert (agent.name, agent.model) == ("shop-agent", "gpt-5")


def test_headers_and_other_fields_of_a_record_are_read_too() -> None:
    """What is no message stands with its names, in one piece, at its line."""
    record = {"headers": {"authorization": "Bearer whale-99-abc"}, "messages": []}
    piece = piece_with("Bearer whale-99-abc", pieces_of("log.jsonl", json_lines({"messages": []}, record)))
    assert "headers.authorization: Bearer" in piece.text
    assert line_of("Bearer", piece) == 2


def test_exports_of_chats_tell_who_spoke() -> None:
    """ChatGPT, Claude.ai, ShareGPT and Cursor have four forms."""
    forms: list[tuple[str, object]] = [
        (
            "conversations.json",
            [{"mapping": {"a": {"message": {"author": {"role": "user"}, "content": {"parts": [TOLD]}}}}}],
        ),
        ("export.json", [{"chat_messages": [{"sender": "human", "text": TOLD}]}]),
        ("share.json", [{"conversations": [{"from": "human", "value": TOLD}]}]),
        (
            "state.vscdb!/cursorDiskKV.jsonl",
            json_lines(
                {"key": "bubbleId:1", "value": json.dumps({"bubbleId": "b", "type": 1, "text": TOLD})}
            ),
        ),
    ]
    for file, content in forms:
        assert piece_with(TOLD, pieces_of(file, content)).speaker == "person", file


def test_a_repeated_conversation_is_read_once() -> None:
    """Each request of a log repeats the messages before it: long texts are looked at once in a chunk."""
    text = TOLD + " and " + "x" * 80
    requests = [{"messages": [{"role": "user", "content": text}]}] * 3
    assert len([one for one in pieces_of("log.jsonl", json_lines(*requests)) if text in one.text]) == 1


def test_pictures_are_skipped() -> None:
    """Base64 of a picture is no text."""
    record = {"messages": [{"role": "user", "content": "iVBORw0KGgo" + "A" * 500}]}
    assert not [one for one in pieces_of("log.jsonl", json_lines(record)) if "AAAA" in one.text]


def test_a_line_that_is_no_json_is_read_as_text() -> None:
    """A broken line costs nothing but its structure."""
    content = json_lines({"messages": []}) + "password = swordfish-7\n" + json_lines({"messages": []})
    piece = piece_with("swordfish-7", pieces_of("log.jsonl", content))
    assert line_of("swordfish-7", piece) == 2


def test_logs_in_json_are_read_as_they_stand_but_for_escapes() -> None:
    """A log without conversations needs no structure; a line with escapes does."""
    records = [
        {"level": "info", "msg": "token=whale-99"},
        {"level": "info", "msg": 'say "token=shark-11"\nnow'},
    ]
    pieces = pieces_of("app.log", json_lines(*records))
    assert {one.kind for one in pieces} == {SourceKind.LOG}
    assert line_of("whale-99", piece_with("whale-99", pieces)) == 1
    assert line_of("shark-11", piece_with('say "token=shark-11"', pieces)) == 2
