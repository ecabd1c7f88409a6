# SPDX-License-Identifier: Apache-2.0
"""`remit policy prove`: what a change permits, for every possible call and not for samples."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from rich.padding import Padding

from remit.cli.exit_codes import UsageFault
from remit.cli.output import terminal
from remit.cli.parser import Many, Switch
from remit.cli.policy.policy_files import IN_FORCE, is_folder, named
from remit.cli.rest_client import connect
from remit.core.json_value import Json

if TYPE_CHECKING:
    from remit.services.policy.proofs import WantedProof

#: Seconds of a proof on this machine, for all tools.
MAX_SECONDS: Final = 600.0
#: Facts of a call that are shown; `--json` has all.
SHOWN: Final = 12
_OUTCOMES: Final = {"permit": "permitted", "deny": "refused", "defer": "asked about"}
_STYLES: Final = {"permit": "green", "deny": "red", "defer": "yellow"}
#: The facts that are shown as the effect and the audience of the call.
_OF_FORM: Final = ("context.effect", "context.audience")
#: What each question says if it holds, and what a call shows for which it does not.
_HOLDS: Final = {
    "never-errs": "no rule fails",
    "no-wider": "permits nothing that was not permitted before",
    "no-wider-after-approval": "lets no person approve what was refused before",
    "bounded": "the guardrail bounds everything",
    "reached-only-by": "no other agent's call is permitted",
}
_FAILS: Final = {
    "never-errs": "`{rule}` fails, and remit refuses where a rule fails",
    "no-wider": "permits this call, which was not permitted before",
    "no-wider-after-approval": "lets a person approve this call, which was refused before",
    "bounded": "permits this call, against `{rule}`",
    "reached-only-by": "permits this call of another agent",
}


def prove(
    old: str = "",
    new: str = "",
    /,
    *,
    tool: Annotated[tuple[str, ...], Many] = (),
    guardrail: str = "",
    only_by: Annotated[tuple[str, ...], Many] = (),
    errors: Switch = False,
) -> int:
    """Prove for every possible call that a change of policies permits nothing more, or show the exact call.

    Each of the two versions is a folder, a number of `remit policy history`, or `in-force`. With one, it is
    compared with what is in force; with none, the server's folder is. Two folders are compared without a
    server. Each call that is shown was decided again by a rehearsal, which agreed. Exits 2 unless everything
    is proven. It needs Cedar's analyzer and a solver (`make proof`). For example, run it in CI on each change
    of a policy.

    Parameters
    ----------
    old
        The version before.
    new
        The version after.
    tool
        Only this tool, as `upstream/name`; may be repeated.
    guardrail
        Prove instead that this rule of the old version bounds everything that the new one permits.
    only_by
        Prove instead that only this agent, or members of `group:NAME`, reach the tools; may be repeated.
    errors
        Prove instead that no rule can fail.
    """
    if sum((bool(guardrail), bool(only_by), errors)) > 1:
        raise UsageFault("several statements at once", remediation="prove one after the other")
    if old and not new:
        old, new = IN_FORCE, old
    found = proof_of(old, new, tools=list(tool), guardrail=guardrail, reached_by=list(only_by), errors=errors)
    if terminal.is_json():
        terminal.answer(found)
    else:
        show_proof(found)
    return 0 if found["verdict"] == "proven" else 2


def proof_of(old: str, new: str, **asked: Json) -> Json:
    """Return a proof about two versions in the wire form, by the server or from two folders."""
    if is_folder(old) and is_folder(new):
        return _local(Path(old), Path(new), asked)
    return connect().post("policies", "prove", before=named(old or IN_FORCE), after=named(new), **asked)


def _local(old: Path, new: Path, asked: Json) -> Json:
    """Prove by the files of two bundles alone; a rehearsal of each decides the calls that are found."""
    import msgspec

    from remit.api.rest.policy_simulation import proof_view
    from remit.cli.doctor.files import last_seen
    from remit.compose import policy_engine, policy_prover
    from remit.config import CONFIG_NAME, load_bundle, load_config
    from remit.core.errors import ConfigInvalid
    from remit.rehearse import Rehearsal
    from remit.services.policy.proofs import ProofSide, WantedProof
    from remit.services.policy.proofs import prove as proven

    config = load_config(new / CONFIG_NAME)
    prover, engine = policy_prover(config), policy_engine(config)
    if prover is None:
        raise ConfigInvalid("a proof is about policies in Cedar", remediation="use `remit policy simulate`")
    prover.programs()  # before the slower preparations: it raises where the programs are not installed
    sides = []
    with ExitStack() as stack:
        for folder in (old, new):
            bundle = load_bundle(load_config(folder / CONFIG_NAME))
            # The arguments of tools are those that upstreams offered last to the new version.
            tools = last_seen(config, bundle)[0]
            rehearsal = stack.enter_context(Rehearsal(folder))
            sides.append(
                ProofSide(bundle=bundle, tools=tools, rules=rehearsal.rules, decide=rehearsal.decided)
            )
        before, after = sides
        wanted: WantedProof = msgspec.convert(asked, WantedProof)
        found = proven(prover, before, after, wanted, engine=engine, seconds=MAX_SECONDS)
    return msgspec.to_builtins(proof_view(found))


def show_proof(found: Json) -> None:
    """Show a proof: first what does not hold, with its calls, then what is open, then what holds."""
    answers = found["answers"]
    if not answers:
        terminal.say("No call of any tool can be decided differently: no rule in its scope differs.")
    for verdict in ("refuted", "undecided"):
        for one in answers:
            if one["verdict"] == verdict:
                _show_answer(one)
    tools: dict[str, list[Json]] = {}
    for one in answers:
        tools.setdefault(one["tool"], []).append(one)
    whole = [name for name, ones in tools.items() if all(one["verdict"] == "proven" for one in ones)]
    for name in whole:
        said = dict.fromkeys(_HOLDS[one["question"]] for one in tools[name])
        terminal.say(terminal.text("proven  ", "green"), terminal.text(name, "bold"), f"  {'; '.join(said)}")
    if whole:
        terminal.say("")
    _show_sum(found)


def _show_sum(found: Json) -> None:
    count = len(found["answers"])
    bad = [sum(one["verdict"] == word for one in found["answers"]) for word in ("refuted", "undecided")]
    every = terminal.counted(count, "question")
    told = {
        "proven": terminal.text(f"Proven for every possible call: {every}", "green"),
        "refuted": terminal.text(f"{bad[0]} of {every} refuted", "bold red"),
        "undecided": terminal.text(f"{bad[1]} of {every} open", "bold yellow"),
    }[found["verdict"]]
    if count:
        terminal.say(told, f" in {found['seconds']:.1f} s")
    terminal.say(f"Cedar {found['cedar']}, cvc5 {found['solver']}", style="dim")


def _show_answer(one: Json) -> None:
    refuted = one["verdict"] == "refuted"
    call = one["call"]
    said = (_FAILS if refuted else _HOLDS)[one["question"]].format(rule=one["rule"])
    style = "bold red" if refuted else "bold yellow"
    terminal.say(
        terminal.text("refuted " if refuted else "open    ", style),
        terminal.text(one["tool"], "bold"),
        f"  {said}",
    )
    if one["why"]:
        terminal.say(f"    {one['why']}", style="dim")
    if call is not None:
        _show_call(one, call)
    terminal.say("")


def _show_call(one: Json, call: Json) -> None:
    facts = [pair for pair in call["facts"].items() if pair[0] not in _OF_FORM]
    more = len(facts) - SHOWN
    rules = f" by {', '.join(f'`{name}`' for name in call['rules'])}" if call["rules"] else ""
    pairs: list[tuple[str, object]] = [
        ("effect", one["effect"]),
        ("audience", one["audience"]),
        ("agent's groups", ", ".join(call["groups"])),
        *((name, terminal.compact(value)) for name, value in facts[:SHOWN]),
        ("and", f"{more} more facts; `--json` has them" if more > 0 else ""),
        ("before", terminal.text(_OUTCOMES[call["before"]], _STYLES[call["before"]])),
        ("after", terminal.text(_OUTCOMES[call["after"]], _STYLES[call["after"]]) + terminal.text(rules)),
    ]
    terminal.picture(Padding(terminal.facts(pairs), (0, 0, 0, 4)))
