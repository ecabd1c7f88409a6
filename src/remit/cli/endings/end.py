# SPDX-License-Identifier: Apache-2.0
"""`remit end`, `remit lock` and `remit unlock`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from remit.cli.decisions.confirmation import confirmed
from remit.cli.evidence.closure import show_closure, show_proof
from remit.cli.exit_codes import UsageFault
from remit.cli.output import terminal
from remit.cli.parser import Switch, verb
from remit.cli.rest_client import connect
from remit.core.canonical import digest
from remit.core.scope import EVERYTHING, ScopeKind

app = verb("end")
lock_app = verb("lock")
unlock_app = verb("unlock")


def scope_of(x: str) -> dict[str, str]:
    """Read `name` or `kind:name`; `everything` has no kind."""
    kind, colon, name = x.partition(":")
    if x == ScopeKind.EVERYTHING:
        return {"kind": x, "name": ""}
    if colon and kind in set(ScopeKind):
        return {"kind": kind, "name": name}
    return {"name": x}


@app.default
def end(
    x: str,
    /,
    *,
    reason: str = "",
    prove: Switch = False,
    compromised: Switch = False,
    receipt: Path | None = None,
) -> int:
    """End a task, or everything of an agent, owner, person, tool or upstream; show how fast access was gone.

    When the command returns, no call under it is permitted any longer. It lists calls that were permitted
    earlier and have no outcome yet. For example, an agent behaves strangely: end its task, and remit
    revokes every credential that was issued for it.

    Parameters
    ----------
    x
        A task's id, a name, `kind:name` (task, agent, owner, person, tool, upstream) or `everything`.
    reason
        The reason; it goes into the evidence.
    compromised
        For an upstream: an attacker may have its credentials. Revoke those of its tasks, and keep a finding
        open until it is resolved.
    prove
        Also verify, here, that the signed log holds the closure and the fate of each credential.
    receipt
        Write the proof to this file; `remit audit verify` reads it offline.
    """
    client = connect()
    said = {"compromised": True} if compromised else {}
    closure = client.post("end", reason=reason, **scope_of(x), **said)
    if not prove and receipt is None:
        return show_closure(closure)
    from remit.cli.evidence.receipts import prove_closure

    _, found = prove_closure(client, closure["id"], receipt)
    if terminal.is_json():
        terminal.answer({**closure, "proof": found})
        return 0
    show_closure(closure)
    terminal.say("")
    show_proof(found)
    return 0


@lock_app.default
def lock(x: str = "", /, *, reason: str = "") -> int:
    """End everything of an agent, owner, person, tool or upstream, and refuse new tasks until `remit unlock`.

    Without a name, list the locks. For example, lock an agent while you investigate its last task: a mere
    end would let it begin the next one.

    Parameters
    ----------
    x
        A name, `kind:name` (agent, owner, person, tool, upstream) or `everything`.
    reason
        The reason; it goes into the evidence.
    """
    if x:
        closure = connect().post("lock", reason=reason, **scope_of(x))
        show_closure(closure)
        if not terminal.is_json():
            terminal.say("")
            terminal.say(terminal.text("LOCKED", "bold red"), ": no task opens until")
            terminal.copyable(f"  remit unlock {closure['scope']}")
        return 0
    found = connect().get("locks")
    if terminal.is_json():
        terminal.answer(found)
        return 0
    terminal.table(
        ("LOCKED", "SINCE", "BY", "REASON"),
        (
            (terminal.text(one["scope"], "bold red"), terminal.moment(one["at"]), one["by"], one["reason"])
            for one in found["items"]
        ),
        empty="nothing is locked",
    )
    return 0


@unlock_app.default
def unlock(x: str, /, *, confirm: str = "") -> int:
    """Remove a lock, so that new tasks can be opened; ended tasks stay ended.

    You cannot unlock yourself. The command asks on the terminal, because it returns authority. For example,
    unlock an upstream once its credentials have been replaced.

    Parameters
    ----------
    x
        The lock: a name, `kind:name` (agent, owner, person, tool, upstream) or `everything`.
    confirm
        The digest of the lock, which confirms that you saw it; needed without a terminal.
    """
    client = connect()
    locks = client.get("locks")["items"]
    wanted = scope_of(_locked(x, [one["scope"] for one in locks]))
    name = EVERYTHING if wanted["kind"] == ScopeKind.EVERYTHING else f"{wanted['kind']}:{wanted['name']}"
    found = [one for one in locks if one["scope"] == name]
    if found:
        (one,) = found
        if not terminal.is_json():
            pairs = (
                ("locked", one["scope"]),
                ("since", terminal.moment(one["at"])),
                ("by", one["by"]),
                ("reason", one["reason"]),
            )
            terminal.picture(terminal.facts(pairs))
        if not confirmed("Unlock it?", digest(one), confirm):
            terminal.say("Left locked.", style="yellow")
            return 1
    told = client.post("unlock", **wanted)
    if terminal.is_json():
        terminal.answer(told)
    else:
        terminal.say("Unlocked ", terminal.text(told["scope"], "bold"))
    return 0


def _locked(x: str, scopes: Sequence[str]) -> str:
    """Return the locked scope that a bare name means; raises `UsageFault` unless it is exactly one."""
    if "kind" in scope_of(x):
        return x
    meant = [scope for scope in scopes if scope.partition(":")[2] == x]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise UsageFault(f"several locks match `{x[:80]}`", remediation=f"give one of: {', '.join(meant)}")
    raise UsageFault(f"`{x[:80]}` is not locked", remediation="see `remit lock`")
