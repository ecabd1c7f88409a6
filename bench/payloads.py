# SPDX-License-Identifier: Apache-2.0
"""Large results, and an agent's usual calls, through all of remit; beside it a plain `fastmcp` proxy.

    python -m bench --only payloads

CPU time by process changes little on a busy machine; the rates of both are from the same minute. A task reads
at most about 1 MB, as tasks do: an index that is full would be cheaper.
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from bench.calls import echo_call, tool_call
from bench.figure import Figure
from bench.governed import Governed
from bench.load import EchoCall, Plan
from bench.measure import carried_out, cpu_s, layout, running_upstream
from bench.results import KINDS, text_of
from bench.target import EchoServer, Target
from bench.yardsticks import Direct, Fastmcp

PER_KB: Final = "payloads: {what}, CPU for each KB"
AGAINST_PROXY: Final = "payloads: {what}, calls against `fastmcp`"
SIZES: Final = {1: (2_000, 60), 10: (800, 60), 100: (120, 40), 1_000: (16, 8)}
"""KB of 1,000 bytes; how many calls remit gets, and how many the slow proxy."""
CONNECTIONS: Final = 8
TASKS: Final = 16
_LIMIT_S: Final = 90.0


class _Shape(NamedTuple):
    """The calls of a measurement by their number, how many are sent, and how many to the slow proxy."""

    name: str
    call: Callable[[int, str, dict[str, str]], EchoCall]
    sent: int
    proxied: int
    size: int = 0
    """KB of a result; 0 where the calls differ or are small."""


class _Spent(NamedTuple):
    """What a target did with a shape, in microseconds of each process for a call."""

    calls_per_s: float
    client: float
    target: float
    upstream: float


def _read(number: int, url: str, name: str, headers: dict[str, str]) -> EchoCall:
    return tool_call(number, url, "read", {"name": name}, text_of(name), headers)


def _reads(kind: str, size: int, count: int, proxied: int) -> _Shape:
    def call(number: int, url: str, headers: dict[str, str]) -> EchoCall:
        return _read(number, url, f"{kind}-{1_000 * size}-{number}", headers)

    return _Shape(f"{kind} of {size} KB", call, count, proxied, size)


def _echo(number: int, url: str, headers: dict[str, str]) -> EchoCall:
    return echo_call(number, url, "echo", headers)


def _worked(number: int, url: str, headers: dict[str, str]) -> EchoCall:
    """Return a call of an agent at work: it lists issues, reads a text, and writes one."""
    turn, step = divmod(number, 3)
    if step < 2:
        return _read(number, url, (f"issues-4000-{turn}", f"prose-20000-{turn}")[step], headers)
    text = f"Note {turn}: " + text_of(f"prose-500-{turn}")
    return tool_call(number, url, "write", {"text": text}, text, headers)


def _shapes(share: int) -> list[_Shape]:
    """Return what is measured, small calls first; a quick run divides the counts by `share`."""
    return [
        _Shape("echo", _echo, 3_000 // share, 60),
        _Shape("list, read 20 KB, write", _worked, 1_500 // share, 60),
        *(
            _reads(kind, size, max(TASKS, count // share), proxied)
            for kind in KINDS
            for size, (count, proxied) in SIZES.items()
        ),
    ]


def _spent(target: Target, upstream: EchoServer, shape: _Shape, count: int, tokens: list[str]) -> _Spent:
    """Have a target's calls made, in turns of the tasks with these tokens."""
    headers = [{"authorization": f"Bearer {token}"} for token in tokens] or [{}]
    calls = [shape.call(number, target.url, headers[number % len(headers)]) for number in range(count)]
    before = cpu_s(target.pid), cpu_s(upstream.pid)
    (tally,) = carried_out(Plan(target.url, calls, CONNECTIONS, count, _LIMIT_S, cpu=layout().others))
    if tally.errors or tally.calls != count:
        raise RuntimeError(f"{shape.name} at {target.name}: {tally.first_errors or tally}")
    used = tally.cpu_s, cpu_s(target.pid) - before[0], cpu_s(upstream.pid) - before[1]
    return _Spent(tally.calls_per_s, *(seconds / count * 1e6 for seconds in used))


def _measured(shapes: list[_Shape]) -> Iterator[tuple[_Spent, _Spent, float]]:
    """Yield what remit and the proxy spent for each shape, and remit for an echo in the same minute."""
    cpus, direct, proxy = layout(), Direct(), Fastmcp()
    with running_upstream(cpus.others) as upstream:
        try:
            direct.start(upstream, cpus.target)
            proxy.start(upstream, cpus.target)
            for shape in shapes:
                # The upstream makes its results before the clocks run.
                _spent(direct, upstream, shape, shape.sent, [])
                proxied = _spent(proxy, upstream, shape, shape.proxied, [])
                remit = Governed("durable", tasks=TASKS)
                try:
                    remit.start(upstream, cpus.target)
                    _spent(remit, upstream, shapes[0], 200, remit.tokens)
                    echo = _spent(remit, upstream, shapes[0], 400, remit.tokens)
                    yield _spent(remit, upstream, shape, shape.sent, remit.tokens), proxied, echo.target
                finally:
                    remit.stop()
        finally:
            proxy.stop()


def payloads(quick: bool) -> list[Figure]:
    """Return CPU for each KB, rates against a proxy, and what small calls cost by process."""
    shapes = _shapes(4 if quick else 1)
    found: list[Figure] = []
    for shape, (ours, proxied, echo_us) in zip(shapes, _measured(shapes), strict=True):
        how = f"{shape.sent} calls over {CONNECTIONS} connections and {TASKS} tasks, one after another"
        rates = f"{how}; {ours.calls_per_s:,.0f} calls/s, through `fastmcp` {proxied.calls_per_s:,.1f}"
        if shape.size > 1:
            per = (ours.target - echo_us) / shape.size
            found.append(
                Figure(
                    name=PER_KB.format(what=shape.name),
                    value=per,
                    unit="us",
                    how=f"of remit, what an echo takes not counted; {how}",
                )
            )
        elif not shape.size:
            found += [
                Figure(name=f"payloads: {shape.name}, CPU per call, {part}", value=value, unit="us", how=how)
                for part, value in (
                    ("client", ours.client),
                    ("remit", ours.target),
                    ("upstream", ours.upstream),
                )
            ]
        times = ours.calls_per_s / proxied.calls_per_s
        found.append(Figure(name=AGAINST_PROXY.format(what=shape.name), value=times, unit="times", how=rates))
    return found
