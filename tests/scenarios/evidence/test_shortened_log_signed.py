# SPDX-License-Identifier: Apache-2.0
"""An attacker who can write store and head, but holds no key, cannot have remit sign a shortened log."""

import base64
import json
import sqlite3
from pathlib import Path

import msgspec
import pytest

from remit.adapters.keys.file import FileCheckpointKeys
from remit.adapters.runtime.system import SystemClock
from remit.adapters.store.relational.merkle_nodes import reader
from remit.compose import open_services
from remit.config import Config, load_config
from remit.config.scaffold import scaffold
from remit.core.errors import KeyUnavailable, VerificationFailed
from remit.core.evidence.merkle import root_at
from remit.services.identity.directory import NewPerson


async def _kept(folder: Path) -> Config:
    """Return the configuration of a gateway that has been in use."""
    scaffold(folder)
    config = msgspec.structs.replace(load_config(folder / "remit.yaml"), upstreams={})
    for place in [*(folder / "tasks").glob("*.yaml"), *(folder / "tools").glob("*.yaml")]:
        place.unlink()
    async with open_services(config) as services:
        for name in ("ada", "ben", "eve"):
            await services.identity.directory.add_person(NewPerson(name=name), by="remit")
    return config


def _head(folder: Path) -> Path:
    (place,) = (folder / ".remit" / "head").glob("*.head")
    return place


async def test_an_honest_house_opens_again(tmp_path: Path) -> None:
    """And so does one whose checkpoint key was rotated since."""
    config = await _kept(tmp_path)
    async with open_services(config):
        pass
    keys = FileCheckpointKeys(tmp_path / ".remit" / "keys", "remit/default", SystemClock())
    await keys.rotate()
    async with open_services(config):
        pass


async def test_a_head_without_our_signature_is_refused(tmp_path: Path) -> None:
    """The log's last events are deleted, and the head is set back to what is left."""
    config = await _kept(tmp_path)
    with sqlite3.connect(tmp_path / ".remit" / "remit.db") as store:
        size = store.execute("select count(*) from events").fetchone()[0]
        root = root_at(size - 2, reader(store, "default", size))
        store.execute("delete from events where idx >= ?", (size - 2,))
    store.close()
    head = json.loads(_head(tmp_path).read_text())
    head |= {"size": size - 2, "root": base64.b64encode(root).decode()}
    _head(tmp_path).write_text(json.dumps(head))
    with pytest.raises(VerificationFailed) as refused:
        async with open_services(config):
            pass
    assert refused.value.code == "head-forged"


async def test_a_log_without_its_head_is_refused(tmp_path: Path) -> None:
    """Deleting the head's file is no way to have it forgotten."""
    config = await _kept(tmp_path)
    _head(tmp_path).unlink()
    with pytest.raises(VerificationFailed) as refused:
        async with open_services(config):
            pass
    assert refused.value.code == "head-missing"


async def test_a_head_of_a_key_that_was_swapped_is_refused(tmp_path: Path) -> None:
    """A missing log key is noticed; where its book is gone too and a new key was made, signatures of the old
    key are not accepted.
    """
    config = await _kept(tmp_path)
    (tmp_path / ".remit" / "keys" / "checkpoint-1.pem").unlink()
    with pytest.raises(KeyUnavailable):
        async with open_services(config):
            pass
    (tmp_path / ".remit" / "keys" / "checkpoint.json").unlink()
    with pytest.raises(VerificationFailed) as refused:
        async with open_services(config):
            pass
    assert refused.value.code == "head-forged"
