# SPDX-License-Identifier: Apache-2.0
"""`remit login` and `remit logout`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from remit.cli.exit_codes import UsageFault
from remit.cli.global_options import current
from remit.cli.output import terminal
from remit.cli.parser import verb
from remit.cli.private_files import read_private
from remit.cli.rest_client import anonymous, connect
from remit.cli.session_file import StoredSession, current_profile, forget, remember, terminal_key

app = verb("login")
logout_app = verb("logout")


@app.default
def login(
    *,
    code_file: Annotated[str, Parameter(show_default=False)] = "",
    code_stdin: Annotated[bool, Parameter(negative=())] = False,
    browser: Annotated[bool, Parameter(negative=())] = False,
    served_by: str = "",
) -> None:
    """Sign in with a one-time code or at the browser, and keep the session for later commands.

    `remit up` prints the first code; later ones come from `remit person code NAME`. With `--as NAME` the
    session is kept under that name, beside other sessions. The command asks for the code on the terminal. The
    code is never an argument, because other users of the machine can read command lines and the shell keeps
    them. For example, sign in once in the morning, then approve calls and open tasks without further codes.

    Parameters
    ----------
    code_file
        Read the code from this file, which only you may be able to read (mode 600).
    code_stdin
        Read the code from standard input.
    browser
        Sign in at the browser instead: with a passkey, or with the provider of your organisation.
    served_by
        The user of this machine that remit runs as, if that is not you; needed only once.
    """
    if bool(code_file) + code_stdin + browser > 1:
        raise UsageFault("several ways to sign in are given", remediation="give one of them")
    user = _user_id(served_by) if served_by else None
    client = anonymous(served_by=user)
    jkt = terminal_key(make=True).thumbprint
    if browser:
        from remit.cli.identity.login_browser import sign_in

        session = sign_in(client, _tell, jkt)
    else:
        session = client.post("sign-in", code=_code(code_file, stdin=code_stdin), dpop_jkt=jkt)
    kept = StoredSession(session["person"], session["session"], session["expires"], session["url"])
    name = remember(client.base_url, kept, profile=current().profile, served_by=user)
    if terminal.is_json():
        terminal.answer(
            {"person": kept.person, "profile": name, "expires": kept.expires, "url": client.base_url}
        )
        return
    terminal.say("Signed in as ", terminal.text(kept.person, "bold"), f" at {client.base_url}")
    terminal.picture(terminal.facts([("until", terminal.moment(kept.expires)), ("kept as", name)]))


def _user_id(name: str) -> int:
    """Return the id of a user of this machine, from a name or number."""
    import pwd

    try:
        return int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid
    except KeyError:
        raise UsageFault(
            f"user `{name[:80]}` does not exist on this machine", remediation="give the user that runs remit"
        ) from None


def _tell(address: str, word: str) -> None:
    terminal.remark(f"continue in your browser; its page must show {word}")
    terminal.remark(address)


def _code(name: str, *, stdin: bool) -> str:
    """Read the code from a file that only this user can read, from standard input, or from the terminal."""
    if stdin:
        return sys.stdin.readline().strip()
    return _read(Path(name)) if name else _ask()


def _ask() -> str:
    if not sys.stdin.isatty():
        raise UsageFault(
            "no code is given, and no terminal: cannot prompt",
            remediation="give `--code-stdin`, `--code-file FILE` or `--browser`",
        )
    import getpass

    return getpass.getpass("Code: ").strip()


def _read(place: Path) -> str:
    try:
        return read_private(place).decode("ascii").strip()
    except OSError as fault:
        raise UsageFault(
            f"`{place}` cannot be read: {fault.strerror}", remediation="give another file"
        ) from None
    except UnicodeDecodeError:
        raise UsageFault(f"`{place}` contains no code", remediation="write only the code into it") from None


@logout_app.default
def logout() -> None:
    """Sign out: end the session at remit and delete it here.

    For example, sign out before you leave a shared machine: a copy of the session is then useless.
    """
    from remit.core.errors import Unauthenticated

    client = connect()
    try:
        client.post("sign-out")
    except Unauthenticated:
        # It had already ended at remit; it is deleted here nevertheless.
        terminal.remark("the session had ended already")
    name = "" if os.environ.get("REMIT_SESSION") and not current().profile else forget(client.base_url)
    if terminal.is_json():
        terminal.answer({"profile": name, "url": client.base_url})
    else:
        terminal.say("Signed out ", terminal.text(name, "bold"), " of " if name else "of ", client.base_url)
        following = current_profile(client.base_url) if name and not current().profile else ""
        if following:
            terminal.remark(f"without `--as`, commands now act as {following}")
