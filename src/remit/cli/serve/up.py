# SPDX-License-Identifier: Apache-2.0
"""`remit up`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from remit.cli.global_options import current
from remit.cli.parser import Switch, verb

app = verb("up")


@app.default
def up(
    *,
    port: int | None = None,
    ready_file: Path | None = None,
    code_for: str = "",
    go_back: Switch = False,
    log_format: Literal["text", "json"] = "text",
    log_level: Literal["debug", "info", "warning", "error"] | None = None,
    access_log: Switch = False,
    adopt_state: Switch = False,
    workers: int = 1,
) -> int:
    """Run the whole of remit in one process until it is interrupted or `remit stop` ends it.

    The first start creates the person `admin` and prints a one-time code to sign in with. A person who can
    start remit can always get a code: `--code-for NAME`. If remit already runs for this configuration, the
    command says where, and exits with 0. For example, `remit init && remit up` in an empty folder gives you a
    gateway on this machine.

    Parameters
    ----------
    port
        Listen on this port instead of the configured one; 0 takes any free port.
    ready_file
        Write `{"url": ..., "pid": ...}` to this file once remit serves.
    code_for
        Print a one-time code for this person.
    go_back
        Put the folder's bundle in force although another replica has since replaced it.
    log_format
        What standard error gets: `text` for people, or `json`, one object per line, for a log collector.
    log_level
        From which level on: `debug`, `info`, `warning` or `error`; by default `warning` for text, and `info`,
        with a line for each call, for `json`.
    access_log
        Also log each HTTP request: method, the beginning of its path, status, milliseconds, address.
    adopt_state
        Take the rows of the database as they are, although others than remit changed them; the evidence says
        so. For once, after you have looked at them.
    workers
        Serve with this many processes on one port, each a replica; needs PostgreSQL.
    """
    from remit.cli.serve.server import StopRequest, serve
    from remit.cli.serve.service_log import LogStyle

    wish = StopRequest(
        port=port,
        ready_file=ready_file,
        code_for=code_for,
        go_back=go_back,
        log=LogStyle(log_format, log_level or "", access_log),
        adopt_state=adopt_state,
    )
    if workers == 1:
        return serve(current().load_config(), wish)
    from remit.cli.serve.supervisor import supervise

    return supervise(current().load_config(), wish, workers)
