# SPDX-License-Identifier: Apache-2.0
"""The documentation as a site: built as `make docs` builds it, and read in a browser without a network."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.gateways.browser import CHROMIUM
from tests.interop.environments import Environment
from tests.interop.suite import ROOT, NotInstalled

pytestmark = pytest.mark.slow

ADDRESS = re.compile(r'<(?:script|link|img|iframe)\b[^>]*?(?:src|href)="(https?:)?//')


@pytest.fixture(scope="module")
def site() -> Path:
    """The folder of the built site; a link to nowhere fails the build."""
    environment = Environment("docs", ROOT / "requirements" / "docs.txt")
    try:
        environment.ready()
    except NotInstalled as fault:
        pytest.skip(str(fault))
    built = subprocess.run(
        [str(environment.python), str(ROOT / "docs" / "site.py")],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    return Path(built.stdout.strip()).parent


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    """Scripts, styles and pictures are the site's own."""
    pages = list(site.rglob("*.html"))
    assert len(pages) > 200
    assert [str(one) for one in pages if ADDRESS.search(one.read_text("utf-8"))] == []


def test_every_page_is_listed_and_versions_stand_beside_each_other(site: Path) -> None:
    """The overview of versions names this one; the reading paths come first."""
    versions = json.loads((site.parent / "versions.json").read_text("utf-8"))
    assert site.name in [one["version"] for one in versions]
    start = (site / "index.html").read_text("utf-8")
    for words in ("Platform engineer", "Security engineer", "Operator", "Decisions"):
        assert words in start


def test_search_finds_a_page_that_is_opened_as_a_file(site: Path) -> None:
    """No server and no network: only the folder."""
    if not CHROMIUM:
        pytest.skip("there is no Chromium here")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.goto((site / "index.html").as_uri())
        page.click("header label[for=__search]")
        page.keyboard.type("withhold field")
        first = page.locator(".md-search-result__item").first
        expect(first).to_contain_text("Describe tools")
        browser.close()
