# SPDX-License-Identifier: Apache-2.0
"""Take the pictures of the console in the documentation: `python docs/pictures.py`.

A remit with agents at work (`remit demo --console`) is looked at in Chromium. Without Chromium nothing is
taken, and the program says so.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

import msgspec
from playwright.async_api import Browser, Page, ViewportSize, async_playwright

from remit.cli.demo.stage import Stage
from remit.cli.demo.working_day import working_day
from remit.cli.discover.command import look

SPRAWL: Final = Path(__file__).parents[1] / "examples" / "sprawl"
PICTURES: Final = Path(__file__).parent / "pictures"
CHROMIUM: Final = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
SIZE: Final[ViewportSize] = {"width": 1280, "height": 860}
PHONE: Final[ViewportSize] = {"width": 390, "height": 780}
#: Names of pictures, and the addresses below `/console`.
PAGES: Final = {
    "now": "",
    "approvals": "/approvals",
    "agents": "/agents",
    "agent": "/agents/contract-bot",
    "evidence": "/evidence",
    "onboard": "/onboard",
    "upstream": "/onboard/deploy",
    "paths": "/paths",
    "policies": "/policies",
    "findings": "/findings",
    "controls": "/controls",
}
#: How long the agents work before the pictures are taken, in seconds.
WORK_S: Final = 75


async def take(made: Stage) -> None:
    """Take all pictures of a remit at work."""
    origin = f"http://localhost:{made.url.rpartition(':')[2]}"
    await asyncio.sleep(WORK_S)
    await _discover(made)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        state = await _signed_in(made, browser, origin)
        context = await browser.new_context(viewport=SIZE, storage_state=state)
        page = await context.new_page()
        for name, path in PAGES.items():
            await _picture(page, f"{origin}/console{path}", name)
        task = await _first(page, f"{origin}/console", "/console/tasks/")
        await _picture(page, origin + task, "task")
        await _picture(page, f"{origin}{task}/timeline", "timeline")
        question = await _first(page, f"{origin}/console/approvals", "/console/approvals/apr_")
        await _picture(page, origin + question, "approval")
        decision = await _first(page, origin + task, "/console/decisions/")
        await _picture(page, origin + decision, "decision")
        dark = await browser.new_context(viewport=SIZE, storage_state=state, color_scheme="dark")
        await _picture(await dark.new_page(), f"{origin}/console", "now-dark")
        phone = await browser.new_context(
            viewport=PHONE, storage_state=state, device_scale_factor=2, is_mobile=True, has_touch=True
        )
        await _picture(await phone.new_page(), origin + question, "approval-phone")
        # The last one: the end of a task, with its closure.
        await page.goto(origin + task)
        await page.get_by_text("End", exact=True).click()
        await page.locator("input[id^='why-']").fill("this release has to wait")
        await page.get_by_role("button", name="End it now").click()
        await page.wait_for_url(re.compile("/console/closures/"))
        await _picture(page, page.url, "closure")
        await browser.close()


async def _discover(made: Stage) -> None:
    """Deliver a scan of the made-up organisation: findings that have something to tell."""
    report = await asyncio.to_thread(look, [SPRAWL], remember=False)
    await made.ask(
        "POST",
        "/api/v1/discoveries",
        {
            "scope": "harbor-lane",
            "scan": "scn_pictures",
            "found": [msgspec.to_builtins(one.finding) for one in report.found],
            "complete": report.complete,
        },
        by="admin",
    )


async def _signed_in(made: Stage, browser: Browser, origin: str) -> Path:
    code = (await made.ask("POST", "/api/v1/people/omar/code", {}, by="admin"))["code"]
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{origin}/console")
    field = page.get_by_label("Code")
    if not await field.is_visible():
        await page.get_by_text("Use a one-time code").click()
    await field.fill(code)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(re.compile("/console"))
    kept = made.folder / "browser.json"
    await context.storage_state(path=kept)
    return kept


async def _first(page: Page, address: str, beginning: str) -> str:
    await page.goto(address)
    found = await page.locator(f'main a[href^="{beginning}"]').first.get_attribute("href")
    if found is None:
        raise RuntimeError(f"{address} has no link to {beginning}")
    return found


async def _picture(page: Page, address: str, name: str) -> None:
    answer = await page.goto(address)
    if answer is None or answer.status != 200:
        raise RuntimeError(f"{address}: {answer.status if answer else 'no answer'}")
    await page.wait_for_timeout(500)
    await page.screenshot(path=PICTURES / f"{name}.png")
    sys.stdout.write(f"{name}\n")


def main() -> int:
    """Take the pictures, where there is a browser; the exit code."""
    if not CHROMIUM:
        sys.stdout.write("no pictures: install `chromium`\n")
        return 0
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="remit-pictures-", ignore_cleanup_errors=True) as folder:
        asyncio.run(working_day(Path(folder).resolve(), ready=take))
    return 0


if __name__ == "__main__":
    sys.exit(main())
