# SPDX-License-Identifier: Apache-2.0
"""The graph of a question: boxes in the order of the log, and an arrow for each link."""

from remit.api.console.graphs import question_graph
from remit.core.evidence.chain import Chain, ChainCall, ChainEdge, ChainTask


def call(decision: str, task: str, tool: str, number: int, carries: str = "") -> ChainCall:
    """Return a call of a chain."""
    return ChainCall(
        decision=decision, task=task, number=number, tool=tool, outcome="permit", effect="none", at="",
        index=number, carries=carries,
    )  # fmt: skip


CHAIN = Chain(
    stopped="d4",
    tasks=(ChainTask(id="t1", agent="clerk"), ChainTask(id="t0", agent="ticket-bot")),
    calls=(
        call("d1", "t0", "tickets/create", 1),
        call("d2", "t1", "tickets/read", 2, "internal, untrusted"),
        call("d3", "t1", "office/find_contact", 3),
        call("d4", "t1", "office/send_mail", 4),
    ),
    edges=(
        ChainEdge(cause="d1", effect="d2", kind="stored", resource="ticket/T-1"),
        ChainEdge(cause="d2", effect="d4", kind="value", argument="to", field="body"),
        ChainEdge(cause="d3", effect="d4", kind="value", argument="cc", field="mail"),
    ),
)


def drawn(chain: Chain | None, tool: str = "office/send_mail") -> str:
    """Return the graph of lena's question."""
    return str(question_graph(person="lena", agents=["planner", "clerk"], tool=tool, note="", chain=chain))


def test_boxes_stand_in_order_and_links_name_what_they_carry() -> None:
    """Person, agents, the calls of other tasks with their agent, and the call that is asked about."""
    graph = drawn(CHAIN)
    names = ("lena", "planner", "clerk", "tickets/create", "tickets/read", "office/find_contact")
    places = [graph.index(f">{name}<") for name in (*names, "office/send_mail")]
    assert places == sorted(places)
    for told in (
        "call 1 · by ticket-bot",
        "through ticket/T-1",
        "cc, from field mail",
        "to from tickets/read",
    ):
        assert told in graph
    assert graph.count('class="node others"') == 1
    assert graph.count('class="edge"') == 6


def test_without_a_chain_the_agent_leads_to_the_call() -> None:
    """Nothing is claimed of calls that the evidence does not hold."""
    graph = drawn(None)
    assert graph.count('class="edge"') == 3
    assert "/console/agents/clerk" in graph


def test_a_long_or_hostile_name_stays_one_short_text() -> None:
    """It is cut and escaped, and a line break is written out."""
    graph = drawn(None, tool="<b>\n" + "x" * 10_000)
    assert "<b>" not in graph
    assert f">&lt;b&gt;\\u{{a}}{'x' * 35}…<" in graph
    assert len(graph) < 4_000
