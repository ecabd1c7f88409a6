# SPDX-License-Identifier: Apache-2.0
"""Shared signals from the configuration: transmitters, polled sources, and receivers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from remit.adapters.attestor.issuers import Issuer
from remit.adapters.notifier.webhook import SignedPost, Webhook, key_of
from remit.adapters.runtime.system import SystemClock
from remit.compose.fetching import guarded_fetch
from remit.config import Config, SecretRef
from remit.config.sections.notify import AddresseeSection
from remit.core.errors import ConfigInvalid
from remit.ports.delivery import Deliver
from remit.ports.issuers import IssuerUse
from remit.ports.notifier import Notifier, SignedDelivery
from remit.services.signals.assembly import SignalSettings
from remit.services.signals.notifications import NotificationTarget
from remit.services.signals.polling import PolledSource
from remit.services.signals.receiver import Transmitter, issuer_name
from remit.services.signals.silence import WatchedTransmitter
from remit.services.signals.streams import Receiver
from remit.services.signals.subjects import SubjectRules
from remit.services.signals.transmitter import PushTarget


def signal_issuers(config: Config, public_url: str) -> list[Issuer]:
    """Return the issuers of security event tokens; raises `ConfigInvalid`."""
    return [
        Issuer(
            name=issuer_name(name),
            issuer=one.issuer,
            audience=one.audience or public_url,
            uses=frozenset({IssuerUse.SIGNALS}),
            fetch=guarded_fetch(
                private=one.private,
                plain_loopback=config.trust.plain_loopback,
                ca_file=config.at(one.tls_ca) if one.tls_ca else None,
            ),
            algorithms=one.accepted,
            leeway_s=int(config.trust.leeway_s),
            kept_s=float(config.trust.keys_kept_s),
            jwks_uri=one.jwks_uri,
            jwks_file=config.at(one.jwks_file) if one.jwks_file else None,
        )
        for name, one in config.signals.receive.items()
    ]


def signal_settings(config: Config, public_url: str) -> SignalSettings:
    """Return who tells and who is told; raises `KeyUnavailable`."""
    return SignalSettings(
        transmitters=_transmitters(config, public_url),
        polled=_polled(config),
        watched=_watched(config),
        receivers=_receivers(config),
        push_targets=_targets(config),
        addressees=_addressees(config),
    )


def _transmitters(config: Config, public_url: str) -> dict[str, Transmitter]:
    """Return the transmitters that may send events to remit; raises `KeyUnavailable`."""
    return {
        name: Transmitter(
            name=name,
            audience=one.audience or public_url,
            token=one.push_token.resolve() if one.push_token else "",
            subjects=SubjectRules(
                email_domain=one.subjects.email_domain,
                names=one.subjects.names,
                opaque=one.subjects.opaque,
                unknown_session=one.subjects.unknown_session,
                issuers=frozenset(one.subjects.issuers or (one.issuer,)),
                agents=frozenset(one.subjects.agents),
                tasks=frozenset(one.subjects.tasks),
            ),
            reactions=dict(one.on),
            may=frozenset(one.may),
            max_age_s=int(one.max_age_s),
            leeway_s=int(config.trust.leeway_s),
        )
        for name, one in config.signals.receive.items()
    }


def _polled(config: Config) -> dict[str, PolledSource]:
    """Return the sources that remit polls for events; raises `ConfigInvalid`."""
    out = {}
    for name, one in config.signals.receive.items():
        if one.poll is not None:
            out[name] = PolledSource(
                name=name,
                url=one.poll.url,
                deliver=guarded_fetch(
                    private=one.private,
                    plain_loopback=config.trust.plain_loopback,
                    ca_file=config.at(one.tls_ca) if one.tls_ca else None,
                ),
                headers=_showing(one.poll.token),
                every_s=float(one.poll.every_s),
            )
    return out


def _watched(config: Config) -> dict[str, WatchedTransmitter]:
    """Return the transmitters whose silence is reported; raises `ConfigInvalid`."""
    out = {}
    for name, one in config.signals.receive.items():
        if one.alive is not None:
            out[name] = WatchedTransmitter(
                name=name,
                silent_after_s=float(one.alive.silent_after_s),
                url=one.alive.verify_url,
                stream=one.alive.stream_id,
                every_s=float(one.alive.every_s),
                deliver=guarded_fetch(
                    private=one.private,
                    plain_loopback=config.trust.plain_loopback,
                    ca_file=config.at(one.tls_ca) if one.tls_ca else None,
                ),
                headers=_showing(one.alive.token),
            )
    return out


def _receivers(config: Config) -> dict[str, Receiver]:
    """Return the receivers of remit's events."""
    return {
        name: Receiver(
            name=name,
            audience=one.audience,
            agents=frozenset(one.agents),
            events=frozenset(one.events),
            people=one.people,
            agent=one.agent,
            push=one.push.url if one.push else "",
        )
        for name, one in config.signals.send.items()
    }


def _targets(config: Config) -> dict[str, PushTarget]:
    """Return the addresses for the receivers' events; raises `ConfigInvalid`."""
    out = {}
    for name, one in config.signals.send.items():
        if one.push is not None:
            out[name] = PushTarget(
                url=one.push.url,
                deliver=guarded_fetch(
                    private=one.push.private,
                    plain_loopback=config.trust.plain_loopback,
                    ca_file=config.at(one.push.tls_ca) if one.push.tls_ca else None,
                ),
                headers=_showing(one.push.token),
            )
    return out


def _addressees(config: Config) -> dict[str, NotificationTarget]:
    """Return the targets of notifications; raises `ConfigInvalid` or `KeyUnavailable`."""
    return {
        name: NotificationTarget(
            name=name,
            notifier=_apprise(one.apprise) if one.apprise else _webhook(config, one),
            kinds=tuple(one.on),
            person=one.apprise is not None,
        )
        for name, one in config.notify.items()
    }


def _webhook(config: Config, one: AddresseeSection) -> Webhook:
    assert one.secret is not None
    key_of(one.secret.resolve())
    deliver = _guarded(config, private=one.private, tls_ca=one.tls_ca)
    return Webhook(one.url, one.secret.resolve, deliver=deliver, clock=SystemClock())


def callback_deliveries(config: Config) -> dict[str, SignedDelivery]:
    """Return how callbacks are sent, by enforcement point; raises `ConfigInvalid` or `KeyUnavailable`."""
    out: dict[str, SignedDelivery] = {}
    for name, one in config.enforcement_points.items():
        if one.callbacks and one.callback_secret is not None:
            key_of(one.callback_secret.resolve())
            deliver = _guarded(config, private=one.private, tls_ca=one.tls_ca)
            out[name] = SignedPost(one.callback_secret.resolve, deliver=deliver, clock=SystemClock())
    return out


def _guarded(config: Config, *, private: bool, tls_ca: str) -> Deliver:
    return guarded_fetch(
        private=private,
        plain_loopback=config.trust.plain_loopback,
        ca_file=config.at(tls_ca) if tls_ca else None,
    )


def _apprise(url: SecretRef) -> Notifier:
    try:
        from remit.adapters.notifier.apprise import AppriseService, service_of
    except ModuleNotFoundError:
        raise ConfigInvalid(
            "notifications by apprise need the library `apprise`, which is not installed",
            remediation="install the extra (`pip install '.[notify]'`), or use a webhook",
        ) from None
    service_of(url.resolve())
    return AppriseService(url.resolve)


def _showing(token: SecretRef | None) -> Callable[[], Mapping[str, str]]:
    def headers() -> Mapping[str, str]:
        return {"Authorization": token.resolve()} if token else {}

    return headers
