# SPDX-License-Identifier: Apache-2.0
"""How soon a leased credential is dead at its sink, on real servers: the closures' own times.

Each time is from when the end was asked for to the first refusal of a login (or request) with the dead
credential. One task after another, on an otherwise idle remit.
"""

import json
import logging
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from bench.figure import Figure
from bench.governed_bundle import write_bundle
from bench.load import percentile
from bench.measure import layout, running_upstream
from bench.serve_sinks import Dead
from bench.target import confined
from remit.cli.demo.database import USER, Database
from tests.servers.authorization_server import CLIENT, SECRET, authorities
from tests.servers.aws_server import ADMIN, ROLE, aws_server
from tests.servers.bao_server import bao_server

Json = Any

POSTGRES = "dead: PostgreSQL role, p99"
OPENBAO = "dead: OpenBao database credential, p99"


class Place(msgspec.Struct, frozen=True):
    """Where credentials come from: what `remit.yaml` says of it, the secrets that it refers to, and how many
    tasks are ended there at the most. `but` is what the figure does not show.
    """

    lease: Json
    known: dict[str, str]
    most: int = 200
    but: str = ""


@contextmanager
def _database() -> Iterator[Database]:
    server = Database(secrets.token_urlsafe(12), durable=True)
    try:
        server.start()
        server.ask("create table customers (name text)")
        yield server
    finally:
        server.remove()


@contextmanager
def postgres() -> Iterator[Place]:
    """A role of a PostgreSQL database, tried by a login."""
    with _database() as server:
        lease = {
            "postgres": {"admin": "env:SOURCE", "grants": ["grant select on customers to {role}"]},
            "headers": {"X-Database": "postgresql://{user}:{password}@{host}:{port}/{database}"},
        }
        yield Place(lease, {"SOURCE": server.url()})


@contextmanager
def openbao() -> Iterator[Place]:
    """A credential of OpenBao's database engine, tried by a login at the database."""
    with _database() as server, tempfile.TemporaryDirectory() as folder, bao_server(Path(folder)) as bao:
        bao.ask("POST", "sys/mounts/database", {"type": "database"})
        where = f"127.0.0.1:{server.port}/postgres?sslmode=disable"
        bao.ask(
            "POST",
            "database/config/crm",
            {
                "plugin_name": "postgresql-database-plugin",
                "allowed_roles": "*",
                "connection_url": f"postgresql://{{{{username}}}}:{{{{password}}}}@{where}",
                "username": USER,
                "password": server.password,
            },
        )
        create = "create role \"{{name}}\" login password '{{password}}' valid until '{{expiration}}'"
        bao.ask(
            "POST",
            "database/roles/crm",
            {
                "db_name": "crm",
                "creation_statements": [create, 'grant select on customers to "{{name}}"'],
                "default_ttl": "1h",
            },
        )
        policy = (
            'path "database/creds/*" { capabilities = ["read"] }\n'
            'path "sys/leases/*" { capabilities = ["update"] }\n'
        )
        lease = {
            "openbao": {
                "address": bao.address,
                "token": "env:SOURCE",
                "path": "database/creds/crm",
                "login": f"postgresql://127.0.0.1:{server.port}/postgres",
            },
            "headers": {"X-User": "{username}", "X-Password": "{password}"},
        }
        yield Place(lease, {"SOURCE": bao.token_for(policy)})


