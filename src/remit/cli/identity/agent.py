# SPDX-License-Identifier: Apache-2.0
"""`remit agent`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from remit.cli.exit_codes import UsageFault
from remit.cli.global_options import current
from remit.cli.identity.bindings import BindingOptions, binding_line
from remit.cli.identity.review import review
from remit.cli.output import terminal
from remit.cli.parser import Several, Switch, noun
from remit.cli.rest_client import connect
from remit.core.json_value import Json

app = noun(
    "agent",
    "Agents: governed identities, each with a purpose, an accountable owner and proofs of identity.",
)


def key_place(name: str) -> Path:
    """Return the default path of an agent's key, beside the configuration."""
    from remit.config import state_of

    return state_of(current().config_file.parent) / "agents" / f"{name}.key.json"


@app.command(name="register")
def register(
    name: str,
    /,
    *,
    owner: str,
    purpose: str,
    environment: str = "development",
    initiative: str = "",
    group: Several = (),
    manifest: str = "",
    key: Path | None = None,
    proof: BindingOptions | None = None,
) -> None:
    """Register an agent, and set how it proves its identity.

    Without another way, or with `--key`, remit uses a key that is made here; only its public part is sent.
    For example, register the agent of your build pipeline with its SPIFFE ID: its calls then carry its own
    identity and the name of the person who answers for it.

    Parameters
    ----------
    name
        The agent's name.
    owner
        The person who answers for it, or a team as `group:name`.
    purpose
        What the agent is for.
    environment
        The environment it belongs to, such as `production`.
    initiative
        The AI programme that it is part of.
    group
        A group; may be given several times.
    manifest
        A digest over its model, prompt, tools and code, from `remit agent manifest`.
    key
        The key's file: used if it exists, otherwise made
        (default: `.remit/agents/NAME.key.json` beside the configuration).
    """
    from remit.core.ids import check_name

    check_name(name, "an agent")
    client = connect()
    bindings = (proof or BindingOptions()).bindings()
    with _own_key(key or key_place(name), wanted=key is not None or not bindings) as (held, place):
        agent = client.post(
            "agents",
            name=name,
            owner=owner,
            purpose=purpose,
            bindings=[*held, *bindings],
            environment=environment,
            initiative=initiative,
            groups=group,
            manifest_digest=manifest,
        )
    if terminal.is_json():
        terminal.answer({**agent, **({"key_file": str(place)} if place else {})})
        return
    terminal.say("Registered ", terminal.text(name, "bold"), f", owned by {owner}")
    pairs = [("proven by", binding_line(one)) for one in agent["bindings"]]
    if place:
        pairs.append(("key", f"{place} (keep it)"))
    terminal.picture(terminal.facts(pairs))


@contextmanager
def _own_key(place: Path, *, wanted: bool) -> Iterator[tuple[list[Json], Path | None]]:
    """Yield the binding of the key at a path, and the path; make the key if there is none.

    If the following operation fails, a key that was made for it is removed: no registration refers to it, and
    a leftover file would be mistaken for a registered key.
    """
    if not wanted:
        yield [], None
        return
    from remit.config.scaffold import keep_from_git
    from remit_sdk.key import AgentKey

    made = not place.exists()
    own = AgentKey.generate() if made else AgentKey.load(place)
    if made:
        own.save(place)
        keep_from_git(place.parent.parent)
    try:
        yield [{"type": "key", "jwk": own.public_jwk}], place
    except BaseException:
        if made:
            place.unlink(missing_ok=True)
        raise


@app.command(name="list")
def agents() -> None:
    """List agents; without a role, those that you own.

    For example, find the agents of a colleague who leaves, before they have no owner.
    """
    found = connect().get("agents")
    if terminal.is_json():
        terminal.answer(found)
        return
    terminal.table(
        ("NAME", "STATE", "OWNER", "ENVIRONMENT", "PURPOSE", "REGISTERED"),
        (
            (
                one["name"],
                terminal.state(one["state"]),
                one["owner"],
                one["environment"],
                one["purpose"],
                terminal.moment(one["created"]),
            )
            for one in found["items"]
        ),
        empty="no agents; `remit agent register` adds one",
    )


@app.command(name="show")
def shown(name: str, /) -> None:
    """Show an agent: its owner, purpose, state and proofs of identity.

    For example, look up the id that `remit agent unbind` needs.

    Parameters
    ----------
    name
        The agent.
    """
    _one(connect().get("agents", name))


def _mover(word: str, state: str, says: str) -> None:
    """Add a verb that changes an agent's state."""

    def move(name: str, /, *, reason: str = "") -> None:
        _one(connect().post("agents", name, "state", state=state, reason=reason))

    move.__doc__ = f"""{says}

    Parameters
    ----------
    name
        The agent.
    reason
        Why; it goes into the evidence.
    """
    app.command(name=word)(move)


