# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.interop.worlds.forge import world
from tests.interop.worlds.tool import ToolError

KIT = "tidewater/gaugekit"


def test_a_pull_request_is_merged_once() -> None:
    """A merged pull request is closed, and cannot be merged again; a draft cannot be merged."""
    state, pull = world.initial(), {"repository": KIT, "number": 204}
    assert world.merge_pull_request.call(state, pull)["merged"]
    assert world.get_issue.call(state, pull)["issue"]["state"] == "closed"
    for refused in (pull, {"repository": "tidewater/dashboard", "number": 80}):
        with pytest.raises(ToolError, match="405"):
            world.merge_pull_request.call(state, refused)


def test_a_written_file_is_read_and_a_failed_fetch_is_recorded() -> None:
    """A commit to the default branch shows in the file; each address asked for is in the state."""
    state, file = world.initial(), {"repository": KIT, "path": "NEWS.md"}
    world.write_file.call(state, {**file, "content": "# 0.9.3\n", "message": "News"})
    assert world.get_file_contents.call(state, file) == "# 0.9.3\n"
    with pytest.raises(ToolError, match="404"):
        world.fetch_page.call(state, {"url": "https://nowhere.example"})
    assert state["fetched"] == ["https://nowhere.example"]
