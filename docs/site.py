# SPDX-License-Identifier: Apache-2.0
"""The documentation as a site: `python docs/site.py` builds it, and MkDocs calls the hooks.

Its navigation is `docs/index.md`. Pages of the repository outside `docs` are part of it; links to other files
become their names, since a reader of the site has no clone.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import sys
from pathlib import Path, PurePosixPath
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
SITE: Final = ROOT / "build" / "site"
#: Pages outside `docs`, each with its place in the site.
OUTSIDE: Final = {
    "README.md": "project/readme.md",
    "SECURITY.md": "project/security.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "sdk/typescript/README.md": "project/typescript.md",
}
_LINK: Final = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
_ENTRY: Final = re.compile(r"^(?:\d+\.|-) \[([^\]]+)\]\(([^)#]+)\)", re.MULTILINE)
_ELSEWHERE: Final = re.compile(r'<script src="https://[^"]*iframe-worker[^"]*"></script>')
#: The sections of `docs/index.md` that list pages beside the reading paths.
_REST: Final = ("Everything else", "Decisions")
_TABS: Final = {
    "Tutorial": "tutorial",
    "How-to guides": "howto",
    "Explanations": "explanation",
    "Reference": "reference",
}


def on_config(config: Any) -> Any:
    """Make the navigation: the reading paths, then each kind of page."""
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    _, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    paths, rest = [], {}
    for section in sections:
        title, _, body = section.partition("\n")
        entries = [{name: _at(target)} for name, target in _ENTRY.findall(body)]
        if title in _REST:
            rest[title] = entries
        else:
            paths.append({title.replace("`", ""): entries})
    kinds = [{title: _pages(folder)} for title, folder in _TABS.items()]
    project = [
        {"Glossary": "glossary.md"},
        {"Roadmap": "roadmap.md"},
        *({_title(ROOT / one): at} for one, at in OUTSIDE.items()),
    ]
    config.nav = [
        {"Start": ["index.md", *paths]},
        *kinds,
        {"Decisions": rest["Decisions"]},
        {"Project": project},
    ]
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages from outside `docs`."""
    from mkdocs.structure.files import File

    for source, place in OUTSIDE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links at the site's pages; a link to a file that is not in it becomes its text."""
    outside = {place: source for source, place in OUTSIDE.items()}
    source = outside.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    return _LINK.sub(lambda found: _linked(found, source, page.file.src_uri), markdown)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Search without a network: the theme would load its help from elsewhere."""
    up = "../" * (len(PurePosixPath(page.file.src_uri).parts) - 1)
    return _ELSEWHERE.sub(f'<script src="{up}offline-search.js"></script>', output)


def _linked(found: re.Match[str], source: str, place: str) -> str:
    image, words, target = found.groups()
    words = _LINK.sub(lambda inner: _linked(inner, source, place), words)
    path, mark, anchor = target.partition("#")
    if not path or re.match(r"[a-z]+:", path):
        return f"{image}[{words}]({target})"
    meant = _plain(PurePosixPath(source).parent / path)
    within = OUTSIDE.get(meant) or (meant.removeprefix("docs/") if meant.startswith("docs/") else "")
    if not within or within.startswith("docs/") or within.endswith(".py"):
        return words if image or words.startswith("`") else f"{words} (`{meant}`)"
    up = "../" * (len(PurePosixPath(place).parts) - 1)
    return f"{image}[{words}]({up}{within}{mark}{anchor})"


def _plain(path: PurePosixPath) -> str:
    """Return a path without `..`."""
    parts: list[str] = []
    for one in path.parts:
        if one == "..":
            parts.pop()
        elif one != ".":
            parts.append(one)
    return "/".join(parts)


def _at(target: str) -> str:
    meant = _plain(PurePosixPath("docs") / target)
    return OUTSIDE.get(meant, meant.removeprefix("docs/"))


def _pages(folder: str) -> list[Any]:
    """Return the pages of a folder, an overview first, the others by title."""
    found = sorted((ROOT / "docs" / folder).glob("*.md"), key=lambda one: (one.stem != "README", _title(one)))
    return [
        f"{folder}/{one.name}" if one.stem == "README" else {_title(one): f"{folder}/{one.name}"}
        for one in found
    ]


def _title(page: Path) -> str:
    return next(line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("# "))[2:]


def _order(version: str) -> list[int]:
    return [int(one) for one in re.findall(r"\d+", version)]


def main() -> int:
    """Build the site of this version beside those that were built before."""
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    version = re.search(
        r'__version__ = "([^"]+)"', (ROOT / "src/remit/__init__.py").read_text(encoding="utf-8")
    )
    assert version is not None
    place = SITE / version[1]
    shutil.rmtree(place, ignore_errors=True)
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(place), strict=True))
    # The theme's page for missing ones is for servers, and loads from elsewhere.
    (place / "404.html").unlink()
    known = sorted((one.name for one in SITE.iterdir() if one.is_dir()), key=_order, reverse=True)
    told = [{"version": one, "title": one, "aliases": ["latest"] if one == known[0] else []} for one in known]
    (SITE / "versions.json").write_text(json.dumps(told), encoding="utf-8")
    way = f'<meta http-equiv="refresh" content="0; url={known[0]}/index.html">'
    page = f"<!doctype html><title>remit</title>{way}\n"
    (SITE / "index.html").write_text(page, encoding="utf-8")
    sys.stdout.write(f"{place / 'index.html'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