for _verb in (
    ("activate", "active", "Enable an agent, or enable it again."),
    ("suspend", "suspended", "Suspend an agent: all its tasks end."),
    ("retire", "retired", "Retire an agent permanently: all its tasks end."),
):
    _mover(*_verb)


app.command(name="review")(review)


@app.command(name="bind")
def bind(name: str, /, *, key: Path | None = None, proof: BindingOptions | None = None) -> None:
    """Add one more way for an agent to prove its identity; no two agents share one.

    For example, bind the new workload before you move an agent to another cluster, then unbind the old one.

    Parameters
    ----------
    name
        The agent.
    key
        A key's file: used if it exists, otherwise made.
    """
    client = connect()
    bindings = (proof or BindingOptions()).bindings()
    if key is None and not bindings:
        raise UsageFault(
            "no binding is given",
            remediation="give `--key`, `--spiffe-id`, `--issuer`, `--local` or `--client`",
        )
    with _own_key(key or key_place(name), wanted=key is not None) as (held, _):
        done = [client.post("agents", name, "bind", binding=binding) for binding in (*held, *bindings)]
    _one(done[-1])


@app.command(name="unbind")
def unbind(name: str, workload: str, /, *, reason: str = "") -> None:
    """Remove one way for an agent to prove its identity; its tokens are refused and all its tasks end.

    For example, unbind a key that lay on a lost laptop.

    Parameters
    ----------
    name
        The agent.
    workload
        The proof to remove, as `remit agent show` prints it: `jkt:...`, a SPIFFE ID,
        `issuer#subject`.
    reason
        The reason; it goes into the evidence.
    """
    _one(connect().post("agents", name, "unbind", workload=workload, reason=reason))


@app.command(name="owner")
def owner(name: str, owner: str, /) -> None:
    """Change the person or the team that answers for an agent.

    For example, move the agents of a colleague who leaves: an agent without an owner can do nothing.

    Parameters
    ----------
    name
        The agent.
    owner
        A person, or a team as `group:name`.
    """
    _one(connect().post("agents", name, "owner", owner=owner))


@app.command(name="manifest")
def manifest(
    name: str,
    /,
    *,
    model: str = "",
    prompt: Path | None = None,
    tools: Path | None = None,
    code: Path | None = None,
    digest: str = "",
    only_show: Switch = False,
) -> None:
    """Register the digest of an agent's model, prompt, tools and code; later reports are compared with it.

    For example, register the release that you reviewed: an agent that later reports another prompt becomes a
    finding.

    Parameters
    ----------
    name
        The agent.
    model
        Its model, by name and version.
    prompt
        A file, or a folder, with its prompts.
    tools
        A file, or a folder, with the descriptions of its tools.
    code
        A file, or a folder, with its code.
    digest
        The digest itself, if it was made elsewhere.
    only_show
        Print the digest and register nothing.
    """
    from remit_sdk.manifest import manifest_digest

    if not digest and not (model or prompt or tools or code):
        raise UsageFault(
            "no component of the agent is given",
            remediation="give `--model`, `--prompt`, `--tools`, `--code` or `--digest`",
        )
    made = digest or manifest_digest(model=model, prompt=prompt, tools=tools, code=code)
    if not only_show:
        _one(connect().post("agents", name, "manifest", digest=made))
    elif terminal.is_json():
        terminal.answer({"manifest_digest": made})
    else:
        terminal.say(made)


def _one(agent: Json) -> None:
    if terminal.is_json():
        terminal.answer(agent)
        return
    pairs = [
        ("agent", terminal.linked("agents", agent["name"])),
        ("state", terminal.state(agent["state"])),
        ("owner", agent["owner"]),
        ("purpose", agent["purpose"]),
        ("environment", agent["environment"]),
        ("initiative", agent["initiative"]),
        ("groups", ", ".join(agent["groups"])),
        *(("proven by", binding_line(one)) for one in agent["bindings"]),
        ("manifest", agent["manifest_digest"]),
        *_posture(agent.get("posture")),
        ("registered", terminal.moment(agent["created"])),
        ("by", agent["created_by"]),
    ]
    terminal.picture(terminal.facts(pairs))


def _posture(posture: Json) -> list[tuple[str, object]]:
    if posture is None:
        return []
    last = posture["last_proof"]
    seen = (
        f"{last['method']} ({last['assurance']}) from {last['place'] or 'an unknown place'}" if last else ""
    )
    return [
        ("last seen", terminal.moment(last["at"]) if last else "never"),
        ("proven then by", seen),
        ("findings", terminal.text(", ".join(posture["findings"]), "yellow")),
    ]
