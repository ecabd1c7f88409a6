# SPDX-License-Identifier: Apache-2.0
"""The checks of `remit doctor`. Each check returns findings; a finding never raises."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import shutil
import ssl
import stat
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx2 as httpx

from remit.cli.doctor.certificate import certificate_looks
from remit.cli.doctor.check import MAX_SKEW_S, Check, unwarned
from remit.cli.doctor.credentials import lease_looks, secret_looks
from remit.cli.doctor.database import database_looks
from remit.cli.doctor.machine import machine_looks
from remit.cli.doctor.replicas import replica_looks
from remit.cli.doctor.running_instance import whose_looks
from remit.cli.doctor.upstreams import told_of_upstreams, upstream_looks
from remit.cli.global_options import Invocation
from remit.cli.host.isolation import isolation
from remit.cli.instance import as_served
from remit.cli.session_file import session_for, sessions_file
from remit.config import Config, examine_config, state_of
from remit.core.errors import (
    ConfigInvalid,
    KeyUnavailable,
    NotFound,
    RemitError,
    StoreUnavailable,
    VerificationFailed,
)

#: With less free space than this, remit may soon be unable to write the evidence and permits nothing.
LOW_SPACE_BYTES = 256 * 1024 * 1024
#: Longest wait for one answer.
ANSWER_S = 5.0


def examine_all(invocation: Invocation) -> list[Check]:
    """Run all checks."""
    findings = [*_python(), *_libraries()]
    path = invocation.config_file
    config = examine_config(path)[0] if path.is_file() else None
    config = as_served(config) if config is not None else None
    findings += _configuration(path)
    base_url = os.environ.get("REMIT_URL", "") or (config.listen.url if config else "")
    answer = ask_health(base_url)
    others = whose_looks(config, base_url, answers=answer is not None) if config else []
    if config is not None:
        findings += [
            *secret_looks(config),
            *_keys(config),
            *certificate_looks(config),
            *machine_looks(config),
            *_openbao(config),
            *_store(config),
            *_schema(config),
            *_log(config),
            *upstream_looks(config, told_of_upstreams(base_url) if answer is not None and not others else {}),
        ]
        findings += [*_programs(config), *lease_looks(config), *_trust(config)]
    findings += _sessions()
    if base_url and answer is not None and _told(answer) is None:
        findings += running_looks(base_url, answer)
    elif base_url and others:
        # What the remit of another folder reports is not about this one.
        findings += others
    elif base_url:
        findings += [*running_looks(base_url, answer), *_clock(answer), *_isolation(base_url, answer)]
        findings += _me(base_url)
    return findings


def _python() -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    yield Check("python", "ok" if good else "fail", version, "" if good else "remit needs 3.11 or newer")


def _libraries() -> Iterator[Check]:
    try:
        needed = importlib.metadata.requires("remit") or []
    except importlib.metadata.PackageNotFoundError:
        yield Check("libraries", "note", "remit runs from its sources and is not installed")
        return
    missing = []
    for line in needed:
        name = line.split(";")[0].split("[")[0].split(">")[0].split("=")[0].strip()
        if "extra ==" in line or ("sys_platform" in line and sys.platform == "win32"):
            continue
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        yield Check("libraries", "fail", f"missing: {', '.join(missing)}", "install remit again")
    else:
        yield Check("libraries", "ok", "all declared dependencies are installed")


def _configuration(path: Path) -> Iterator[Check]:
    from remit.cli.doctor.files import examine

    try:
        found = examine(path)
    except NotFound as fault:
        yield Check("configuration", "fail", fault.message, fault.remediation)
        return
    for one in found:
        place = one["file"] + (f":{one['line']}" if one["line"] else "")
        state = "fail" if one["severity"] == "error" else "note"
        says = f"{place}: {one['text']}" if place else one["text"]
        yield Check("configuration", state, says, one["remediation"])
    if not found:
        yield Check("configuration", "ok", f"{path}, with its tools, task types and policies")


def _keys(config: Config) -> Iterator[Check]:
    places = [config.at(config.keys.path), state_of(config.folder) / "agents"]
    found = 0
    for folder in places:
        if not folder.is_dir():
            continue
        for place in [folder, *sorted(folder.iterdir())]:
            found += place != folder
            yield from _open_to_others(place)
    if not found:
        yield Check("keys", "note", "none yet; the first `remit up` creates them")
    else:
        yield Check("keys", "ok", f"{found} files checked")


def _openbao(config: Config) -> Iterator[Check]:
    section = config.keys.openbao
    if section is None:
        return
    verify = ssl.create_default_context(cafile=str(config.at(section.tls_ca)) if section.tls_ca else None)
    try:
        told = httpx.get(f"{section.address}/v1/sys/health", verify=verify, timeout=ANSWER_S, trust_env=False)
    except (httpx.HTTPError, OSError) as fault:
        remediation = "start it; until then remit cannot start or sign"
        yield Check(
            "openbao", "fail", f"`{section.address}` does not answer ({type(fault).__name__})", remediation
        )
        return
    # OpenBao's sys/health: 200 when it serves, 429 and 473 on standby, 501 and 503 when it is not ready.
    if told.status_code in (200, 429, 473):
        yield Check("openbao", "ok", f"`{section.address}` serves")
    else:
        says = f"`{section.address}` is not ready (status {told.status_code}): sealed or not initialised"
        yield Check("openbao", "fail", says, "unseal it")


def _trust(config: Config) -> Iterator[Check]:
    if not config.trust.issuers and not config.trust.spiffe and not config.signals.receive:
        return
    from remit.compose.trust import look_at_trust

    try:
        with unwarned():
            found = asyncio.run(look_at_trust(config))
    except ConfigInvalid as fault:
        yield Check("trust", "fail", fault.message, fault.remediation)
        return
    for name, why in found.items():
        if why:
            remediation = "make it readable; until then its signatures are refused"
            yield Check("trust", "fail", f"{name} cannot be read: {why[:300]}", remediation)
        else:
            yield Check("trust", "ok", f"{name} can be read")


def _open_to_others(place: Path) -> Iterator[Check]:
    status = place.lstat()
    if os.name != "posix":
        return
    wanted = "700" if stat.S_ISDIR(status.st_mode) else "600"
    if status.st_uid != os.geteuid():
        yield Check(
            "keys", "fail", f"`{place}` belongs to another user", "make it belong to the user that runs remit"
        )
    elif status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        remediation = f"run `chmod {wanted} {place}`, and replace the key if another user may have read it"
        yield Check("keys", "fail", f"`{place}` is open to other users", remediation)


def _store(config: Config) -> Iterator[Check]:
    if config.store.url is not None:
        yield from database_looks(config)
        return
    place = config.at(config.store.path)
    folder = place.parent
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        yield Check(
            "store", "fail", f"`{folder}` is not writable", "make it writable for the user that runs remit"
        )
        return
    free = shutil.disk_usage(folder).free
    if free < LOW_SPACE_BYTES:
        says = f"only {free // 2**20} MiB free at `{folder}`; a full disk makes remit refuse every call"
        yield Check("store", "fail", says, "free disk space")
    elif not place.exists():
        yield Check("store", "note", "none yet; the first `remit up` creates it")
    else:
        size = place.stat().st_size / 2**20
        yield Check("store", "ok", f"{place}, {size:.1f} MiB, {free // 2**20} MiB free")


def _schema(config: Config) -> Iterator[Check]:
    from remit.compose.store import schema_of

    try:
        found, written = schema_of(config)
    except (StoreUnavailable, KeyUnavailable, ConfigInvalid):
        return  # `_store` reports it
    if found > written:
        says = f"the store has schema version {found}, but this program supports {written}"
        yield Check("store", "fail", says, "use the remit that wrote it, or a newer one")
    elif 0 < found < written:
        says = f"the store has schema version {found}; the next start migrates it to {written}"
        yield Check("store", "note", says, "run `remit backup` before: there is no way back")


def _log(config: Config) -> Iterator[Check]:
    from remit.compose import log_origin
    from remit.compose.store import check_log

    try:
        if check_log(config, log_origin):
            says = "a restore lost events of the log, and everything is locked until that is accepted"
            remediation = "let an administrator, or two if there are two, run `remit unlock everything`"
            yield Check("evidence", "note", says, remediation)
    except VerificationFailed as fault:
        yield Check(
            "evidence", "fail", f"{fault.message}; `remit up` refuses to start with it", fault.remediation
        )
    except ConfigInvalid as fault:
        yield Check("store", "fail", fault.message, fault.remediation or "restore it from a backup")
    except (StoreUnavailable, KeyUnavailable):
        pass  # `_store` reports it


def _programs(config: Config) -> Iterator[Check]:
    started = [one for one in config.upstreams.values() if one.command and one.apart != "off"]
    if not started:
        return
    from remit.compose.programs import keeps_apart

    if config.programs.users:
        yield Check("programs", "ok", "each started program has its own user id")
    elif keeps_apart():
        yield Check("programs", "ok", "no started program can read other processes of this user")
    else:
        yield Check(
            "programs",
            "note",
            "each started program can read the environment of this user's other processes, and so their "
            "credentials",
            "use a Linux with Landlock, or run as root with `programs.users`",
        )
    if any(one.serves_one_task for one in started):
        yield _ends_of_programs()


def _ends_of_programs() -> Check:
    """Report by which means this machine can end all processes that a task's program has started."""
    from remit.compose.programs import encloses

    if encloses():
        return Check(
            "programs", "ok", "each task's program has a PID namespace: all its processes are killed together"
        )
    return Check(
        "programs",
        "note",
        "a task's program has no PID namespace here: its guard counts the processes that are left. If the "
        "guard itself is killed, the closure is `indeterminate`",
        "permit user namespaces to remit's user, or run remit as root (in a container: with SYS_ADMIN)",
    )


