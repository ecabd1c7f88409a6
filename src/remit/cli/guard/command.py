# SPDX-License-Identifier: Apache-2.0
"""`remit guard`: install, uninstall, status."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from remit.cli.global_options import current
from remit.cli.output import terminal
from remit.cli.parser import Switch, noun, seconds
from remit.core.json_value import Json

if TYPE_CHECKING:
    from remit.cli.guard.clients import ClientSettings
    from remit.cli.guard.hook_settings import Inserted

app = noun("guard", "Coding assistants under guard: their own tools ask remit, by hooks in their settings.")


@app.command
def install(
    client: str,
    /,
    *,
    managed: Switch = False,
    mode: Literal["observe", "ask", "enforce"] | None = None,
    person: str = "",
    headless: Switch = False,
    allow: Switch = False,
    wait: str = "",
    start: Annotated[bool, Parameter(negative="--no-start")] = True,
) -> None:
    """Let a client's hooks ask remit before each call of its own tools, and report what came of it.

    Needs no MCP server. The user's settings are changed, with a backup; other hooks and comments stay. In the
    mode `ask` a call that remit would refuse is put to you by the client; Codex, Cursor and Gemini CLI cannot
    do that. For example, install it, restart
    the client, and watch `remit audit log`.

    Parameters
    ----------
    client
        The client: `claude-code`, `codex`, `copilot`, `cursor` or `gemini`.
    managed
        Write the system's managed settings, which the user and the agent cannot change. Needs administrator
        rights.
    mode
        What a refusal does: only recorded, put to you, or the call does not happen (default: put to you where
        the client can, else it does not happen).
    person
        The person whose client it is (default: you).
    headless
        Take the prompts of runs without a terminal (`claude -p`, and all of Cursor) for that person's words.
    allow
        Let remit's permit be enough: the client does not ask you on its own about what remit permits.
    wait
        How long a call that needs an approver waits for the answer, up to `10m` (default: it is refused until
        then). In the mode `enforce`.
    start
        Let the client start `remit up` in the background when a session begins.
    """
    from remit.cli.exit_codes import UsageFault
    from remit.cli.guard import clients
    from remit.cli.guard.bundle import task_type
    from remit.cli.guard.hook_program import MAX_WAIT_S
    from remit.core.hooks.forms import softest_mode, unsupported

    found = clients.client(client)
    client, chosen = found.name, str(mode or softest_mode(found.name))
    why, remedy = unsupported(client, chosen, "allow" if allow else "silent")
    if why:
        raise UsageFault(why, remediation=remedy)
    wait_s = seconds(wait) if wait else 0
    if wait_s > MAX_WAIT_S or (wait_s and chosen != "enforce"):
        raise UsageFault(
            "`--wait` is out of bounds" if wait_s > MAX_WAIT_S else f"in the mode `{chosen}` no call waits",
            remediation="give at most `10m`, with `--mode enforce`",
        )
    section: dict[str, Json] = {
        "agent": client,
        "task": task_type(client),
        "person": person,
        "mode": chosen,
        "permits": "allow" if allow else "silent",
        "settings": "managed" if managed else "user",
        "headless": "person" if headless else "unknown",
        "wait_s": wait_s,
    }
    done, config = _put_in(found, section, managed=managed, start=start)
    _tell(done, config, chosen, str(section["person"]))


def _put_in(
    found: ClientSettings, section: dict[str, Json], *, managed: bool, start: bool
) -> tuple[Inserted, Path]:
    """Change remit's folder first and the client's settings last: a failure leaves the client unchanged."""
    import asyncio
    import secrets

    from remit.cli.guard import hook_settings
    from remit.cli.guard.bundle import task_type, with_clearance, with_guard, write_bundle
    from remit.cli.guard.client_hooks import hooks_of, root_of
    from remit.cli.guard.registration import enrol
    from remit.cli.wrap import folder
    from remit.cli.wrap.backup import digest, replace_file
    from remit.config import load_bundle, load_config
    from remit.services.guard.client import SUBAGENT

    client, file = found.name, found.managed if managed else found.user
    place = found.managed_place if managed else found.place
    config, secret = _config(), secrets.token_hex(32)
    before, own = hook_settings.current(file)
    with folder.one_at_a_time():
        folder.prepared(config)
        bundle = [
            config.parent / name for name in (f"tools/{client}.yaml", f"tasks/{task_type(client)}.yaml")
        ]
        with folder.all_or_nothing([config, *bundle]):
            wanted = str(section["person"])
            section |= {"person": wanted or "unknown", "secret_sha256": digest(secret.encode())}
            text = with_clearance(config.read_text(encoding="utf-8"))
            replace_file(config, with_guard(text, client, section).encode("utf-8"))
            section["person"] = asyncio.run(enrol(load_config(config), [client, client + SUBAGENT], wanted))
            replace_file(config, with_guard(text, client, section).encode("utf-8"))
            read = load_config(config)
            write_bundle(read, client, client, str(section["person"]))
            load_bundle(read)
            url = f"{read.listen.url}/hooks/{client}"
            wait_s = read.guards[client].wait_s
            connection = hook_settings.connection_of(url, secret, str(place or ""), wait_s)
            hooks = hooks_of(client, connection, _start_words(config) if start else ())
            changed, texts = hook_settings.with_hooks(
                before, file.name, hooks, root_of(client, managed=managed)
            )
        for other in hook_settings.installed(client):
            if other.file != str(file):
                # Its secret counts no longer: its hooks would block each call.
                hook_settings.take_out(other)
        # From here on remit's folder stays as it is: an administrator may have to write the settings.
        more = hook_settings.beside(client, connection, managed=managed)
        done = hook_settings.put_in(file, client, before, changed, texts, own=own, managed=managed, more=more)
    return done, config


def _start_words(config: Path) -> list[str]:
    """Return the command that starts remit: a client may have another PATH than this command."""
    import sys

    script = Path(sys.executable).parent / "remit"
    # -P: the folder in which a client starts it must not be searched for modules.
    own = [str(script)] if script.is_file() else [sys.executable, "-P", "-m", "remit"]
    return [*own, "guard", "start", "--config", str(config)]


@app.command
def start() -> None:
    """Start `remit up` in the background if it does not run, and return once it answers.

    A guarded client runs this when a session begins. For example, run it yourself after `remit stop`.
    """
    from remit.cli.serve.background import ensure_running

    ensure_running(current().config_file, current().base_url())
    if terminal.is_json():
        terminal.answer({"url": current().base_url()})


@app.command
def uninstall(client: str, /) -> None:
    """Take a client's hooks out of its settings, and its section out of remit's configuration.

    What the client did stays in the evidence. For example, before you give the machine away.

    Parameters
    ----------
    client
        The client: `claude-code`, `codex`, `copilot`, `cursor` or `gemini`.
    """
    from remit.cli.guard import clients, hook_settings
    from remit.cli.guard.bundle import without_guard
    from remit.cli.wrap.backup import replace_file
    from remit.core.errors import Conflict

    client = clients.client(client).name
    left: list[str] = []
    files = hook_settings.the_one(client)
    for done in files:
        left += hook_settings.take_out(done)
    config = _config()
    if config.is_file():
        text = without_guard(config.read_text(encoding="utf-8"), client)
        replace_file(config, text.encode("utf-8"))
    if left:
        raise Conflict(
            f"{len(left)} hooks of remit were changed since, and are still in {files[0].file}",
            remediation=f"remove remit's hooks for `{client}` by hand; the copy is {files[0].backup}",
        )
    if terminal.is_json():
        terminal.answer({"client": client, "restored": [one.file for one in files]})
        return
    terminal.say(f"{client} is no longer under guard: {', '.join(one.file for one in files)} is as before.")


@app.command
def status(client: Annotated[str, Parameter()] = "", /) -> None:
    """Show which clients are under guard, what holds, and what does not.

    For example, after an update of the client: a version that remit was not tested with is named here.

    Parameters
    ----------
    client
        One client (default: all).
    """
    from remit.cli.guard.report import guards_of, told

    found = guards_of(_config(), client)
    if terminal.is_json():
        terminal.answer({"items": found})
        return
    told(found)


def _config() -> Path:
    """Return the configuration to extend: the one that commands find here, else the user's."""
    from remit.config import user_config

    found = current().config_file
    return found if current().config or found.is_file() else user_config()


