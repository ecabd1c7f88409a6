# SPDX-License-Identifier: Apache-2.0
"""`remit login` and `remit logout`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

from cyclopts import Parameter

from remit.cli import show
from remit.cli.client import anonymous, connect
from remit.cli.faults import UsageFault
from remit.cli.invocation import current
from remit.cli.parser import verb
from remit.cli.sessions import StoredSession, current_profile, forget, remember

app = verb("login")
logout_app = verb("logout")


@app.default
def login(
    *,
    code: Annotated[str, Parameter(show_default=False)] = "",
    browser: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Sign in with a one-time code or at the browser, and keep the session for the commands that follow.

    The first code is printed by `remit up`; later ones come from `remit person code NAME`. With `--as NAME`
    the session is kept under that name, beside those of others. Without `--code` it is asked for: then
    neither the shell's history has it, nor the list of processes, which other users of the machine can read.

    Parameters
    ----------
    code
        The one-time code.
    browser
        Sign in at the browser instead: with a passkey, or as your organisation has it.
    """
    if code and browser:
        raise UsageFault("a code and the browser are two ways", way_out="give one of them")
    client = anonymous()
    if browser:
        from remit.cli.browser import sign_in

        session = sign_in(client, _tell)
    else:
        session = client.post("sign-in", code=code or _ask())
    kept = StoredSession(session["person"], session["session"], session["expires"])
    name = remember(client.base_url, kept, profile=current().profile)
    if show.is_json():
        show.answer({"person": kept.person, "profile": name, "expires": kept.expires, "url": client.base_url})
        return
    show.say("Signed in as ", show.text(kept.person, "bold"), f" at {client.base_url}")
    show.picture(show.facts([("until", show.moment(kept.expires)), ("kept as", name)]))


def _tell(address: str, word: str) -> None:
    show.remark(f"go on at your browser; its page must show {word}")
    show.remark(address)


def _ask() -> str:
    if not sys.stdin.isatty():
        raise UsageFault("no code is given", way_out="write `remit login --code CODE`, or `--browser`")
    import getpass

    return getpass.getpass("Code: ").strip()


@logout_app.default
def logout() -> None:
    """Sign out: end the session at remit, and forget it here."""
    from remit.core.errors import Unauthenticated

    client = connect()
    try:
        client.post("sign-out")
    except Unauthenticated:
        # It had ended there already; here it is forgotten all the same.
        show.remark("the session had ended already")
    name = "" if os.environ.get("REMIT_SESSION") and not current().profile else forget(client.base_url)
    if show.is_json():
        show.answer({"profile": name, "url": client.base_url})
    else:
        show.say("Signed out ", show.text(name, "bold"), " of " if name else "of ", client.base_url)
        following = current_profile(client.base_url) if name and not current().profile else ""
        if following:
            show.remark(f"without `--as`, commands act as {following} now")
