# SPDX-License-Identifier: Apache-2.0
"""`remit person`."""

from __future__ import annotations

from remit.cli.exit_codes import UsageFault
from remit.cli.output import terminal
from remit.cli.parser import Several, noun
from remit.cli.rest_client import connect
from remit.core.identity.principals import Role
from remit.core.json_value import Json

app = noun("person", "People: who they are, their roles and groups, and how they sign in.")


def _roles(given: tuple[str, ...]) -> tuple[str, ...]:
    for one in given:
        if one not in set(Role):
            raise UsageFault(f"`{one[:80]}` is not a role", remediation=f"give some of: {', '.join(Role)}")
    return given


@app.command(name="add")
def add(name: str, /, *, role: Several = (), group: Several = ()) -> None:
    """Add a person, who then signs in with a code from `remit person code`.

    For example, add a colleague as `--role approver`, so that the person who requests a call is not the one
    who approves it.

    Parameters
    ----------
    name
        The person's name here.
    role
        administrator, approver, operator or auditor; may be given several times. To own agents and to request
        tasks, a person needs no role.
    group
        A group; may be given several times. Groups of `remit.yaml` are added to these.
    """
    person = connect().post("people", name=name, roles=_roles(role), groups=group)
    if terminal.is_json():
        terminal.answer(person)
        return
    roles = ", ".join(person["roles"]) or "no role"
    terminal.say("Added ", terminal.text(person["name"], "bold"), f" ({roles})")
    terminal.say(f"  remit person code {person['name']}   ", terminal.text("# a code to sign in with", "dim"))


@app.command(name="list")
def people() -> None:
    """List people.

    For example, check who may approve calls before you deploy a policy that asks for approvals.
    """
    found = connect().get("people")
    if terminal.is_json():
        terminal.answer(found)
        return
    terminal.table(
        ("NAME", "ROLES", "GROUPS", "SINCE"),
        (
            (
                one["name"] if one["active"] else terminal.text(f"{one['name']} (inactive)", "dim"),
                ", ".join(one["roles"]),
                ", ".join(one["groups"]),
                terminal.moment(one["created"]),
            )
            for one in found["items"]
        ),
        empty="no people yet",
    )


@app.command(name="code")
def code(name: str, /) -> None:
    """Create a one-time code for a person to sign in with: shown only once, valid for 15 minutes.

    For example, help a colleague back in who has lost a passkey.

    Parameters
    ----------
    name
        The person.
    """
    made = connect().post("people", name, "code")
    if terminal.is_json():
        terminal.answer(made)
        return
    terminal.say(f"For {made['person']}, once, within {made['valid_s'] // 60} minutes:")
    terminal.copyable("  ", terminal.text(made["code"], "bold"))
    terminal.say(f"{made['person']} enters it when `remit login` asks for it.")


@app.command(name="roles")
def roles(name: str, /, *role: str) -> None:
    """Replace a person's roles; you cannot change your own.

    For example, take every role from a colleague who changes teams, by naming none.

    Parameters
    ----------
    name
        The person.
    role
        All roles that the person will have: administrator, approver, operator, auditor; none removes all.
    """
    _one(connect().post("people", name, "roles", roles=_roles(role)))


@app.command(name="deactivate")
def deactivate(name: str, /, *, reason: str = "") -> None:
    """Deactivate a person: their sessions end, and everything that is done in their name.

    For example, deactivate a colleague on the last day at work: no agent acts for that person any longer.

    Parameters
    ----------
    name
        The person.
    reason
        The reason; it goes into the evidence.
    """
    _one(connect().post("people", name, "state", active=False, reason=reason))


@app.command(name="activate")
def activate(name: str, /) -> None:
    """Reactivate a person, who then has to sign in again.

    For example, bring a colleague back after a leave; ended tasks and sessions stay ended.

    Parameters
    ----------
    name
        The person.
    """
    _one(connect().post("people", name, "state", active=True))


@app.command(name="sign-out")
def sign_out(name: str, /) -> None:
    """End all sessions and codes of a person, and revoke their unused approvals.

    For example, use it when a laptop with an open session was lost, then remove its passkey too.

    Parameters
    ----------
    name
        The person.
    """
    _one(connect().post("people", name, "sign-out"))


@app.command(name="ways")
def ways(name: str, /) -> None:
    """List a person's passkeys, and their accounts at providers.

    For example, find the id of a passkey on a lost phone for `remit person remove-way`.

    Parameters
    ----------
    name
        The person.
    """
    found = connect().get("people", name, "ways")
    if terminal.is_json():
        terminal.answer(found)
        return
    terminal.table(
        ("ID", "KIND", "NAME", "SINCE", "LAST USED", "BY A CODE OF"),
        (
            (
                one["id"],
                one["kind"],
                one["name"],
                terminal.moment(one["made"]),
                terminal.moment(one["last_used"]) if one["last_used"] else "",
                ", ".join(one["coded_by"]),
            )
            for one in found["items"]
        ),
        empty="none",
    )


@app.command(name="remove-way")
def remove_way(name: str, way: str, /) -> None:
    """Remove a person's passkey, or account at a provider; all their sessions and codes end.

    For example, remove the passkey of a lost phone, so that its finder cannot sign in.

    Parameters
    ----------
    name
        The person.
    way
        Its id, from `remit person ways`.
    """
    removed = connect().post("people", name, "ways", way, "remove")
    if terminal.is_json():
        terminal.answer(removed)
    else:
        terminal.say(f"Removed {removed['kind']} {removed['id']} of {name}")


@app.command(name="sessions")
def sessions() -> None:
    """List your own sessions, at browsers and in programs.

    For example, check for a session that you do not recognise.
    """
    found = connect().get("sessions")
    if terminal.is_json():
        terminal.answer(found)
        return
    terminal.table(
        ("ID", "WHERE", "BY", "SINCE", "UNTIL"),
        (
            (
                one["id"],
                (one["place"] or "a program") + (" (this one)" if one["current"] else ""),
                one["method"] + (f", by {' and '.join(one['coded_by'])}" if one["coded_by"] else ""),
                terminal.moment(one["created"]),
                terminal.moment(one["expires"]),
            )
            for one in found["items"]
        ),
        empty="nowhere",
    )


@app.command(name="end-session")
def end_session(session: str, /) -> None:
    """End one of your own sessions.

    For example, end the session that you left open in a browser at another desk.

    Parameters
    ----------
    session
        Its id, from `remit person sessions`.
    """
    connect().post("sessions", session, "end")
    if terminal.is_json():
        terminal.answer({"session": session})
    else:
        terminal.say(f"Ended session {session}")


def _one(person: Json) -> None:
    if terminal.is_json():
        terminal.answer(person)
        return
    terminal.picture(
        terminal.facts(
            [
                ("person", terminal.text(person["name"], "bold")),
                ("state", "active" if person["active"] else "inactive"),
                ("roles", ", ".join(person["roles"]) or "none"),
                ("groups", ", ".join(person["groups"]) or "none"),
            ]
        )
    )
