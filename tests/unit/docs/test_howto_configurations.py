# SPDX-License-Identifier: Apache-2.0
"""Every `remit.yaml` that the documentation shows can be read, and what it trusts can be put together."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from remit.config.load import examine_config
from tests.architecture.tree import ROOT

UPSTREAM = "upstreams: {notes: {command: [python, notes.py]}}\n"
BLOCK = re.compile(r"^( *)```yaml\n\1# remit\.yaml\n(.*?)^\1```", re.DOTALL | re.MULTILINE)


def shown() -> Iterator[tuple[str, str]]:
    """Yield each configuration of the documentation, with where it stands."""
    for page in sorted((ROOT / "docs").rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        for found in BLOCK.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield f"{page.relative_to(ROOT)}:{line}", textwrap.dedent(found[2])


SHOWN = dict(shown())


def test_the_guides_show_configurations() -> None:
    """At least those of Kubernetes, GitHub Actions and SPIRE."""
    pages = {place.rpartition("/")[2].partition(":")[0] for place in SHOWN}
    assert {"trust-kubernetes.md", "trust-github-actions.md", "trust-spire.md"} <= pages


@pytest.mark.parametrize("place", SHOWN)
def test_a_configuration_that_is_shown_can_be_read(place: str, tmp_path: Path) -> None:
    """With one upstream beside it."""
    text = SHOWN[place] if "upstreams:" in SHOWN[place] else UPSTREAM + SHOWN[place]
    (tmp_path / "remit.yaml").write_text(text, encoding="utf-8")
    assert [str(problem) for problem in examine_config(tmp_path)[1]] == []
