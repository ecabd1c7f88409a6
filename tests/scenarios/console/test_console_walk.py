# SPDX-License-Identifier: Apache-2.0
"""A person walks through the console in a real browser, beside agents at work on real MCP servers."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from remit.cli.demo.stage import Stage
from remit.cli.demo.working_day import working_day
from tests.gateways.browser import CHROMIUM, PATIENCE_MS, needs_browser

pytestmark = pytest.mark.slow
expect.set_options(timeout=PATIENCE_MS)

#: Pages whose markup and colors axe judges, in both themes.
JUDGED = (
    *("", "/approvals", "/agents", "/agents/contract-bot", "/evidence", "/onboard", "/onboard/git", "/paths"),
    *("/policies", "/findings", "/controls", "/people/lena", "/stop", "/reviews"),
)


class Walk:
    """A stage of the working day, and the browser that looks at it."""

    def __init__(self, made: Stage, browser: Browser) -> None:
        self.made = made
        self.browser = browser
        self.origin = f"http://localhost:{made.url.rpartition(':')[2]}"
        self.broken: list[str] = []

    async def signed_in(self, person: str, context: BrowserContext | None = None) -> Page:
        """Return a page on which a person has signed in with a code and sees what happens now."""
        code = (await self.made.ask("POST", f"/api/v1/people/{person}/code", {}, by="admin"))["code"]
        context = context or await self.browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        page.on("pageerror", lambda error: self.broken.append(f"a script failed: {error}"))
        page.on("console", lambda said: self._heard(said.text))
        await page.goto(f"{self.origin}/console")
        if not await page.get_by_label("Code").is_visible():
            await page.get_by_text("Use a one-time code").click()
        await page.get_by_label("Code").fill(code)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("heading", name="Now", exact=True)).to_be_visible()
        return page

    def _heard(self, text: str) -> None:
        if "Content Security Policy" in text:
            self.broken.append(text)


async def walk(folder: Path, steps: Callable[[Walk], Awaitable[None]]) -> None:
    """Let agents work, and do the steps."""

    async def ready(made: Stage) -> None:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            walking = Walk(made, browser)
            await steps(walking)
            await browser.close()
            assert not walking.broken

    await working_day(folder, ready=ready)


@needs_browser
async def test_a_newcomer_sees_who_works_approves_and_ends_one(tmp_path: Path) -> None:
    """The page follows the agents by itself; the answer lets the deployment pass; the end has its closure."""

    async def steps(walking: Walk) -> None:
        page = await walking.signed_in("omar")
        for agent in ("contract-bot", "ticket-bot", "inbox-bot", "release-bot"):
            await expect(page.get_by_role("link", name=agent).first).to_be_visible()
        # Without a reload: an agent that refuses to be idle is seen again within its next calls.
        await expect(page.get_by_text("just now").first).to_be_visible()
        await page.get_by_role("link", name="Approvals").first.click()
        await page.get_by_role("link", name=re.compile("Look|release-bot")).first.click()
        await expect(page.get_by_role("heading", name=re.compile("release-bot wants to"))).to_be_visible()
        await page.get_by_role("button", name="Approve just this once").click()
        await expect(page.get_by_text("Approved. The agent has the answer.")).to_be_visible()
        await expect(page.get_by_text("1 call", exact=False).first).to_be_visible()
        effects = walking.made.folder / "deploy" / "effects.jsonl"
        assert effects.read_text().count('"deployed"') >= 1
        await page.goto(f"{walking.origin}/console?q=ticket-bot")
        await page.get_by_text("End", exact=True).click()
        await page.get_by_label("Reason").fill("no more triage today")
        await page.get_by_role("button", name="End it now").click()
        await expect(page.get_by_role("heading", name=re.compile("^Ended: "))).to_be_visible()
        await expect(page.get_by_text("until nothing that came from it worked")).to_be_visible()

    await walk(tmp_path, steps)


@needs_browser
async def test_two_approvers_at_once_give_one_answer(tmp_path: Path) -> None:
    """The second one reads calmly that the first has answered."""

    async def steps(walking: Walk) -> None:
        await walking.made.add_person("nina", ["approver"])
        omar, nina = await walking.signed_in("omar"), await walking.signed_in("nina")
        for page in (omar, nina):
            await page.goto(f"{walking.origin}/console/approvals")
            await page.get_by_role("link", name=re.compile("Look|release-bot")).first.click()
            await expect(page.get_by_role("button", name="Refuse").first).to_be_visible()
        assert omar.url == nina.url
        # What is written keeps the page as it is, so nina still has the form when omar answers.
        await nina.get_by_label("Reason").first.fill("not today")
        await omar.get_by_role("button", name="Approve just this once").click()
        await expect(omar.get_by_text("Approved.").first).to_be_visible()
        await nina.get_by_label("Reason").first.press("Enter")
        await expect(nina.get_by_role("status")).to_contain_text("already")
        await expect(nina.get_by_text("This is the question as it stands now.")).to_be_visible()

    await walk(tmp_path, steps)


@needs_browser
async def test_a_phone_approves_with_one_thumb(tmp_path: Path) -> None:
    """The button is in the lower third of the screen, large enough, and no page is wider than the screen."""

    async def steps(walking: Walk) -> None:
        phone = await walking.browser.new_context(
            viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True, device_scale_factor=2
        )
        page = await walking.signed_in("omar", phone)
        for path in JUDGED:
            await page.goto(f"{walking.origin}/console{path}")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390, path
        await page.goto(f"{walking.origin}/console/approvals")
        await page.get_by_role("link", name=re.compile("Look|release-bot")).first.click()
        thumb = page.get_by_role("button", name="Approve once")
        box = await thumb.bounding_box()
        assert box is not None
        assert box["y"] > 844 * 2 / 3
        assert box["height"] >= 44
        await thumb.tap()
        await expect(page.get_by_text("Approved. The agent has the answer.")).to_be_visible()

    await walk(tmp_path, steps)


@needs_browser
async def test_the_pages_are_accessible_in_both_themes(tmp_path: Path) -> None:
    """axe finds nothing, also at a question, a task, a decision and a proof."""

    async def steps(walking: Walk) -> None:
        axe, faults = Axe(), []
        for theme in ("light", "dark"):
            context = await walking.browser.new_context(
                viewport={"width": 1280, "height": 900},
                color_scheme="dark" if theme == "dark" else "light",
            )
            page = await walking.signed_in("omar", context)
            found = [*JUDGED, "/evidence/5"]
            for start, beginning in (
                ("/approvals", "/approvals/apr_"),
                ("?q=contract-bot", "/tasks/"),
                ("?q=contract-bot", "/decisions/"),
            ):
                await page.goto(f"{walking.origin}/console{start}")
                link = page.locator(f'main a[href^="/console{beginning}"]').first
                found.append((await link.get_attribute("href") or "").removeprefix("/console"))
            for path in found:
                await page.goto(f"{walking.origin}/console{path}")
                # What is folded away is judged, too, such as the form of a review.
                await page.evaluate(
                    "document.querySelectorAll('main details.plain').forEach(d => d.open = true)"
                )
                told = (await axe.run(page)).response["violations"]
                faults += [f"{theme} {path}: {one['id']} {one['nodes'][0]['target']}" for one in told]
        assert not faults, "\n".join(faults)

    await walk(tmp_path, steps)


@needs_browser
async def test_a_browser_that_slept_shows_what_happened_meanwhile(tmp_path: Path) -> None:
    """It missed the events of that time; when it wakes, its page asks again, without a click."""

    async def steps(walking: Walk) -> None:
        page = await walking.signed_in("omar")
        await page.goto(f"{walking.origin}/console?q=ticket-bot")
        link = page.locator('main a[href^="/console/tasks/"]').first
        task = (await link.get_attribute("href") or "").rpartition("/")[2]
        await page.context.set_offline(True)
        await walking.made.ask("POST", "/api/v1/end", {"name": task, "reason": "while it slept"}, by="omar")
        await expect(link).to_have_attribute("href", f"/console/tasks/{task}")
        await page.context.set_offline(False)
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await expect(page.locator(f'main a[href="/console/tasks/{task}"]')).to_have_count(0)

    await walk(tmp_path, steps)
