# SPDX-License-Identifier: Apache-2.0
"""`remit discover`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from remit.cli.output import terminal
from remit.cli.parser import Switch, verb

if TYPE_CHECKING:
    from remit.core.discovery.baseline import Baseline
    from remit.core.discovery.scan import ScanReport
    from remit.services.discovery.scans import ScanProgress

app = verb("discover")

Form = Literal["text", "json", "sarif", "markdown", "html", "ocsf"]
SeverityName = Literal["critical", "high", "medium", "low"]
#: The exit code of `--fail-on`: what was checked does not hold.
FAILED = 4


@app.default
def discover(
    *path: Path,
    all: Switch = False,
    format: Form | None = None,
    output: Path | None = None,
    fail_on: SeverityName | None = None,
    baseline: Path | None = None,
    write_baseline: Switch = False,
    because: str = "",
    until: str = "",
    staged: Switch = False,
    history: Switch = False,
    no_ignore: Switch = False,
    no_memory: Switch = False,
    send: str = "",
) -> int:
    """Find the agents, MCP servers, secrets and rights that no one governs, and what to do about each.

    Reads files alone: nothing is started, connected to or changed, and nothing is sent unless you say so.
    Secrets are shown by their last four characters. A second scan reads only what has changed. For
    example, run `remit discover ~` on a laptop, or `remit discover --fail-on high` in CI.

    Parameters
    ----------
    path
        Folders and files (default: this folder).
    all
        Show every finding and every place.
    format
        The form of the report (default: text).
    output
        Write the report to this file.
    fail_on
        Exit with 4 if there is an open finding of this severity or above, or if not everything could be read.
    baseline
        A file of accepted findings.
    write_baseline
        Accept what is found now: write it to the file of `--baseline`.
    because
        The reason of `--write-baseline`.
    until
        When the acceptance ends, such as `2027-01-31` (default: never).
    staged
        Read what the next commit would change, and nothing else.
    history
        Read the history of the Git repositories at these paths, too.
    no_ignore
        Read also what `.gitignore` and `.ignore` leave out. `.remitignore` always counts.
    no_memory
        Read every file, and remember nothing.
    send
        Deliver what is open to remit, as the scan of this scope, such as `crm/agents`.
    """
    from remit.cli.exit_codes import UsageFault
    from remit.cli.output.reports import deliver

    if write_baseline and baseline is None:
        raise UsageFault("`--write-baseline` needs a file", remediation="add `--baseline FILE`")
    if (because or until) and not write_baseline:
        raise UsageFault("`--because` and `--until` belong to `--write-baseline`", remediation="add it")
    if staged and (path or history):
        raise UsageFault("`--staged` reads the index alone", remediation="leave out paths and `--history`")
    known = _baseline(baseline, fresh=write_baseline)
    report = look(
        list(path) or [Path()],
        known=known,
        staged=staged,
        history=history,
        all_files=no_ignore,
        remember=not no_memory and not staged,
        progress=not staged,
        governed=_governed(asked=bool(send)),
    )
    if write_baseline and baseline is not None and known is not None:
        return _accept(report, known, baseline, because, until)
    form: Form = format or ("json" if terminal.is_json() else "text")
    deliver(
        form,
        output,
        show=lambda: _show(report, everything=all),
        text=lambda: _text(report, form, everything=all),
    )
    if send:
        _send(report, send)
    return _verdict(report, fail_on)


def _governed(*, asked: bool) -> frozenset[str]:
    """Return the names of what remit governs, by the configuration here, and by remit itself if `asked`.

    A scan without `--send` connects to nothing.
    """
    import contextlib

    from remit.cli.global_options import current
    from remit.core.errors import Forbidden, RemitError

    names: set[str] = set()
    with contextlib.suppress(RemitError):  # There is none here, or it belongs to another remit.
        names |= set(current().load_config().upstreams)
    if asked:
        from remit.cli.rest_client import connect

        client = connect()
        for path in ("agents", "upstreams"):
            try:
                names |= {one["name"] for one in client.get(path)["items"] if one.get("state") != "retired"}
            except Forbidden:
                continue  # An agent that only delivers scans sees neither.
    return frozenset(names)


def _send(report: ScanReport, scope: str) -> None:
    from remit.cli.findings.delivery import deliver
    from remit.cli.rest_client import connect
    from remit.core.discovery.groups import open_findings

    found = [one.finding for one in open_findings(report.found)]
    receipt = deliver(connect().post, found, scope, complete=report.complete)
    terminal.remark(f"delivered as `{scope}`: {receipt.opened} opened, {receipt.fixed} fixed")


def look(
    paths: list[Path],
    *,
    known: Baseline | None = None,
    staged: bool = False,
    history: bool = False,
    all_files: bool = False,
    remember: bool = True,
    progress: bool = False,
    governed: frozenset[str] = frozenset(),
) -> ScanReport:
    """Scan, and return the report; raises `NotFound` for a path that does not exist."""
    from remit.compose.discovery import scans as discovery
    from remit.services.discovery.scans import ScanRequest

    roots, base = places(paths)
    folder = discovery.discovery_folder() if remember or known is None else None
    key = known.fingerprint_key if known is not None else None
    if key is None:
        assert folder is not None
        key = discovery.fingerprint_key(folder)
    service = discovery.discovery_scans(key=key, folder=folder if remember else None, all_files=all_files)
    request = ScanRequest(
        base=base,
        roots=() if staged else tuple(roots),
        sources=(discovery.staged_files(Path(base)),) if staged else (),
        histories=discovery.histories(roots, base) if history else None,
        scope="\n".join((*roots, *(["history"] if history else []))),
        accepted=known.by_id if known is not None else {},
        governed=governed,
    )
    with _shown(progress=progress) as step:
        return service.scan(request, step)


def places(paths: list[Path]) -> tuple[list[str], str]:
    """Return the real paths to scan, and the folder that places are told from."""
    import os

    from remit.core.errors import NotFound

    roots = []
    for one in paths:
        try:
            roots.append(str(one.expanduser().resolve(strict=True)))
        except OSError:
            raise NotFound(
                f"`{one}` does not exist", remediation="give folders and files that exist"
            ) from None
    base = os.path.commonpath(roots)
    return list(dict.fromkeys(roots)), base if os.path.isdir(base) else os.path.dirname(base)


def _baseline(place: Path | None, *, fresh: bool) -> Baseline | None:
    import secrets

    from remit.core.discovery.baseline import KEY_BYTES, MOST_BYTES, Baseline, read_baseline

    if place is None:
        return None
    if fresh and not place.exists():
        return Baseline(key=secrets.token_hex(KEY_BYTES))
    with place.open("rb") as opened:
        return read_baseline(opened.read(MOST_BYTES), str(place))


def _accept(report: ScanReport, known: Baseline, place: Path, because: str, until: str) -> int:
    from remit.core.discovery.baseline import with_accepted, written

    now = report.ended
    made = with_accepted(known, report.found, because, _date(until), now)
    place.write_bytes(written(made))
    terminal.remark(f"{place}: {terminal.counted(len(made.accepted), 'finding')} accepted")
    return 0


def _date(given: str) -> datetime | None:
    from remit.cli.exit_codes import UsageFault

    if not given:
        return None
    try:
        when = datetime.fromisoformat(given)
    except ValueError:
        raise UsageFault(f"`{given[:40]}` is not a date", remediation="write `2027-01-31`") from None
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)


def _text(report: ScanReport, form: Form, *, everything: bool) -> str:
    if form == "text":
        from remit.cli.output.reports import drawn

        return drawn(lambda: _show(report, everything=everything))
    if form == "markdown":
        from remit.cli.discover.markdown import markdown

        return markdown(report)
    if form == "html":
        from remit.cli.discover.page import page

        return page(report)
    if form == "ocsf":
        import msgspec

        from remit.cli.discover.ocsf import ocsf
        from remit.core.safe_text import escaped

        return "".join(escaped(msgspec.json.encode(one).decode()) + "\n" for one in ocsf(report))
    if form == "sarif":
        from remit.cli.discover.sarif import sarif as made
    else:
        from remit.cli.discover.wire import wire as made
    return terminal.json_text(made(report))


def _show(report: ScanReport, *, everything: bool) -> None:
    from remit.cli.discover.story import show

    show(report, everything=everything)


def _verdict(report: ScanReport, fail_on: SeverityName | None) -> int:
    """Return the exit code: what could not be read counts as found."""
    from remit.core.discovery.groups import open_findings
    from remit.core.findings.kinds import Severity

    if fail_on is None:
        return 0
    least = Severity(fail_on).rank
    failing = sum(one.finding.weight.rank <= least for one in open_findings(report.found))
    if failing:
        terminal.remark(f"{terminal.counted(failing, 'open finding')} of severity {fail_on} or above")
    if not report.complete:
        terminal.remark("not everything was read: name what may be left out in `.remitignore`")
    return FAILED if failing or not report.complete else 0


@contextmanager
def _shown(*, progress: bool) -> Iterator[Callable[[ScanProgress], None] | None]:
    """Show progress on a terminal's standard error while files are read."""
    console = terminal.err()
    if not (progress and console.is_terminal):
        yield None
        return
    from rich.progress import BarColumn, Progress, TextColumn

    columns = TextColumn("[dim]{task.description}"), BarColumn(), TextColumn("[dim]{task.percentage:.0f} %")
    with Progress(*columns, console=console, transient=True) as bar:
        shown = bar.add_task("reading", total=None)

        def step(done: ScanProgress) -> None:
            bar.update(
                shown,
                description=f"reading {done.files:,} of {done.of_files:,} files",
                total=max(done.of_bytes, 1),
                completed=done.size_bytes,
            )

        yield step
