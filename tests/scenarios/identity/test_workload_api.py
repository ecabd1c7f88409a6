# SPDX-License-Identifier: Apache-2.0
"""The Workload API as workloads use it: with the client that others wrote, unchanged, and as those misuse it
who should get nothing.
"""

import asyncio
import json
import os
import shutil
import ssl
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from spiffe import JwtSource, SpiffeId, TrustDomain, X509Source
from spiffe.errors import PySpiffeError

from remit.adapters.attestor.spiffe import SpiffeAttestor
from remit.adapters.peers.linux import CAN_TELL, LinuxPeers
from remit.adapters.runtime.system import SystemClock
from remit.core.identity.principals import AgentState
from remit.core.identity.spiffe import TrustAnchors, check_jwt_svid, check_x509_svid
from remit.core.identity.workload import Assurance, LocalBinding, SpiffeBinding
from remit.ports.attestor import ShownAssertion, ShownCertificate, ShownPeer
from remit.ports.store.changes import PutAgent
from remit.ports.store.units import Unit
from remit.services.findings.findings import Findings
from remit.services.findings.shared_identities import SharedIdentities
from remit.services.identity.svid_issuing import SvidRule
from tests.clients.other_user import REACHED
from tests.worlds.values import WorldClock, an_agent
from tests.worlds.workload import (
    OURS,
    TRUST_DOMAIN,
    WorkloadWorld,
    client_of,
    fetched,
    in_thread,
    own_digest,
    stream_of,
    workload_world,
)

pytestmark = pytest.mark.skipif(not CAN_TELL, reason="this system does not tell who is at a Unix socket")

#: A workload: prints the SPIFFE IDs that it gets, or why it gets none.
WORKLOAD = """
import sys
from spiffe import WorkloadApiClient
from spiffe.errors import PySpiffeError
try:
    with WorkloadApiClient(default_timeout=60) as client:
        print(",".join(str(one.spiffe_id) for one in client.fetch_x509_svids()))
except PySpiffeError as fault:
    print(fault)
    sys.exit(1)
"""


async def test_all_five_methods_serve_the_client_of_others(tmp_path: Path) -> None:
    """Certificates, tokens, both bundles and the check of a token: each is what the standards want it to
    be.
    """
    async with workload_world(tmp_path) as world:

        def work() -> tuple[Any, ...]:
            with client_of(world) as client:
                svid = client.fetch_x509_svid()
                bundles = client.fetch_x509_bundles()
                token = client.fetch_jwt_svid({"https://remit.example"})
                named = client.fetch_jwt_svid({"https://remit.example"}, SpiffeId(OURS))
                keys = client.fetch_jwt_bundles()
                held = client.validate_jwt_svid(token.token, "https://remit.example")
                return svid, bundles, token, named, keys, held

        svid, bundles, token, named, keys, held = await in_thread(work)
        domain = TrustDomain(TRUST_DOMAIN)
        assert str(svid.spiffe_id) == str(token.spiffe_id) == str(named.spiffe_id) == OURS
        assert str(held.spiffe_id) == OURS
        assert len(bundles.get_bundle_for_trust_domain(domain).x509_authorities) == 2
        assert len(keys.get_bundle_for_trust_domain(domain).jwt_authorities) == 2
        chain = tuple(one.public_bytes(Encoding.DER) for one in svid.cert_chain)
        anchors, now = world.issuing.anchors(), world.issuing.now()
        assert str(check_x509_svid(chain, anchors, now).spiffe_id) == OURS
        checked = check_jwt_svid(token.token, anchors, audience="https://remit.example", now=now)
        assert str(checked.spiffe_id) == OURS


async def test_each_document_is_on_record_before_it_is_given(tmp_path: Path) -> None:
    """With its serial number, the process that got it, and that it could read remit's keys."""
    async with workload_world(tmp_path) as world:

        def work() -> tuple[int, str]:
            with client_of(world) as client:
                leaf = client.fetch_x509_svid().leaf
                token = client.fetch_jwt_svid({"a", "b"}).token
                return leaf.serial_number, token

        serial, _ = await in_thread(work)
        first, second = await world.facts("svid.issued")
        assert first["serial"] == f"{serial:x}"
        assert (first["spiffe_id"], first["form"], first["uid"]) == (OURS, "x509", os.getuid())
        assert first["executable"] == own_digest()
        assert first["isolation"] == "none"
        assert (second["form"], sorted(second["audiences"])) == ("jwt", ["a", "b"])


