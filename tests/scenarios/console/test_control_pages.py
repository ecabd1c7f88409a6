# SPDX-License-Identifier: Apache-2.0
"""What is in force and holds, on one page: a state that needs attention is there, and one that does not."""

from datetime import timedelta
from pathlib import Path

from remit.core.controls.programme import Initiative
from remit.core.decisions.decision import Outcome
from remit.core.errors import SourceUnavailable
from remit.core.evidence.event import EventKind
from remit.core.findings.kinds import FindingKind
from remit.core.scope import ScopeKind
from remit.ports.notifier import Notification
from remit.services.signals.notifications import NotificationTarget
from tests.worlds.calls import a_surface
from tests.worlds.console import console_world

HOSTILE = "<script>alert(1)</script>\u202e`"


class _DownNotifier:
    """`ports.notifier.Notifier` whose service is away."""

    async def notify(self, notification: Notification) -> None:
        """Fail."""
        raise SourceUnavailable(f"{HOSTILE} is away", remediation="wait")


async def test_what_holds_is_calm(tmp_path: Path) -> None:
    """Every role sees it; a person without one does not."""
    async with console_world(tmp_path) as world:
        await world.services.evidence.log.checkpoint()
        vera = await world.browser("vera")
        page = await vera.get("/console/controls")
        for part in (
            "version 1 in force",
            "<b>desk</b>",
            "enforced",
            "none may still work",
            "signs access tokens",
            "the only one that decides",
            "no one is notified",
        ):
            assert part in page.text, part
        assert 'class="dot bad"' not in page.text
        assert (await (await world.browser("leo")).get("/console/controls")).status == 403


async def test_what_needs_attention_says_why(tmp_path: Path) -> None:
    """An observed upstream, a changed tool, a lock, a freeze, a stuck secret, an addressee that is down."""
    target = NotificationTarget(name="chat", notifier=_DownNotifier())
    async with console_world(tmp_path, observed=frozenset({"desk"}), addressees={"chat": target}) as world:
        services = world.services
        await services.signals.notifications.begin()
        world.desk.surfaces["pay"] = a_surface("pay", "Pays at once")
        await world.learn()
        await services.endings.revocations.end_scope(
            ScopeKind.AGENT, "other", reason=HOSTILE, by="root", lock=True
        )
        await services.decisions.freezes.declare(
            world.clock.now() + timedelta(hours=2), reason=HOSTILE, by="root"
        )
        await services.findings.findings.see(FindingKind.SECRET_STUCK, "upstream:desk", "x", {})
        await services.signals.notifications.turn()
        page = await (await world.browser("vera")).get("/console/controls")
        for part in (
            "only observed: nothing is refused",
            "1 suspended because they changed",
            "agent other",
            "2 h left",
            "Secrets that cannot be rotated",
            "fails and is tried again",
            "1 control does not hold",
        ):
            assert part in page.text, part
        assert "<script>alert" not in page.text
        assert "\u202e" not in page.text


async def test_the_initiatives_are_shown_as_they_were_counted(tmp_path: Path) -> None:
    """The crossing, the three answers and friction, and how far the log was counted; names stay text."""
    named = Initiative(name=HOSTILE, sponsor=HOSTILE, agents=("clerk",))
    async with console_world(tmp_path, initiatives=(named,)) as world:
        vera = await world.browser("vera")
        page = await vera.get("/console/controls")
        assert "not crossed" in page.text
        assert "are not counted yet" in page.text
        task, token = await world.open()
        assert await world.outcome(token, "write", text="a") is Outcome.PERMIT
        await world.services.endings.revocations.end_task(task.id, reason="done", by="lena")
        await world.facts(EventKind.TASK_ENDED)
        await world.services.inspection.programme.turn()
        page = await vera.get("/console/controls")
        for part in ("Crossed the boundary", "desk/write", "100 % of 1", "acts: true", "operator"):
            assert part in page.text, part
        assert "<script>alert" not in page.text
        assert "\u202e" not in page.text
        assert "are not counted yet" not in page.text