@contextmanager
def oauth() -> Iterator[Place]:
    """A token of an authorization server, tried at a resource that takes its tokens."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with authorities() as server:
        lease = {
            "oauth": {
                "token_url": f"{server.url}/token",
                "revoke_url": f"{server.url}/revoke",
                "probe_url": f"{server.url}/me",
                "client_id": CLIENT,
                "client_secret": "env:SOURCE",
            }
        }
        yield Place(lease, {"SOURCE": SECRET})


@contextmanager
def certificate() -> Iterator[Place]:
    """A client certificate of OpenBao's PKI engine, tried by OCSP."""
    with tempfile.TemporaryDirectory() as folder, bao_server(Path(folder)) as bao:
        bao.ask("POST", "sys/mounts/pki", {"type": "pki"})
        bao.ask("POST", "pki/root/generate/internal", {"common_name": "bench", "key_type": "ec"})
        role = {"allow_any_name": True, "enforce_hostnames": False, "key_type": "ec", "max_ttl": "24h"}
        bao.ask("POST", "pki/roles/task", role)
        policy = "".join(
            f'path "pki/{one}" {{ capabilities = ["update"] }}\n' for one in ("sign/task", "revoke")
        )
        lease = {
            "openbao": {"address": bao.address, "token": "env:SOURCE", "pki": {"role": "task"}},
            "headers": {"X-Serial": "{serial_number}"},
        }
        yield Place(lease, {"SOURCE": bao.token_for(policy)})


@contextmanager
def aws() -> Iterator[Place]:
    """A session of an AWS role, tried at a bucket; all of it a stand-in."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with aws_server() as server:
        lease = {
            "aws": {
                "region": "eu-central-1",
                "role": ROLE,
                "access_key_id": "env:SOURCE_ID",
                "secret_access_key": "env:SOURCE",
                "statements": [
                    {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::crm"}
                ],
                "probe_url": f"{server.url}/s3/crm?list-type=2",
                "probe_service": "s3",
                "sts_url": f"{server.url}/sts",
                "iam_url": f"{server.url}/iam",
            },
            "headers": {"X-Key": "{access_key_id}"},
        }
        known = {"SOURCE_ID": ADMIN[0], "SOURCE": ADMIN[1]}
        yield Place(lease, known, 100, "; a stand-in: how long AWS takes to heed a policy is not in it")


PLACES: dict[str, Callable[[], Any]] = {
    "PostgreSQL role": postgres,
    "OpenBao database credential": openbao,
    "OAuth token": oauth,
    "OpenBao certificate": certificate,
    "AWS session": aws,
}


def _ended(place: Place, tasks: int) -> list[Dead]:
    cpus, build = layout(), Path("build")
    build.mkdir(exist_ok=True)
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="bench-sinks-", dir=build))
        stack.callback(shutil.rmtree, folder)
        upstream = stack.enter_context(running_upstream(cpus.others))
        config = write_bundle(folder, upstream.url, 8700, "durable", lease=json.dumps(place.lease))
        with confined(cpus.target):
            ran = subprocess.run(
                [sys.executable, "-m", "bench.serve_sinks", str(config), str(tasks)],
                env={**os.environ, **place.known},
                capture_output=True,
                timeout=600,
                check=False,
            )
    if ran.returncode:
        raise RuntimeError(f"remit ended: {ran.stderr.decode(errors='replace')[-500:]}")
    return msgspec.json.decode(ran.stdout, type=list[Dead])


def sinks(quick: bool) -> list[Figure]:
    """The time to dead at each sink."""
    tasks, found = 15 if quick else 200, []
    for name, place in PLACES.items():
        with place() as one:
            dead = _ended(one, min(tasks, one.most))
            but = one.but
        open_still = sum(one.refused_ms < 0 for one in dead)
        how = (
            f"{len(dead)} tasks ended one after another, each with a credential of its own; from when the "
            f"end was asked for to the sink's first refusal; {open_still} were still open when it returned; "
            f"servers on the same machine{but}"
        )
        took = {
            "p50": (0.5, "refused_ms"),
            "p99": (0.99, "refused_ms"),
            "taken back, p50": (0.5, "revoked_ms"),
        }
        for word, (share, which) in took.items():
            # What was open still counts as the longest.
            times = [getattr(one, which) if getattr(one, which) >= 0 else float("inf") for one in dead]
            ordered = sorted(round(min(ms, 1e6) * 1e6) for ms in times)
            value = percentile(ordered, share) / 1e6
            found.append(Figure(name=f"dead: {name}, {word}", value=value, unit="ms", how=how))
    return found
