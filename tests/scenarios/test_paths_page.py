# SPDX-License-Identifier: Apache-2.0
"""The page of `remit paths` in a real browser: it loads nothing, and shows what a box hangs together with."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

from remit.cli.paths.report import ReachChoice, ReachReport
from remit.cli.paths.svg import page as page_of
from tests.browser_world import browser, context, needs_browser, page
from tests.reach_world import FILES, INBOX, MAIL, bundle, look, reads, task

__all__ = ["browser", "context", "page"]
pytestmark = needs_browser


def test_pointing_at_a_box_shows_its_paths_alone(page: Page, tmp_path: Path) -> None:
    """What leads to a task type and on from it stays, the other task type fades; a click holds that."""
    diary = reads("diary/read", "public", untrusted=True)
    types = (
        task("triage", "mail/send", "mail/inbox", "files/read"),
        task("dream", "diary/read", "mail/send"),
    )
    file = tmp_path / "paths.html"
    file.write_text(page_of(ReachReport(look(bundle((MAIL, INBOX, FILES, diary), *types)), ReachChoice())))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    assert asked == [file.as_uri()]
    triage, dream = (page.locator("g.box", has_text=name) for name in ("triage", "dream"))
    triage.hover()
    assert "lit" in (page.locator("g.box", has_text="inbox").get_attribute("class") or "")
    assert "lit" in (page.locator("g.box", has_text="people outside").get_attribute("class") or "")
    assert "lit" not in (dream.get_attribute("class") or "")
    triage.click()
    page.mouse.move(2, 2)
    assert "asks" in (page.locator("svg.paths").get_attribute("class") or "")
    page.locator("h1").click()
    assert "asks" not in (page.locator("svg.paths").get_attribute("class") or "")


def test_it_reads_well_without_a_script(page: Page, tmp_path: Path) -> None:
    """The combination, its parts and what breaks it are in the page itself."""
    types = task("triage", "mail/send", "mail/inbox", "files/read")
    file = tmp_path / "paths.html"
    written = page_of(ReachReport(look(bundle((MAIL, INBOX, FILES), types)), ReachChoice()))
    file.write_text(written.partition("<script>")[0])
    page.goto(file.as_uri())
    card = page.locator("article").inner_text()
    for part in ("triage", "mail/inbox", "files/read", "mail/send → external", "broken by"):
        assert part in card
    assert page.locator("table").first.inner_text().count("mail/send → external (irreversible)")
    assert "1\ntoxic combination\n" in page.locator(".counts").inner_text()