async def test_sources_follow_a_rotation(tmp_path: Path) -> None:
    """Long-lived sources get a certificate of the new authority and the new bundle, without asking again."""
    async with workload_world(tmp_path) as world:
        x509 = await in_thread(lambda: X509Source(socket_path=world.endpoint, timeout_in_seconds=20))
        jwt = await in_thread(lambda: JwtSource(socket_path=world.endpoint, timeout_in_seconds=20))
        try:
            before = x509.get_x509_context().default_svid.leaf
            changed = threading.Event()
            x509.subscribe_for_updates(changed.set)
            await world.rotate(at_once=True)
            assert await in_thread(lambda: changed.wait(60))
            after = x509.get_x509_context().default_svid.leaf
            assert after.issuer != before.issuer
            bundles = x509.get_x509_context().x509_bundle_set
            bundle = bundles.get_bundle_for_trust_domain(TrustDomain(TRUST_DOMAIN))
            assert bundle is not None
            assert {one.public_bytes(Encoding.DER) for one in bundle.x509_authorities} == set(
                world.authority.certificates
            )
            token = await in_thread(lambda: jwt.fetch_svid({"x"}))
            check_jwt_svid(token.token, world.issuing.anchors(), audience="x", now=world.issuing.now())
        finally:
            await in_thread(x509.close)
            await in_thread(jwt.close)


async def test_a_certificate_is_renewed_at_half_of_its_life(tmp_path: Path) -> None:
    """On the same stream, while the old one is still good."""
    clock = WorldClock()
    async with workload_world(tmp_path, clock=clock, life=timedelta(hours=1)) as world:
        channel = grpc.aio.insecure_channel(world.endpoint)
        async with channel:
            stream = stream_of(channel, "FetchX509SVID", "X509SVID")
            first = await stream.read()
            clock.advance(1801)
            world.issuing.wake()
            second = await stream.read()
            assert first.svids[0].x509_svid != second.svids[0].x509_svid
            assert first.svids[0].x509_svid_key != second.svids[0].x509_svid_key
            stream.cancel()


async def test_a_process_that_no_rule_names_gets_nothing(tmp_path: Path) -> None:
    """Not a certificate, not a token, not even the bundles or a check; and the refusal is on record."""
    rule = SvidRule(spiffe_id=OURS, uid=os.getuid(), executable="0" * 64)
    async with workload_world(tmp_path, rules=[rule]) as world:

        def work() -> list[str]:
            told = []
            with client_of(world) as client:
                for ask in (
                    client.fetch_x509_svid,
                    client.fetch_x509_bundles,
                    lambda: client.fetch_jwt_svid({"x"}),
                    client.fetch_jwt_bundles,
                    lambda: client.validate_jwt_svid("a.b.c", "x"),
                ):
                    with pytest.raises(PySpiffeError) as refused:
                        ask()
                    told.append(str(refused.value))
            return told

        assert all("PERMISSION_DENIED" in one for one in await in_thread(work))
        refusals = await world.facts("svid.refused")
        assert {one["code"] for one in refusals} == {"svid-unknown"}
        assert {one["executable"] for one in refusals} == {own_digest()}
        assert await world.facts("svid.issued") == []