def _tell(done: Inserted, config: Path, mode: str, person: str) -> None:
    from remit.cli.guard.report import MODES, whose_words
    from remit.core.hooks.forms import FORMS

    if terminal.is_json():
        terminal.answer(
            {
                "client": done.client,
                "file": done.file,
                "backup": done.backup,
                "managed": done.managed,
                "mode": mode,
                "config": str(config),
                "person": person,
            }
        )
        return
    terminal.picture(
        terminal.facts(
            [
                ("under guard", done.client),
                ("hooks", f"{done.file}" + (f" (backup: {done.backup})" if done.backup else " (new)")),
                ("configuration", str(config)),
                ("whose words", f"{person}'s, {whose_words(done.client)}"),
                ("mode", f"{mode}: {MODES[mode]}"),
            ]
        )
    )
    if not done.managed:
        terminal.say(
            "NOT ENFORCED against the client's own user: these settings can be edited. `--managed` writes "
            "them where only an administrator can.",
            style="yellow",
        )
    for line in FORMS[done.client].open_to:
        terminal.say(f"NOT ENFORCED: {line}", style="yellow")
    terminal.say("")
    terminal.say("Restart the client, and remit if it runs (`remit restart`). Then:", style="bold")
    for command, why in (
        ("remit guard status", "what holds, and the last sign of life"),
        ("remit audit log", "each call, with its decision"),
        (f"remit guard uninstall {done.client}", "to undo"),
    ):
        terminal.copyable(f"  {command:<32} ", terminal.text(f"# {why}", "dim"))
