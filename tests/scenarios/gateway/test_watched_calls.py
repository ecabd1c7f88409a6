# SPDX-License-Identifier: Apache-2.0
"""Threat: what operators watch discloses what calls carry, grows with what is called, or stops calls."""

import json
from pathlib import Path

import pytest

from remit.adapters.telemetry.opentelemetry import OpenTelemetryTracer
from remit.api.metrics import call_metrics
from remit.core.decisions.mediation import Step
from remit.services.mediation.step_times import MOST_TOOLS, OTHER, CallMetrics, StepTimes
from tests.servers.ports import free_port
from tests.servers.trace_receiver import trace_receiver
from tests.worlds.mcp_endpoint import GatewayWorld, a_tool, gateway_world

TRACE, PARENT = "1" * 32, "2" * 16
SECRET = "the-argument-4111"


def tracer(url: str, share: float = 1.0) -> OpenTelemetryTracer:
    """Return a tracer that sends to a collector."""
    return OpenTelemetryTracer(url, headers={"Authorization": "Bearer c"}, ca_file=None, share=share)


def metrics(world: GatewayWorld) -> list[str]:
    """Return the lines about calls."""
    return call_metrics(world.services.mediation.mediator.figures)


async def test_a_trace_has_the_nine_steps_below_the_callers_span_and_goes_on_upstream(tmp_path: Path) -> None:
    """The upstream is told remit's own span in the caller's trace; no value of an argument is sent."""
    async with trace_receiver() as receiver:
        sending = tracer(receiver.url)
        async with gateway_world(tmp_path, tracer=sending) as world:
            trace = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
            told = await world.call("echo", {"text": f"ok {SECRET}"}, meta=trace)
            assert "result" in told.json
            (params,) = world.calls()
        await sending.close()
    (call,) = (one for one in receiver.spans if one.name == "remit.call")
    steps = [one for one in receiver.spans if one.name != "remit.call"]
    assert (call.trace_id.hex(), call.parent_span_id.hex()) == (TRACE, PARENT)
    assert params["_meta"]["traceparent"] == f"00-{TRACE}-{call.span_id.hex()}-01"
    assert [one.name for one in steps] == [step.name.lower() for step in Step]
    for one in steps:
        assert (one.trace_id, one.parent_span_id) == (call.trace_id, call.span_id)
        assert call.start_time_unix_nano <= one.start_time_unix_nano <= one.end_time_unix_nano
    facts = receiver.attributes(call)
    assert (facts["gen_ai.tool.name"], facts["remit.upstream"]) == ("echo", "files")
    assert (facts["remit.decision"], facts["remit.outcome"]) == ("permit", "ok")
    assert facts["remit.call"].startswith("dec_")
    assert not any(SECRET.encode() in body for body in receiver.bodies)
    assert set(receiver.authorizations) == {"Bearer c"}


@pytest.mark.parametrize("share", [0.0, 1.0])
async def test_a_caller_does_not_decide_which_calls_are_traced(tmp_path: Path, share: float) -> None:
    """Neither by the flag nor by a trace id of its choice; its trace goes on."""
    callers = [f"00-{ident}-{PARENT}-0{flag}" for ident in (TRACE, "0" * 31 + "1") for flag in (0, 1)]
    async with trace_receiver() as receiver:
        sending = tracer(receiver.url, share)
        async with gateway_world(tmp_path, tracer=sending) as world:
            for one in callers:
                assert "result" in (await world.call("echo", {"text": "ok"}, meta={"traceparent": one})).json
            told = [one["_meta"]["traceparent"].split("-") for one in world.calls()]
        await sending.close()
    assert [one[1] for one in told] == [one.split("-")[1] for one in callers]
    assert {one[3] for one in told} == {f"0{int(share)}"}
    assert sum(one.name == "remit.call" for one in receiver.spans) == len(callers) * int(share)


async def test_a_refused_call_is_a_trace_of_five_steps(tmp_path: Path) -> None:
    """With the rule; a trace of its own where the caller names none, or names no trace."""
    async with trace_receiver() as receiver:
        sending = tracer(receiver.url)
        async with gateway_world(tmp_path, tracer=sending) as world:
            await world.call("echo", {"text": "ok"}, meta={"traceparent": "00-not-a-trace"})
            await world.call("no-such-tool")
            assert world.calls()[0]["_meta"]["traceparent"].startswith("00-")
        await sending.close()
    first, second = (one for one in receiver.spans if one.name == "remit.call")
    assert (first.parent_span_id, second.parent_span_id) == (b"", b"")
    assert first.trace_id != second.trace_id
    below = [one.name for one in receiver.spans if one.parent_span_id == second.span_id]
    assert below
    assert not {"lease", "forward", "observe"} & set(below)


async def test_a_collector_that_is_away_delays_no_call(tmp_path: Path) -> None:
    """Traces may be lost, calls may not; and of no share, no call is traced but passed on."""
    async with gateway_world(tmp_path, tracer=tracer(f"http://127.0.0.1:{free_port()}/v1/traces")) as world:
        assert "result" in (await world.call("echo", {"text": "ok"})).json
    (tmp_path / "other").mkdir()
    async with trace_receiver() as receiver:
        sending = tracer(receiver.url, share=0.0)
        async with gateway_world(tmp_path / "other", tracer=sending) as world:
            assert "result" in (await world.call("echo", {"text": "ok"})).json
            flags = world.calls()[0]["_meta"]["traceparent"].rpartition("-")[2]
            assert not int(flags, 16) & 1
        await sending.close()
        assert receiver.spans == []


async def test_metrics_count_by_tool_and_outcome_and_fold_what_anyone_may_name(tmp_path: Path) -> None:
    """Names that no decision has seen are one label; histograms count each call once."""
    async with gateway_world(tmp_path) as world:
        await world.call("echo", {"text": f"ok {SECRET}"})
        for number in range(3):
            await world.call(f"made-up-{number}")
        said = metrics(world)
    assert 'remit_calls_total{upstream="files",tool="echo",outcome="ok"} 1' in said
    assert 'remit_calls_total{upstream="files",tool="unknown",outcome="deny"} 3' in said
    assert not [one for one in said if "made-up" in one or SECRET in one]
    assert 'remit_upstream_seconds_count{upstream="files"} 1' in said
    assert 'remit_step_seconds_bucket{step="close",le="+Inf"} 1' in said
    total = sum(float(one.rpartition(" ")[2]) for one in said if one.startswith("remit_calls_total{"))
    counted = sum(float(one.rpartition(" ")[2]) for one in said if one.startswith("remit_call_seconds_count"))
    assert total == counted


def test_an_upstream_with_countless_tools_makes_no_countless_labels() -> None:
    """Tools beyond a bound are counted together, and quotes in a name stay inside of it."""
    figures = CallMetrics()
    for number in range(MOST_TOOLS + 50):
        figures.add(a_tool("files", f"tool-{number}", described=True), "ok", StepTimes(0.0))
    assert len(figures.outcomes) == MOST_TOOLS + 1
    assert figures.outcomes[OTHER, OTHER, "ok"] == 50
    odd, name = CallMetrics(), 'x",outcome="deny'
    odd.add(a_tool("files", name, described=True), "ok", StepTimes(0.0))
    (line,) = (one for one in call_metrics(odd) if one.startswith("remit_calls_total{"))
    assert f"tool={json.dumps(name)}" in line
