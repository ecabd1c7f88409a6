# SPDX-License-Identifier: Apache-2.0
"""Keys and forgetting by command, at a real `remit up` with its own trust domain."""

import json
import os
import urllib.request
from collections.abc import Iterator

import pytest
from spiffe import WorkloadApiClient

from remit.adapters.peers.linux import CAN_TELL
from remit.core.errors import ConfigInvalid
from remit.core.identity.spiffe import read_bundle
from tests.gateways.remit_up import Remit

pytestmark = pytest.mark.skipif(not CAN_TELL, reason="this system does not tell who is at a Unix socket")

OURS = "spiffe://agents.laptop/notes-bot"
SECTION = f"""
workload_api:
  trust_domain: agents.laptop
  socket: w.sock
  workloads:
    - spiffe_id: {OURS}
      uid: {os.getuid()}
"""


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remit]:
    """A remit whose administrator is signed in."""
    made = Remit(tmp_path_factory.mktemp("k") / "h")
    made.folder.mkdir()
    assert made("init", ".").code == 0
    config = made.folder / "remit.yaml"
    config.write_text(config.read_text() + SECTION)
    made.start()
    made.enter()
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()


def held(services: Remit, kind: str) -> dict[str, str]:
    """Return the keys of a kind by their standing."""
    return {one["standing"]: one["id"] for one in services.ask("key", "list")["items"] if one["kind"] == kind}


def test_every_key_is_listed(services: Remit) -> None:
    """By kind and standing, without a private part."""
    said = services("key", "list")
    for word in ("token", "checkpoint", "sealing", "ca", "svid", "current", "next"):
        assert word in said.out
    assert "PRIVATE" not in said.out


def test_a_rotated_token_key_signs_at_once(services: Remit) -> None:
    """The published next key is the current one, and the key set has three."""
    following = held(services, "token")["next"]
    assert services("key", "rotate", "token", "--reason", "a drill").code == 0
    assert held(services, "token")["current"] == following
    (*_, event) = services.ask("audit", "log", "--kind", "key.rotated")["items"]
    assert event["facts"]["reason"] == "a drill"
    assert event["facts"]["key"] == following


def test_verifying_follows_the_key_of_the_log(services: Remit) -> None:
    """The log, under the key that was seen first, says which came after it; a receipt then holds too."""
    first = services.ask("audit", "verify")["key"]
    assert services("key", "rotate", "checkpoint").code == 0
    refused = services("audit", "prove", "1")
    assert refused.code == 4
    assert "audit verify" in refused.err
    told = services.ask("audit", "verify")
    assert (told["key"], told["holds"]) == (first, True)
    second = told["successor"]
    assert second == held(services, "checkpoint")["current"] != first
    assert services("audit", "prove", "1").code == 0
    again = services.ask("audit", "verify")
    assert (again["key"], again["successor"]) == (second, "")
    assert services("key", "rotate", "checkpoint").code == 0
    assert services("key", "rotate", "checkpoint").code == 0
    assert services.ask("audit", "verify")["successor"] == held(services, "checkpoint")["current"]


def test_a_key_in_other_hands_vouches_for_no_other(services: Remit) -> None:
    """Replaced at once, it signs no more beside the new one, so a human must say which key is right."""
    services.ask("audit", "verify")
    assert services("key", "rotate", "checkpoint", "--at-once", "--reason", "the disk was stolen").code == 0
    refused = services("audit", "verify")
    assert refused.code == 4
    new = held(services, "checkpoint")["current"]
    assert services("audit", "verify", "--key", new).code == 4  # fetched under the key that was seen
    logs = services.folder.parent / "home" / "remit" / "logs.json"
    seen = json.loads(logs.read_text())
    seen["keys"] = {}
    logs.write_text(json.dumps(seen))
    assert services("audit", "verify").code == 0


def test_a_forgotten_subject_is_read_by_nobody(services: Remit) -> None:
    """Its values are gone, every proof holds, and the record does not name it."""
    assert services("person", "add", "nadja").code == 0
    assert "nadja" in services("audit", "log", "--kind", "person.added").out
    asked = services("audit", "forget", "nadja")
    assert asked.code == 2
    assert "--confirm" in asked.err
    assert services("audit", "forget", "nadja", "--confirm", "nadja", "--reason", "she asked").code == 0
    assert services("audit", "forget", "nadja", "--confirm", "nadja").code == 2
    services.ask("audit", "verify")
    listed = services("audit", "log", "--json", "--kind", "person.added", "--kind", "subject.forgotten")
    assert "nadja" not in listed.out
    (event,) = services.ask("audit", "log", "--kind", "subject.forgotten")["items"]
    assert event["facts"]["reason"] == "she asked"
    assert event["facts"]["key"].isdecimal()


def test_a_workload_of_this_machine_is_known(services: Remit) -> None:
    """A third-party client at the socket knows it; the bundle that checks it is served to every caller."""
    endpoint = f"unix://{services.folder / 'w.sock'}"
    with WorkloadApiClient(endpoint, default_timeout=60) as client:
        assert str(client.fetch_x509_svid().spiffe_id) == OURS
    with urllib.request.urlopen(f"{services.url}/spiffe/bundle") as answer:
        bundle = read_bundle("agents.laptop", answer.read())
    assert len(bundle.authorities) == 2
    assert services("key", "rotate", "ca").code == 0
    (*_, last) = services.ask("audit", "log", "--kind", "svid.issued")["items"]
    assert last["facts"]["isolation"] == "none"


def test_what_the_section_cannot_mean_is_refused(services: Remit) -> None:
    """With the line, the key and the remediation."""
    config = services.folder / "other.yaml"
    text = (services.folder / "remit.yaml").read_text()
    for wrong, told in (
        (text.replace(OURS, "spiffe://elsewhere/x"), "not a workload of this trust domain"),
        (text.replace(f"uid: {os.getuid()}", "hint: x"), "uid`: is missing"),
        (text + "\nkeys: {kind: openbao}\n", "the address of OpenBao"),
        (
            text + '\nkeys: {kind: openbao, openbao: {address: "http://bao.example", token: "env:T"}}\n',
            "in the clear",
        ),
    ):
        config.write_text(wrong)
        from remit.config import load_config

        with pytest.raises(ConfigInvalid, match=told):
            load_config(config)
