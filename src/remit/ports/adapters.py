# SPDX-License-Identifier: Apache-2.0
"""What one process has of each port."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remit.ports.broker import Broker
from remit.ports.evidence.log import HeadKeeper
from remit.ports.fetch import Fetch
from remit.ports.forwarding import Forwarder
from remit.ports.issuers import TrustedIssuers
from remit.ports.keys import Keyring
from remit.ports.policy import PolicyEngine, PolicyProver
from remit.ports.runtime import Clock, Entropy, OwnFiles, Processes, Transcripts
from remit.ports.store.replicas import Fleet
from remit.ports.store.store import Store
from remit.ports.telemetry.tracer import Tracer
from remit.ports.upstream import Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """The adapters of one process.

    `brokers` and `processes` are by upstream: where its credentials come from, and what starts processes that
    serve one task. `fleet` and `forwarder` are there where several processes may serve one store, `own_files`
    where remit has files on this machine, `prover` where policies are in Cedar; `running` and `transcripts`
    are what remit sees of clients on this machine.
    """

    clock: Clock
    entropy: Entropy
    store: Store
    heads: HeadKeeper
    keys: Keyring
    engine: PolicyEngine
    issuers: TrustedIssuers
    upstreams: Mapping[str, Upstream]
    brokers: Mapping[str, Broker] = field(default_factory=dict)
    processes: Mapping[str, Broker] = field(default_factory=dict)
    own_files: OwnFiles | None = None
    running: Processes | None = None
    transcripts: Transcripts | None = None
    prover: PolicyProver | None = None
    document_fetch: Fetch | None = None
    fleet: Fleet | None = None
    forwarder: Forwarder | None = None
    tracer: Tracer | None = None
