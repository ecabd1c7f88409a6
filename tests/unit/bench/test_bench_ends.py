# SPDX-License-Identifier: Apache-2.0
"""What counts as permitted after an end: the bench would see a call that passes, whichever way it does."""

import asyncio
import sys

import httpx2

from bench.calls import echo_call
from bench.hammer import Calls, Fenced, Hammer, Orders, Tally
from bench.load import request

ORDERS = Orders(url="http://127.0.0.1:1/mcp", tool="echo", connections=1, bystander="", bystanders=0)
FENCED = Fenced(committed_ns=100, returned_ns=200)


def told(*attempts: tuple[int, int, int, str]) -> Tally:
    """Count attempts: number, sent, answered, why not."""
    hammer = Hammer(ORDERS)
    hammer.note(*attempts)
    return hammer.tally(FENCED)


def test_what_was_sent_before_the_commit_and_answered_before_the_return_may_pass() -> None:
    """It is an ordinary call, and no attempt after the commit."""
    tally = told((1, 90, 150, ""))
    assert (tally.permitted, tally.behind, tally.late, tally.released) == (1, 0, [], [])


def test_a_call_that_was_sent_after_the_commit_and_passes_is_found() -> None:
    """However soon its answer comes."""
    assert told((1, 101, 150, "")).late == [1]


def test_an_answer_that_is_released_after_the_return_is_found() -> None:
    """However early the call was sent."""
    assert told((1, 50, 201, "")).released == [1]


def test_refusals_are_counted_by_their_code_and_what_is_neither_is_a_fault() -> None:
    """A server that breaks is not one that refuses."""
    tally = told((1, 101, 150, "fenced"), (2, 102, 150, "task-ended"), (3, 103, 150, "?500 b''"))
    assert tally.codes == {"fenced": 1, "task-ended": 1}
    assert tally.faults == {"?500 b''": 1}
    assert (tally.refused, tally.behind) == (2, 3)


async def test_the_oracle_notes_each_call_with_its_number() -> None:
    """What it noted is told once."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.oracle", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        url = f"http://127.0.0.1:{int(await process.stdout.readline())}/mcp"
        calls = Calls(Orders(url=url, tool="echo", connections=1, bystander="", bystanders=0), "token", 7)
        sent = [calls.next() for _ in range(2)]
        assert [number for number, _ in sent] == [700_000, 700_001]
        assert sent[0][1] == request(
            echo_call(0, url, "echo", {"authorization": "Bearer token"}), url.split("/")[2]
        ).replace(b"call 00000000", b"call 00700000")
        async with httpx2.AsyncClient(trust_env=False, timeout=120) as http:
            for _, raw in sent:
                head, body = raw.split(b"\r\n\r\n", 1)
                await http.post(url, content=body, headers={"content-type": "application/json"})
                assert b"bearer" in head.lower()
            seen = (await http.get(url)).json()
            assert [number for number, _ in seen] == [700_000, 700_001]
            assert seen[0][1] < seen[1][1]
            assert (await http.get(url)).json() == []
    finally:
        process.terminate()
        await process.wait()
