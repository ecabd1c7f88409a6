# SPDX-License-Identifier: Apache-2.0
"""`remit report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Parameter

from remit.cli.output import terminal
from remit.cli.parser import Switch, seconds, verb

if TYPE_CHECKING:
    from remit.core.controls.control_report import ControlReport

app = verb("report")

#: The exit code of `--fail-on`: what was checked does not hold.
FAILED: Final = 4
_LONGEST_S: Final = 36_525 * 86_400
#: The statuses that fail, by the option's value.
_FAILING: Final = {
    "not-met": ("not-met",),
    "partly": ("not-met", "partly"),
    "not-measured": ("not-met", "partly", "not-measured"),
}


@app.default
def report(
    *,
    framework: Literal["asi", "csf", "nhi", "ai-rmf", "maestro", "iso-42001", "eu-ai-act"],
    window: str = "30d",
    source: Annotated[Path | None, Parameter(name="--from")] = None,
    key: str = "",
    all: Switch = False,
    format: Literal["text", "json", "markdown", "html", "oscal"] | None = None,
    output: Path | None = None,
    prove: Path | None = None,
    fail_on: Literal["not-met", "partly", "not-measured"] | None = None,
) -> int:
    """Measure the controls of a framework on the evidence: met, partly, not met, not measured, or outside.

    Each figure is counted from events of a log that was verified first. What was not measured is never met,
    and what remit cannot know is outside. For example, `remit report --framework asi --format html --output
    asi.html` writes a page for an auditor, and `--fail-on not-met` stops a pipeline.

    Parameters
    ----------
    framework
        `asi`: OWASP Agentic Top 10 (2026). `csf`: NIST Cybersecurity Framework 2.0. `nhi`: OWASP Non-Human
        Identities Top 10 (2025). `ai-rmf`: NIST AI Risk Management Framework. `maestro`: CSA MAESTRO. As
        mappings only: `iso-42001` and `eu-ai-act`.
    window
        What is measured: this long, up to the log's last event.
    source
        A file of `remit audit export`, which is verified first, or a folder of `remit audit tables`. Without
        it, the evidence of the running remit is fetched.
    key
        The log's public key, or a file that holds it; without it, the one that was seen from here before.
    all
        Show each check, its exceptions, and what to do next.
    format
        The form of the report (default: text); `oscal` is NIST's assessment results in JSON.
    output
        Write the report to this file.
    prove
        Write the events that the report names into this file, which `remit audit verify` reads.
    fail_on
        Exit with 4 if a control has this status, or one before it: `not-met`, `partly`, `not-measured`.
    """
    from remit.cli.exit_codes import UsageFault
    from remit.cli.output.reports import deliver
    from remit.cli.report.measures import measured

    window_s = seconds(window)
    if not 0 < window_s <= _LONGEST_S:
        raise UsageFault(f"`{window[:40]}` is no window", remediation="write `30d`, and a century at most")
    made = measured(framework, place=source, key=key, window_s=window_s, proof=prove)
    form = format or ("json" if terminal.is_json() else "text")
    deliver(
        form,
        output,
        show=lambda: _show(made, everything=all),
        text=lambda: text_of(made, form, everything=all),
    )
    if prove is not None:
        terminal.remark(f"wrote {terminal.counted(len(made.indexes), 'event')} to {prove}")
    failing = [one for one in made.answers if fail_on and one.status.value in _FAILING[fail_on]]
    if failing:
        terminal.remark(f"{terminal.counted(len(failing), 'control')} {fail_on} or worse")
    return FAILED if failing else 0


def text_of(made: ControlReport, form: str, *, everything: bool) -> str:
    """Return the report in one of its forms."""
    if form == "markdown":
        from remit.cli.report.markdown import markdown

        return markdown(made)
    if form == "html":
        from remit.cli.report.page import page

        return page(made)
    if form == "oscal":
        from remit.cli.report.oscal import oscal

        return terminal.json_text(oscal(made))
    if form == "json":
        from remit.cli.report.wire import wire

        return terminal.json_text(wire(made))
    from remit.cli.output.reports import drawn

    return drawn(lambda: _show(made, everything=everything))


def _show(made: ControlReport, *, everything: bool) -> None:
    from remit.cli.report.story import show

    show(made, everything=everything)
