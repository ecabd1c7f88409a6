# SPDX-License-Identifier: Apache-2.0
"""`replica.nats`: what may be written there, and what `remit doctor` says of it."""

import asyncio
import re
import socket
from pathlib import Path

import pytest

from remit.cli.doctor.replicas import nats_looks, replica_looks
from remit.compose.replicas import waker_of
from remit.config import Config, load_config
from remit.config.sections.nats import nats_servers
from remit.core.errors import ConfigInvalid, KeyUnavailable
from tests.unit.test_config import UPSTREAM, config, refusals

POSTGRES = UPSTREAM + "store: {kind: postgres, url: 'file:db'}\n"
SERVER = "servers: ['tls://nats.example:4222']"


def written(nats: str, before: str = POSTGRES) -> str:
    """Return a configuration with a section of NATS."""
    return f"{before}replica: {{nats: {{{nats}}}}}\n"


@pytest.mark.parametrize(
    "nats",
    [
        SERVER,
        "servers: ['tls://a.example:4222', 'tls://b.example:4222'], subject: remit.production",
        "servers: ['nats://127.0.0.1:4222']",
        "servers: ['nats://localhost:4222', 'nats://[::1]:4222']",
        "servers: ['env:REMIT_NATS']",
        f"{SERVER}, user: remit, password: 'env:P'",
        f"{SERVER}, token: 'file:t'",
        f"{SERVER}, credentials: 'file:remit.creds'",
        f"{SERVER}, tls_certificate: a.pem, tls_key: a.key, tls_ca: ca.pem",
    ],
)
def test_what_may_be_written(tmp_path: Path, nats: str) -> None:
    """Servers, and one way to log in."""
    assert config(tmp_path, written(nats)).replica.nats is not None


@pytest.mark.parametrize(
    ("nats", "said"),
    [
        ("", "`replica.nats.servers`: is missing"),
        ("servers: []", "`replica.nats.servers`"),
        ("servers: ['nats://nats.example:4222']", "is not a `tls` address"),
        ("servers: ['nats://127.0.0.1.example:4222']", "is not a `tls` address"),
        ("servers: ['https://nats.example:4222']", "is not a `tls` address"),
        ("servers: ['tls://nats.example']", "is not an address"),
        ("servers: ['tls://nats.example:0']", "is not an address"),
        ("servers: ['tls://nats.example:x']", "is not an address"),
        ("servers: ['tls://nats.example:4222/path']", "is not an address"),
        (
            "servers: ['tls://remit:s3cret@nats.example:4222']",
            "`replica.nats.servers[0]`: looks like a secret",
        ),
        ("servers: ['tls://a.example:4222', 'nats://127.0.0.1:4222']", "mixes addresses"),
        ("servers: ['Bearer env:REMIT_NATS']", "`replica.nats.servers`: is no reference"),
        (f"{SERVER}, subject: 'remit.>'", "is no subject"),
        (f"{SERVER}, subject: 'remit.'", "is no subject"),
        (f"{SERVER}, subject: 'a b'", "is no subject"),
        (f"{SERVER}, user: remit", "`replica.nats.user`: is half of a login"),
        (f"{SERVER}, password: 'env:P'", "`replica.nats.password`: is half of a login"),
        (f"{SERVER}, token: 'env:T', credentials: 'env:C'", "logs in by several ways"),
        (f"{SERVER}, token: 'Bearer env:T'", "`replica.nats.token`: is no reference"),
        (f"{SERVER}, tls_key: a.key", "`replica.nats.tls_key`: is half of a certificate"),
    ],
)
def test_each_mistake_is_said(tmp_path: Path, nats: str, said: str) -> None:
    """In one line, with its place, and without what is secret."""
    (first, *others) = refusals(tmp_path, written(nats))
    assert said in first
    assert "s3cret" not in first
    assert not others


def test_a_secret_that_is_written_out_is_refused(tmp_path: Path) -> None:
    """Whatever it looks like."""
    (first,) = refusals(tmp_path, written(f"{SERVER}, token: hunter2"))
    assert "hunter2" not in first


