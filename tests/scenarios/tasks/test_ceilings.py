# SPDX-License-Identifier: Apache-2.0
"""Ceilings of agents, owners and people take from every task what its type would grant, and say so."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from remit.config.scaffold import scaffold
from remit.core.errors import ConfigInvalid, Forbidden
from remit.core.tasks.ceiling import AuthorityCeiling, AuthorityCeilings, AuthorityCut, CutBy
from remit.core.tasks.sentences import SentenceKind
from remit.core.tools.tool import Tier
from remit.rehearse import Rehearsal, RehearsedTask
from tests.architecture.tree import ROOT

BUNDLE = ROOT / "examples" / "story" / "bundle"
PARAMS = {"contract": "C-42", "ticket": "T-1"}


@contextmanager
def bounded(folder: Path, ceilings: str) -> Iterator[Rehearsal]:
    """Return a rehearsal of the story's task types under ceilings, with ana as the agent's owner."""
    scaffold(folder)
    for place in ("tools", "tasks", "tests"):
        shutil.rmtree(folder / place)
    shutil.copytree(BUNDLE, folder, dirs_exist_ok=True)
    names = ", ".join(
        f"{one.stem}: {{url: 'http://127.0.0.1:9/mcp'}}" for one in (folder / "tools").iterdir()
    )
    (folder / "remit.yaml").write_text(f"upstreams: {{{names}}}\nceilings: {ceilings}\n", encoding="utf-8")
    with Rehearsal(folder) as made:
        made.person("ana")
        made.agent("contract-bot", owner="ana")
        yield made


def opened(made: Rehearsal) -> RehearsedTask:
    """Open a task for one contract."""
    return made.open(task="summarise-contract", agent="contract-bot", on_behalf_of="ben", params=PARAMS)


def cuts(made: Rehearsal, task: RehearsedTask) -> dict[str, tuple[str, str]]:
    """Return what was cut from a task: by tool, the bound and whose it is."""
    stored = made.run(made.stage.services.tasks.tasks.get(task.id))
    return {one.tool: (one.bound.value, one.name) for one in stored.cuts}


@pytest.mark.parametrize(
    ("ceilings", "bound"),
    [
        ("{agents: {contract-bot: {tier: operator}}}", ("agent", "contract-bot")),
        ("{owners: {ana: {tier: operator}}}", ("owner", "ana")),
        ("{people: {ben: {tier: operator}}}", ("person", "ben")),
    ],
)
def test_each_bound_takes_what_exceeds_it(tmp_path: Path, ceilings: str, bound: tuple[str, str]) -> None:
    """The mail cannot be undone: it is taken, the rest stays, and the sentence names the bound."""
    with bounded(tmp_path / "b", ceilings) as made:
        task = opened(made)
        assert cuts(made, task) == {"mail/send": bound}
        assert task.call("contracts/read", {"path": "contracts/C-42.md"}).outcome == "permit"
        refused = task.call("mail/send", {"to": "x@example.com", "subject": "", "body": ""})
        assert "not-granted" in {one.code for one in refused.reasons}
        services = made.stage.services
        bundle, stored = services.policies.applied.bundle, made.run(services.tasks.tasks.get(task.id))
        told = bundle.sentences(stored, now=stored.opened, observed=())
        (said,) = [one for one in told if one.kind is SentenceKind.CUT and one.tool]
        assert said.text.startswith("`mail/send` is granted by the task type and not to this task.")
        assert f"`{bound[1]}`" in said.text


def test_a_ceiling_may_name_the_tools(tmp_path: Path) -> None:
    """Everything else is taken, reads too."""
    with bounded(tmp_path / "b", "{agents: {contract-bot: {tools: [contracts/read]}}}") as made:
        task = opened(made)
        taken = {"contracts/list", "contracts/write_summary", "tickets/comment", "mail/send"}
        assert cuts(made, task).keys() == taken


def test_a_ceiling_that_leaves_nothing_opens_nothing(tmp_path: Path) -> None:
    """The refusal names the bound and where it stands."""
    with bounded(tmp_path / "b", "{people: {ben: {tier: conversation}}}") as made:
        with pytest.raises(Forbidden) as refused:
            opened(made)
        assert (refused.value.code, "`ben`" in refused.value.message) == ("ceiling", True)
        assert "ceilings" in refused.value.remediation


def test_a_child_lies_below_the_ceiling_of_its_own_agent(tmp_path: Path) -> None:
    """Work that is handed down loses what the other agent may never have."""
    with bounded(tmp_path / "b", "{agents: {reader: {tier: assistant}}}") as made:
        made.task_type(
            "both",
            grants=["contracts/read", "contracts/write_summary"],
            run_by=["contract-bot", "reader"],
            requested_by=["ben"],
            hand_down_to=["reader"],
        )
        made.agent("reader", owner="ana")
        parent = made.open(task="both", agent="contract-bot", on_behalf_of="ben")
        assert cuts(made, parent) == {}
        assert cuts(made, parent.hand_down(agent="reader")) == {
            "contracts/write_summary": ("agent", "reader")
        }


def test_an_open_task_loses_what_a_new_ceiling_takes(tmp_path: Path) -> None:
    """With the bundle that brings the ceiling; the task keeps the rest, and says what it lost."""
    folder = tmp_path / "b"
    with bounded(folder, "{}") as made:
        task = opened(made)
        services = made.stage.services
        bundle = services.policies.applied.bundle
        ceilings = AuthorityCeilings(agents={"contract-bot": AuthorityCeiling(Tier.OPERATOR)})
        narrower = msgspec.structs.replace(bundle, ceilings=ceilings, digest="sha256:narrower")
        made.run(services.policies.apply(narrower, by="root"))
        made.run(services.endings.rebundling.look())
        stored = made.run(services.tasks.tasks.get(task.id))
        assert "mail/send" not in {one.tool for one in stored.grants}
        why = "its calls are of tier autonomous, and operator is the highest"
        assert stored.cuts == (AuthorityCut(CutBy.AGENT, "contract-bot", "mail/send", why),)


def test_a_tier_that_is_none_names_the_tiers(tmp_path: Path) -> None:
    """As every closed set of the configuration."""
    with (
        pytest.raises(ConfigInvalid, match="wizard"),
        bounded(tmp_path / "b", "{agents: {contract-bot: {tier: wizard}}}"),
    ):
        pass
