# SPDX-License-Identifier: Apache-2.0
"""Access reviews at the command line: the sheet, the answers, and the change that they draft."""

from collections.abc import Iterator

import pytest

from tests.gateways.remit_up import Remit, furnished


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remit]:
    """A remit with note-bot, of which no review is due."""
    with furnished(tmp_path_factory.mktemp("cli"), more="agents: {reviews: {every: 90d}}\n") as made:
        yield made


def test_a_review_drafts_the_change_that_trims_what_is_not_used(services: Remit) -> None:
    """Its diff applies to the file, and once it is in force the draft is gone."""
    sheet = services.ask("agent", "review", "note-bot", by="ana")
    (kind,) = [one for one in sheet["task_types"] if "notes/write_note" in one["tools"]]
    assert services("agent", "review", "note-bot", by="ana").code == 0
    digest = sheet["grants"].removeprefix("sha256:")[:12]
    trim = ("--trim", f"{kind['name']}=notes/write_note", "--rest")
    stale = services("agent", "review", "note-bot", *trim, "--sheet", "0" * 12, by="ana")
    assert (stale.code, "is not the sheet" in stale.err) == (2, True)
    foreign = services("agent", "review", "note-bot", *trim, "--sheet", digest, by="omar")
    assert (foreign.code, "may not review" in foreign.err) == (1, True)
    (draft,) = services.ask("agent", "review", "note-bot", *trim, "--sheet", digest, by="ana")["drafts"]
    assert (draft["tools"], draft["note"]) == (["notes/write_note"], "")
    path = services.folder / draft["file"]
    gone = "".join(line[1:] + "\n" for line in draft["diff"].splitlines()[2:] if line[0] == "-")
    assert gone in path.read_text()
    path.write_text(path.read_text().replace(gone, ""))
    assert services("policy", "apply").code == 0
    after = services.ask("agent", "review", "note-bot", by="ana")
    assert after["drafts"] == []
    assert "notes/write_note" not in {tool for one in after["task_types"] for tool in one["tools"]}
    assert after["last"]["by"] == ["ana"]
    assert services.ask("reviews", "list", by="ana") == {"items": []}
    assert "no access review is due" in services("reviews", "list", by="ana").out