def _sessions() -> Iterator[Check]:
    place = sessions_file()
    if place.exists() and os.name == "posix" and place.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Check("sessions", "fail", f"`{place}` is open to other users", f"run `chmod 600 {place}`")


def ask_health(base_url: str) -> httpx.Response | None:
    """Return the answer of `/health/ready`; `None` if there is none."""
    if not base_url:
        return None
    try:
        verify = Invocation().authorities()
        return httpx.get(f"{base_url}/health/ready", timeout=5, trust_env=False, verify=verify)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return None


def _told(answer: httpx.Response | None) -> dict[str, Any] | None:
    """Return what a running remit reports about itself; empty if none answers, or another program does."""
    try:
        told = answer.json() if answer is not None else None
    except ValueError:
        return None
    members = {"upstreams_known", "upstreams", "store", "bundle"}
    return told if isinstance(told, dict) and members <= told.keys() else None


def running_looks(base_url: str, answer: httpx.Response | None) -> Iterator[Check]:
    """Report what a running remit tells of itself to everyone."""
    if answer is None:
        yield Check("remit", "note", f"not running at {base_url}", "start it with `remit up`")
        return
    told = _told(answer)
    if told is None:
        yield Check("remit", "fail", f"the server at {base_url} is not remit", "choose another port")
        return
    known, upstreams = told["upstreams_known"], told["upstreams"]
    store, bundle = told["store"], told["bundle"]
    if not told.get("ready"):
        yield Check(
            "remit",
            "fail",
            f"runs but cannot decide: store {store}, policy bundle {bundle}",
            "read its log",
        )
    else:
        yield Check("remit", "ok", f"ready at {base_url}: store {store}, policy bundle {bundle}")
    if told.get("everything_locked"):
        remediation = "see `remit lock`; `remit unlock everything` lets tasks be opened again"
        yield Check(
            "locks", "fail", "EVERYTHING IS LOCKED: no task opens and no call is permitted", remediation
        )
    elif told.get("locks"):
        yield Check("locks", "note", f"{told['locks']} locked by a person", "see `remit lock`")
    if told.get("log") == "changed":
        says = (
            "the log does not match its signed head: it was changed in the store, or another remit signs it"
        )
        yield Check("evidence", "fail", says, "see `remit finding list` and `remit audit verify`")
    elif told.get("log") == "holds":
        yield Check("evidence", "ok", "every event up to the last start matches the signed head")
    if told.get("signals_failing"):
        says = f"{told['signals_failing']} notification targets or event transmitters do not answer"
        yield Check("signals", "note", says, "read its log for the reason; events are kept until delivery")
    if told.get("open_sinks"):
        says = f"{told['open_sinks']} credentials outlive their tasks: their upstreams still accept them"
        yield Check("open sinks", "fail", says, "see `remit finding list`")
    yield from replica_looks(told)
    yield from _endings(told)
    if known < upstreams:
        says = f"{known} of {upstreams} upstreams are reachable; calls to the others fail"
        yield Check(
            "remit",
            "fail",
            says,
            "sign in (`remit login`) to see each one above; the log has the reasons (`.remit/up.log` "
            "where a client has started it)",
        )