def test_with_a_file_as_the_store_it_says_that_it_has_no_effect(tmp_path: Path) -> None:
    """One process has nobody to wake."""
    (first,) = refusals(tmp_path, written(SERVER, UPSTREAM))
    assert "`replica.nats`: has no effect with a file" in first


def test_subjects_are_those_of_the_tenant(tmp_path: Path) -> None:
    """Behind what was written; a dot in its name is none of the subject."""
    made = waker_of(config(tmp_path, "tenant: acme.eu\n" + written(f"{SERVER}, subject: remit.test")))
    assert made is not None
    assert made.channel == "remit.test.acme_eu"
    assert waker_of(config(tmp_path, POSTGRES)) is None


def test_each_replica_may_have_servers_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a reference, which leaves the file the same on all of them; it may hold several."""
    section = config(tmp_path, written("servers: ['env:REMIT_NATS', 'tls://c.example:4222']")).replica.nats
    assert section is not None
    monkeypatch.setenv("REMIT_NATS", "tls://a.example:4222, tls://b.example:4222")
    assert nats_servers(section) == ("tls://a.example:4222", "tls://b.example:4222", "tls://c.example:4222")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("nats://a.example:4222", "is not a `tls` address"),
        ("tls://a.example:4222,", "is not an address"),
        ("tls://remit:s3cret@a.example:4222", "holds a name or password"),
        ("nats://127.0.0.1:4222", "mixes addresses"),
        (",".join(["tls://a.example:4222"] * 16), "are 17"),
        (None, "`REMIT_NATS` is not set"),
    ],
)
def test_what_a_reference_holds_is_looked_at_like_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None, said: str
) -> None:
    """Nothing starts with it, doctor says the same, and neither repeats what may be secret."""
    made = config(tmp_path, written("servers: ['env:REMIT_NATS', 'tls://c.example:4222']"))
    if value is not None:
        monkeypatch.setenv("REMIT_NATS", value)
    with pytest.raises((ConfigInvalid, KeyUnavailable), match=re.escape(said)) as refused:
        waker_of(made)
    (look,) = nats_looks(made)
    assert look.state == "fail"
    assert said in look.says
    assert look.remediation
    assert "s3cret" not in str(refused.value) + look.says + look.remediation


async def test_a_file_of_tls_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Nobody is woken, and the reason names where to look."""
    made = waker_of(config(tmp_path, written(f"{SERVER}, tls_ca: none.pem")))
    assert made is not None
    await made.begin("one", lambda _: None, lambda: None)
    async with asyncio.timeout(60):
        while "a file of `replica.nats`" not in made.fault:  # noqa: ASYNC110 - nobody tells when
            await asyncio.sleep(0.01)
    await made.close()


def test_doctor_looks_for_servers_and_secrets(tmp_path: Path) -> None:
    """What cannot be reached or read is a failure."""
    with socket.create_server(("127.0.0.1", 0)) as there:
        port = there.getsockname()[1]
        place = f"servers: ['nats://127.0.0.1:{port}', 'nats://127.0.0.1:1'], token: 'file:none'"
        looks = list(nats_looks(_with(tmp_path, place)))
    assert [(one.subject, one.state) for one in looks] == [("nats", "fail"), ("nats", "ok"), ("nats", "fail")]
    assert "cannot be read" in looks[0].says


def _with(tmp_path: Path, nats: str) -> Config:
    (tmp_path / "remit.yaml").write_text(written(nats))
    return load_config(tmp_path)


@pytest.mark.parametrize(
    ("changes", "states"),
    [
        ({}, ["ok"]),
        ({"late_replicas": 1}, ["fail"]),
        ({"differing_bundles": 2}, ["fail"]),
        ({"waking": "nats, away"}, ["note", "ok"]),
        ({"replica": "fenced", "late_replicas": 1}, ["fail", "fail"]),
        ({"waking": ""}, []),
    ],
)
def test_doctor_says_how_replicas_stand(changes: dict[str, object], states: list[str]) -> None:
    """A late one, and one that decides by other rules, are failures; away is worth knowing."""
    well: dict[str, object] = {"replica": "leased", "replicas": 3, "late_replicas": 0}
    well |= {"differing_bundles": 0, "waking": "nats"}
    assert [one.state for one in replica_looks(well | changes)] == states
