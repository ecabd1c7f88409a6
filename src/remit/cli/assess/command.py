# SPDX-License-Identifier: Apache-2.0
"""`remit assess`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Parameter

from remit.cli.output import terminal
from remit.cli.parser import Switch, seconds, verb

if TYPE_CHECKING:
    from remit.core.controls.programme import Initiative, ProgrammeReport
    from remit.core.discovery.boundary import BoundaryReport

app = verb("assess")

#: The exit code of `--fail-on`: what was checked does not hold.
FAILED: Final = 4
_LONGEST_S: Final = 3_660 * 86_400

Form = Literal["text", "json", "markdown", "html"]


@app.default
def assess(
    *path: Path,
    window: str = "30d",
    source: Annotated[Path | None, Parameter(name="--from")] = None,
    key: str = "",
    all: Switch = False,
    format: Form | None = None,
    output: Path | None = None,
    prove: Path | None = None,
    fail_on: Literal["crossing", "not-met"] | None = None,
) -> int:
    """Show each initiative: whether it has crossed the boundary of identity, its tier, controls and figures.

    With a path, reads the configurations of agents there (MCP clients, frameworks, OpenAPI documents) and
    shows what would cross. Without one, counts in the evidence, which is verified first. What is not known
    is never counted as good. For example, `remit assess . --fail-on crossing` stops a change in CI.

    Parameters
    ----------
    path
        Folders and files with configurations of agents.
    window
        What is measured: this long, up to the log's last event.
    source
        A file of `remit audit export`, which is verified first, or a folder of `remit audit tables`. Without
        it, the evidence of the running remit is fetched.
    key
        The log's public key, or a file that holds it; without it, the one that was seen from here before.
    all
        Show each control with its numbers and exceptions, and each agent that would not cross.
    format
        The form of the report (default: text).
    output
        Write the report to this file.
    prove
        Write the events that the report names into this file, which `remit audit verify` reads.
    fail_on
        Exit with 4: `crossing` at an initiative or agent that crosses without `acts: true` in `initiatives`;
        `not-met` also at a control that its tier requires and that is not met.
    """
    from remit.cli.assess.boundary import read_configurations
    from remit.cli.assess.initiatives import assessed
    from remit.cli.exit_codes import UsageFault

    if path and (source is not None or prove is not None or key or fail_on == "not-met"):
        raise UsageFault(
            "a path is read without evidence",
            remediation="leave out `--from`, `--key`, `--prove` and `not-met`",
        )
    form = format or ("json" if terminal.is_json() else "text")
    if path:
        seen = read_configurations(list(path), _initiatives())
        _write(seen, form, output, everything=all)
        return _verdict_of_files(seen, fail_on)
    window_s = seconds(window)
    if not 0 < window_s <= _LONGEST_S:
        raise UsageFault(f"`{window[:40]}` is no window", remediation="write `30d`, and ten years at most")
    made = assessed(_initiatives(), place=source, key=key, window_s=window_s, proof=prove)
    _write(made, form, output, everything=all)
    if prove is not None:
        terminal.remark(f"wrote {terminal.counted(len(made.indexes), 'event')} to {prove}")
    return _verdict(made, fail_on)


def _initiatives() -> Sequence[Initiative]:
    """Return the initiatives of the configuration here; none where there is no configuration.

    A configuration that is there and wrong refuses.
    """
    from remit.cli.global_options import current
    from remit.compose.build import initiatives_of

    options = current()
    if not options.config and not options.config_file.is_file():
        return ()
    return initiatives_of(options.load_config())


def _verdict_of_files(seen: BoundaryReport, fail_on: str | None) -> int:
    if fail_on is None:
        return 0
    for one in seen.unannounced:
        terminal.remark(
            f"{one.agent} in {one.place.file} would cross and is in no initiative with `acts: true`"
        )
    if not seen.complete:
        terminal.remark("not everything was read: name what may be left out in `.remitignore`")
    return FAILED if seen.unannounced or not seen.complete else 0


def _verdict(made: ProgrammeReport, fail_on: str | None) -> int:
    from remit.core.controls.status import ControlStatus

    if fail_on is None:
        return 0
    for one in made.unannounced:
        terminal.remark(f"{one.initiative.title}: crossed, and `acts: true` is not in `initiatives`")
    missing = 0
    if fail_on == "not-met":
        missing = sum(check.status is ControlStatus.NOT_MET for one in made.answers for check in one.required)
        terminal.remark(f"{terminal.counted(missing, 'required control')} not met")
    return FAILED if made.unannounced or missing else 0


def _write(
    made: ProgrammeReport | BoundaryReport, form: str, place: Path | None, *, everything: bool
) -> None:
    from remit.cli.output.reports import deliver

    deliver(
        form,
        place,
        show=lambda: _show(made, everything=everything),
        text=lambda: text_of(made, form, everything=everything),
    )


def _show(made: ProgrammeReport | BoundaryReport, *, everything: bool) -> None:
    from remit.cli.assess.story import show

    show(made, everything=everything)


def text_of(made: ProgrammeReport | BoundaryReport, form: str, *, everything: bool) -> str:
    """Return the report in one of its forms."""
    if form == "markdown":
        from remit.cli.assess.markdown import markdown

        return markdown(made)
    if form == "html":
        from remit.cli.assess.page import page

        return page(made)
    if form == "json":
        from remit.cli.assess.wire import wire

        return terminal.json_text(wire(made))
    from remit.cli.output.reports import drawn

    return drawn(lambda: _show(made, everything=everything))