def _endings(told: dict[str, Any]) -> Iterator[Check]:
    """Report how fast recent ends were: until a fence was in place, and until a sink refused."""
    for member, says in (
        ("fence_ms", "fences were in place after"),
        ("dead_ms", "credentials were revoked after"),
    ):
        times = told.get(member) or {}
        shown = [f"{kind} {p50:.1f} ms (p99 {p99:.1f})" for kind, (p50, p99) in sorted(times.items())]
        if shown:
            yield Check("endings", "ok", f"{says}: {', '.join(shown)}")


def _clock(answer: httpx.Response | None) -> Iterator[Check]:
    date = answer.headers.get("date", "") if answer is not None else ""
    if not date:
        yield Check("clock", "note", "remit is not running: nothing to compare with")
        return
    # The header has whole seconds: a difference of up to one second is not the clock's.
    apart = abs((datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds())
    if apart > MAX_SKEW_S:
        yield Check(
            "clock",
            "fail",
            f"{apart:.0f} s away from remit's clock",
            "synchronise both clocks with a time server",
        )
    else:
        yield Check("clock", "ok", "agrees with remit's")


def _isolation(base_url: str, answer: httpx.Response | None) -> Iterator[Check]:
    if answer is None:
        return
    word, why = isolation(base_url)
    if word == "none":
        remediation = "run remit as a separate user or on another machine; agents run as this user"
        yield Check(
            "isolation",
            "note",
            f"isolation: none; {why}, and so could an agent that runs as this user",
            remediation,
        )
    elif word:
        yield Check("isolation", "ok", f"isolation: {word}; {why}")
    else:
        yield Check("isolation", "note", "isolation: cannot be determined on this system")


def _me(base_url: str) -> Iterator[Check]:
    from remit.cli.rest_client import Client, Unreachable

    try:
        me = Client(base_url, session_for(base_url)).get("me")
    except Unreachable:
        return
    except RemitError as fault:
        yield Check("session", "note", fault.message, fault.remediation)
    else:
        roles = ", ".join(me.get("roles", [])) or "no role"
        yield Check("session", "ok", f"signed in as {me['name']} ({roles})")