async def test_a_changed_program_is_another_workload(tmp_path: Path) -> None:
    """One byte more at the end of the executable, and the rule does not fit any more."""
    changed = tmp_path / "python-changed"
    shutil.copy(sys.executable, changed)
    with changed.open("ab") as file:
        file.write(b"\0")
    async with workload_world(tmp_path) as world:
        assert await world.run(WORKLOAD) == (0, f"{OURS}\n")
        process = await asyncio.create_subprocess_exec(
            str(changed),
            "-c",
            f"import sys; sys.path[:0] = {[one for one in sys.path if one]!r}\n{WORKLOAD}",
            env={**os.environ, "SPIFFE_ENDPOINT_SOCKET": world.endpoint, "PYTHONHOME": sys.base_prefix},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told, _ = await process.communicate()
        assert process.returncode == 1, told
        assert b"PERMISSION_DENIED" in told


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user")
@pytest.mark.skipif(not REACHED, reason="other users cannot go to where these tests and their libraries lie")
async def test_another_user_is_another_workload(tmp_path: Path) -> None:
    """The same program as user 65534 fits a rule of that user's alone, and has no word about isolation."""
    theirs = f"spiffe://{TRUST_DOMAIN}/theirs"
    rules = [SvidRule(spiffe_id=OURS, uid=0), SvidRule(spiffe_id=theirs, uid=65534)]
    # Everything is imported first: the other user may not be able to read the folder of Python.
    as_other = f"import os, spiffe, logging, queue\nos.setgid(65534); os.setuid(65534)\n{WORKLOAD}"
    async with workload_world(tmp_path, rules=rules) as world:
        assert await world.run(WORKLOAD) == (0, f"{OURS}\n")
        # The mode of socket and folder keeps the other user out, until it is opened to all.
        code, _ = await world.run(as_other)
        assert code == 1
        world.socket.parent.chmod(0o755)
        world.socket.chmod(0o666)
        assert await world.run(as_other) == (0, f"{theirs}\n")
        (*_, last) = await world.facts("svid.issued")
        assert last["uid"] == 65534
        assert "isolation" not in last


class Blind(LinuxPeers):
    """As a remit sees processes of other users that may not trace them."""

    def digest_of(self, pid: int) -> str:
        """Nothing."""
        raise PermissionError


async def test_where_the_program_cannot_be_seen_only_the_user_counts(tmp_path: Path) -> None:
    """A rule for the user fits, one that also names the program does not."""
    rules = [SvidRule(spiffe_id=OURS, uid=os.getuid())]
    async with workload_world(tmp_path, rules=rules, peers=Blind()) as world:
        assert await world.run(WORKLOAD) == (0, f"{OURS}\n")
        assert (await world.facts("svid.issued"))[0]["executable"] == ""
    async with workload_world(tmp_path, peers=Blind()) as world:
        assert (await world.run(WORKLOAD))[0] == 1


async def test_many_workloads_at_once_are_never_confused(tmp_path: Path) -> None:
    """Each connection is served for the process that opened it, however they are mixed."""
    helper = "import sys, threading\nprint(sys.argv[1], end=' ')\n" + WORKLOAD
    async with workload_world(tmp_path) as world:
        told = await asyncio.gather(*(world.run(helper, str(number)) for number in range(6)))
        assert sorted(one for _, one in told) == sorted(f"{number} {OURS}\n" for number in range(6))


async def test_an_agent_by_user_and_program_has_an_identity_until_it_is_suspended(tmp_path: Path) -> None:
    """No rule is needed; and a stream that is open ends soon after the suspension."""
    agent = an_agent("local-bot", bindings=(LocalBinding(os.getuid(), own_digest()),))
    async with workload_world(tmp_path, rules=()) as world:
        await world.store.commit(Unit((PutAgent(agent, expect_new=True),)))
        async with grpc.aio.insecure_channel(world.endpoint) as channel:
            stream = stream_of(channel, "FetchX509SVID", "X509SVID")
            first = await stream.read()
            assert [one.spiffe_id for one in first.svids] == [f"spiffe://{TRUST_DOMAIN}/agent/local-bot"]
            (entry,) = await world.store.entries("default", kinds=("svid.issued",))
            assert json.loads(entry.leaf)["agent"] == "local-bot"
            named = await world.issuing.agents(first.svids[0].spiffe_id)
            assert [one.name for one in named] == ["local-bot"]
            assert await world.issuing.agents(f"spiffe://{TRUST_DOMAIN}/agent/nobody") == []
            suspended = an_agent("local-bot", bindings=agent.bindings, state=AgentState.SUSPENDED)
            await world.store.commit(Unit((PutAgent(suspended),)))
            world.issuing.wake()
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stream.read()
            assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert (await world.facts("svid.refused"))[0]["code"] == "svid-suspended"


async def test_two_programs_under_one_identity_are_a_finding(tmp_path: Path) -> None:
    """Where a rule names the user alone; many processes of one program are none."""
    agent = an_agent("mesh-bot", bindings=(SpiffeBinding(OURS),))
    async with workload_world(tmp_path, rules=[SvidRule(spiffe_id=OURS, uid=7)]) as world:
        findings = Findings(store=world.store, clock=SystemClock(), tenant="default")
        sightings = SharedIdentities(
            store=world.store, clock=SystemClock(), findings=findings, tenant="default"
        )
        world.issuing.on_given(sightings.given)
        await world.store.commit(Unit((PutAgent(agent, expect_new=True),)))
        for pid in range(5):
            await world.issuing.tokens(ShownPeer(pid, 7, "a" * 64), ("x",))
        await sightings.flush()
        assert await world.facts("finding.seen") == []
        await world.issuing.tokens(ShownPeer(9, 7, "b" * 64), ("x",))
        await world.issuing.certificates(ShownPeer(10, 7, "a" * 64))
        await sightings.flush()
        (seen,) = await world.facts("finding.seen")
        assert (seen["finding_kind"], seen["about"]) == ("two-programs", "agent:mesh-bot")


async def test_a_spiffe_id_that_is_not_its_own_is_not_given(tmp_path: Path) -> None:
    """Not by asking for it by name."""
    async with workload_world(tmp_path) as world:

        def work() -> str:
            with client_of(world) as client, pytest.raises(PySpiffeError) as refused:
                client.fetch_jwt_svid({"x"}, SpiffeId(f"spiffe://{TRUST_DOMAIN}/other"))
            return str(refused.value)

        assert "PERMISSION_DENIED" in await in_thread(work)
        assert (await world.facts("svid.refused"))[0]["code"] == "svid-not-held"


async def test_a_document_of_our_own_proves_no_more_than_was_asserted(tmp_path: Path) -> None:
    """A certificate of it is as good as a key, and a token, which can be copied, as the process's word."""
    async with workload_world(tmp_path) as world:
        ours = SpiffeAttestor({}, SystemClock(), audience="x", own={TRUST_DOMAIN: world.issuing.anchors})

        async def source() -> tuple[TrustAnchors, float]:
            return world.issuing.anchors(), 60.0

        theirs = SpiffeAttestor({TRUST_DOMAIN: source}, SystemClock(), audience="x")
        svid = await in_thread(lambda: fetched(world))
        shown = ShownPeer(pid=1, uid=os.getuid(), executable_digest=own_digest())
        (token,) = await world.issuing.tokens(shown, ("x",))
        certificate = ShownCertificate((svid.leaf.public_bytes(Encoding.DER),))
        for attestor, bound, bearer in (
            (ours, Assurance.KEY_BOUND, Assurance.ASSERTED),
            (theirs, Assurance.ATTESTED, Assurance.FEDERATED_BEARER),
        ):
            held = await attestor.attest(certificate)
            assert (held.workload, held.assurance) == (OURS, bound)
            held = await attestor.attest(ShownAssertion(token.token))
            assert (held.workload, held.assurance) == (OURS, bearer)
            await attestor.close()


async def test_two_workloads_speak_mutual_tls(tmp_path: Path) -> None:
    """Certificates and bundle are good for OpenSSL, and that of an authority that was dropped is not."""
    async with workload_world(tmp_path) as world:
        svid = await in_thread(lambda: fetched(world))
        server, client = context_of(world, svid, tmp_path, True), context_of(world, svid, tmp_path, False)
        assert handshake(server, client)
        await world.rotate(at_once=True)
        newer = await in_thread(lambda: fetched(world))
        assert not handshake(context_of(world, newer, tmp_path, True), client)


def context_of(world: WorkloadWorld, svid: Any, folder: Path, server: bool) -> ssl.SSLContext:
    """Return a TLS context that shows a certificate and wants one of the bundle."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    pem = folder / "svid.pem"
    pem.write_bytes(
        svid.leaf.public_bytes(Encoding.PEM)
        + svid.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context.load_cert_chain(pem)
    for authority in world.issuing.bundle.authorities:
        context.load_verify_locations(cadata=authority)
    return context


def handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> bool:
    """Whether two ends agree, in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        server.wrap_bio(to_server, to_client, server_side=True),
        client.wrap_bio(to_client, to_server, server_side=False),
    ]
    done = set()
    for _ in range(20):
        for end in ends:
            try:
                end.do_handshake()
                done.add(end)
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return False
    return len(done) == 2


async def test_the_bundle_has_a_higher_sequence_for_each_change(tmp_path: Path) -> None:
    """And the same one for the same bundle, also after a restart."""
    async with workload_world(tmp_path) as world:
        first = json.loads(world.issuing.document)
        await world.issuing.refresh()
        assert json.loads(world.issuing.document) == first
        await world.rotate()
        second = json.loads(world.issuing.document)
        assert second["spiffe_sequence"] == first["spiffe_sequence"] + 1
        assert second["spiffe_refresh_hint"] > 0
        assert {one["use"] for one in second["keys"]} == {"x509-svid", "jwt-svid"}
        assert all(("x5c" in one) == (one["use"] == "x509-svid") for one in second["keys"])
    async with workload_world(tmp_path) as world:
        assert json.loads(world.issuing.document) == second
