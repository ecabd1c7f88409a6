# SPDX-License-Identifier: Apache-2.0
"""remit's own files are denied to agents, whatever the grants and the mode.

The threat: an agent with a file server reads remit's tokens and checkpoint keys, or rewrites its rules.
"""

from pathlib import Path

import pytest

from remit.adapters.runtime.own_files import PathsOfRemit
from remit.core.decisions.mediation import Refused
from remit.core.evidence.event import EventKind
from tests.worlds.calls import call_world


@pytest.mark.parametrize("observed", [frozenset(), frozenset({"desk"})])
async def test_neither_a_grant_nor_observe_mode_opens_them(tmp_path: Path, observed: frozenset[str]) -> None:
    """A call that is granted, or only observed, is refused before it is sent, and the record says why."""
    state = tmp_path / "state"
    state.mkdir()
    guard = PathsOfRemit([state], {"desk": [tmp_path]})
    async with call_world(tmp_path, observed=observed, own_files=guard) as world:
        _, token = await world.open()
        end = await world.call(token, "write", text="state/keys")
        assert isinstance(end, Refused)
        assert end.decision.reasons[0].code == "own-files"
        assert world.desk.arrived == []
        made = (await world.facts(EventKind.DECISION_MADE))[-1]
        assert (made["outcome"], made.get("observed", False)) == ("deny", False)
        assert (await world.call(token, "write", text="notes/keys")) is not None
        assert [one["arguments"] for one in world.desk.arrived] == [{"text": "notes/keys"}]
