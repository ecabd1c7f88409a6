# SPDX-License-Identifier: Apache-2.0
"""Put the services of security signals together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remit.core.identity.deployment import Deployment
from remit.ports.adapters import Adapters
from remit.services.decisions.assembly import DecisionServices
from remit.services.endings.assembly import EndingServices
from remit.services.evidence.assembly import EvidenceServices
from remit.services.findings.assembly import FindingServices
from remit.services.identity.assembly import IdentityServices
from remit.services.signals.notifications import Notifications, NotificationTarget
from remit.services.signals.polling import PolledSource, Polling
from remit.services.signals.question_links import QuestionLinks
from remit.services.signals.reactions import SignalReactions
from remit.services.signals.receiver import HeardSignals, Transmitter
from remit.services.signals.silence import TransmitterSilence, WatchedTransmitter
from remit.services.signals.streams import Receiver, Streams
from remit.services.signals.subjects import SignalSubjects
from remit.services.signals.transmitter import PushTarget, SignalTransmitter


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSettings:
    """Who tells of what happened elsewhere, and who is told of what happened here; each by name."""

    transmitters: Mapping[str, Transmitter] = field(default_factory=dict)
    polled: Mapping[str, PolledSource] = field(default_factory=dict)
    watched: Mapping[str, WatchedTransmitter] = field(default_factory=dict)
    receivers: Mapping[str, Receiver] = field(default_factory=dict)
    push_targets: Mapping[str, PushTarget] = field(default_factory=dict)
    addressees: Mapping[str, NotificationTarget] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalServices:
    """Signals that are heard, and signals that are sent."""

    heard: HeardSignals
    polling: Polling
    silence: TransmitterSilence
    streams: Streams
    transmitter: SignalTransmitter
    notifications: Notifications
    links: QuestionLinks


def signal_services(
    adapters: Adapters,
    deployment: Deployment,
    settings: SignalSettings,
    findings: FindingServices,
    evidence: EvidenceServices,
    decisions: DecisionServices,
    endings: EndingServices,
    identity: IdentityServices,
) -> SignalServices:
    """Put them together."""
    heard = _heard(adapters, deployment, settings, endings, identity)
    links = QuestionLinks(
        store=adapters.store,
        clock=adapters.clock,
        entropy=adapters.entropy,
        tenant=deployment.tenant,
        public_url=deployment.public_url,
        approvals=decisions.approvals,
    )
    streams = Streams(
        store=adapters.store,
        clock=adapters.clock,
        entropy=adapters.entropy,
        cursors=evidence.followers,
        tenant=deployment.tenant,
        receivers=settings.receivers,
    )
    return SignalServices(
        heard=heard,
        polling=Polling(heard, settings.polled, adapters.clock),
        silence=TransmitterSilence(
            store=adapters.store,
            clock=adapters.clock,
            entropy=adapters.entropy,
            findings=findings.findings,
            tenant=deployment.tenant,
            watched=settings.watched,
        ),
        streams=streams,
        transmitter=_transmitter(adapters, deployment, settings, evidence, streams),
        notifications=Notifications(
            store=adapters.store,
            clock=adapters.clock,
            cursors=evidence.followers,
            tenant=deployment.tenant,
            origin=deployment.origin,
            addressees=settings.addressees,
            links=links,
        ),
        links=links,
    )


def _heard(
    adapters: Adapters,
    deployment: Deployment,
    settings: SignalSettings,
    endings: EndingServices,
    identity: IdentityServices,
) -> HeardSignals:
    return HeardSignals(
        store=adapters.store,
        clock=adapters.clock,
        issuers=adapters.issuers,
        subjects=SignalSubjects(store=adapters.store, members=deployment.members, tenant=deployment.tenant),
        taking_away=SignalReactions(
            revocations=endings.revocations, personnel=identity.personnel, directory=identity.directory
        ),
        tenant=deployment.tenant,
        transmitters=settings.transmitters,
    )


def _transmitter(
    adapters: Adapters,
    deployment: Deployment,
    settings: SignalSettings,
    evidence: EvidenceServices,
    streams: Streams,
) -> SignalTransmitter:
    return SignalTransmitter(
        store=adapters.store,
        clock=adapters.clock,
        keys=adapters.keys.tokens,
        streams=streams,
        cursors=evidence.followers,
        members=deployment.members,
        tenant=deployment.tenant,
        issuer=deployment.public_url,
        origin=deployment.origin,
        targets=settings.push_targets,
    )
