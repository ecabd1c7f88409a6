# SPDX-License-Identifier: Apache-2.0
"""Backup and restore of what the configuration stores: the store and the head of its log together.

A restore:

1. the backup is read whole: who signed it, its digest, the root of its events. Nothing was changed yet
2. the heads of the log that are known here are compared with it. Losing events needs `accept_loss`
3. the store is built beside the present one, which is then kept aside. From here on nothing starts on it
4. what the backup holds open is ended (`services.people.restore`), and the log is signed
5. the head that is kept outside takes that signature. A crash before this leaves a start that is refused
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from remit import __version__
from remit.adapters.keys.file import FileCheckpointKeys
from remit.adapters.keys.sealed_folder import has_keys, open_folder, put_files, seal_folder
from remit.adapters.log.file import FileHeadKeeper
from remit.adapters.runtime.system import SystemClock, SystemEntropy
from remit.adapters.store.backup.backup_file import BackupReader, BackupWriter
from remit.adapters.store.backup.backup_rows import (
    Advance,
    Newer,
    PresentPerson,
    Restricted,
    copy_in,
    forgotten_keys,
)
from remit.adapters.store.backup.store_state import PresentLog, present_log, taken_away
from remit.adapters.store.postgres import backup as postgres
from remit.adapters.store.relational.subject_keys import STATE
from remit.adapters.store.relational.tables import VERSION
from remit.adapters.store.sqlite import backup as sqlite
from remit.compose.build import log_origin
from remit.compose.keys import open_keys
from remit.compose.process import open_records
from remit.compose.secret_sources import fetch
from remit.compose.store import make_private
from remit.config import Config
from remit.core.errors import (
    Conflict,
    HeadMissing,
    KeyUnavailable,
    Malformed,
    StoreUnavailable,
    VerificationFailed,
)
from remit.core.evidence.backup_manifest import FORMAT, BackupLog, BackupManifest, digest_of, read_manifest
from remit.core.evidence.checkpoint import Checkpoint, VerifierKey, open_checkpoint, sign_checkpoint
from remit.core.evidence.event import EventKind
from remit.core.evidence.restore import UNSETTLED, KnownHead, Loss, RestoredLog, compared
from remit.core.identity.principals import Person, Role
from remit.core.keys.own_keys import KeyStanding
from remit.ports.evidence.log import Head
from remit.ports.keys import CheckpointKeys
from remit.services.people.restore import Restoration


class VerifiedBackup(NamedTuple):
    """A backup that holds: its manifest, and the digest that names it."""

    manifest: BackupManifest
    digest: str


class RestoreDone(NamedTuple):
    """The result of a restore: what is lost, and where the replaced store and head are kept."""

    log: RestoredLog
    store_aside: str
    head_aside: str


async def back_up(config: Config, place: Path, passphrase: str, advance: Advance) -> VerifiedBackup:
    """Write a backup to a new file, also while remit serves; only this user can read it.

    With a `passphrase`, remit's own keys are in it, sealed. Raises `Conflict` for a file that exists.
    """
    clock, entropy, origin = SystemClock(), SystemEntropy(), log_origin(config.tenant)
    folder = config.at(config.keys.path)
    if not has_keys(folder):
        raise KeyUnavailable(f"`{folder}` holds no keys of this remit", remediation="start remit once before")
    fresh = _fresh(place)
    async with AsyncExitStack() as stack:
        await fetch(config, clock, stack, config.store, config.keys)
        keys = await open_keys(config, clock, entropy, stack, origin)
        # In this order: another process commits before it signs.
        head = FileHeadKeeper(config.at(config.log_head.path)).read(origin)
        if head is not None:
            _check_signed(head, origin, map(VerifierKey.parse, keys.checkpoints.verifiers))
        stack.callback(lambda: fresh.unlink(missing_ok=True))
        try:
            opened = os.fdopen(
                os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb"
            )
            with opened:
                out = BackupWriter(opened)
                if passphrase:
                    out.keys(seal_folder(folder, passphrase, entropy))
                manifest = _written(
                    config, head, out, advance, keys=bool(passphrase), made=clock.now().isoformat()
                )
                data = manifest.encode()
                out.end(data, await _signed(manifest.checkpoint(), keys.checkpoints))
            os.link(fresh, place)
        except FileExistsError:
            raise Conflict(f"`{place}` exists already", remediation="name a new file") from None
        except OSError as fault:
            raise StoreUnavailable(
                f"`{place}` cannot be written: {fault.strerror}", remediation="name a place with enough space"
            ) from fault
    return VerifiedBackup(manifest, digest_of(data))


def _fresh(place: Path) -> Path:
    """Return where a backup is written before it gets its name; raises `Conflict` if that is taken."""
    if place.exists() or place.is_symlink():
        raise Conflict(f"`{place}` exists already", remediation="name a new file")
    return place.with_name(f".{place.name}.{os.getpid()}")


def _written(
    config: Config, head: Head | None, out: BackupWriter, advance: Advance, *, keys: bool, made: str
) -> BackupManifest:
    signed = head.size if head else 0
    if config.store.url is not None:
        schema, copied = postgres.copy_store(config.store.url.resolve(), config.tenant, signed, out, advance)
    else:
        schema, copied = sqlite.copy_store(config.at(config.store.path), config.tenant, signed, out, advance)
    size = copied.tree.size
    if size and head is None:
        raise HeadMissing(config.tenant, size)
    if head is not None and copied.signed_root != head.root:
        raise VerificationFailed(
            f"the log in the store is not the one that was signed at {head.size} events",
            code="log-rolled-back",
            remediation="run `remit doctor`: remit would not start on this store",
        )
    return BackupManifest(
        format=FORMAT,
        remit=__version__,
        schema=schema,
        store=config.store.kind,
        tenant=config.tenant,
        origin=log_origin(config.tenant),
        made=made,
        log=BackupLog(size=size, root=copied.tree.root().hex(), signed_size=signed),
        tables=copied.tables,
        content_bytes=out.size_bytes,
        content_sha256=out.sha256,
        sealing=copied.sealing,
        keys=keys,
    )


def rows_in(config: Config) -> int:
    """Return how many events the store holds, for a progress bar; 0 where that cannot be read now."""
    try:
        if config.store.url is not None:
            return postgres.events_in(config.store.url.resolve(), config.tenant)
        return sqlite.events_in(config.at(config.store.path), config.tenant)
    except (StoreUnavailable, KeyUnavailable):
        return 0


async def verify_backup(
    config: Config, place: Path, advance: Advance, *, key: str = "", passphrase: str = ""
) -> VerifiedBackup:
    """Read a backup whole; raises `VerificationFailed` with the reason for which it would be refused."""
    async with _trusted(config, place, key, passphrase) as (reader, manifest, _, _):
        copy_in(reader, manifest, _Noted().take, advance)
        return VerifiedBackup(manifest, digest_of(reader.manifest))


@asynccontextmanager
async def _trusted(
    config: Config, place: Path, key: str, passphrase: str
) -> AsyncIterator[tuple[BackupReader, BackupManifest, dict[str, bytes], list[VerifierKey]]]:
    """Open a backup that a trusted key has signed; yield it, its manifest, the key files in it, and all
    keys that the log ever had.

    Trusted are those of this remit. Where it has none, those in the backup itself are, because the passphrase
    authenticates them. A given key must be an earlier one of these; a remit without keys only verifies by it.
    """
    origin, folder = log_origin(config.tenant), config.at(config.keys.path)
    try:
        reader = BackupReader(place)
    except OSError as fault:
        raise StoreUnavailable(
            f"`{place}` cannot be read: {fault.strerror}", remediation="give the file of a backup"
        ) from None
    async with AsyncExitStack() as stack:
        stack.callback(reader.close)
        files: dict[str, bytes] = {}
        if not has_keys(folder) and passphrase and (blob := reader.sealed_keys()):
            files = open_folder(blob, passphrase)
        own: CheckpointKeys | None = None
        if has_keys(folder):
            await fetch(config, SystemClock(), stack, config.keys)
            own = (await open_keys(config, SystemClock(), SystemEntropy(), stack, origin)).checkpoints
        elif files:
            aside = stack.enter_context(tempfile.TemporaryDirectory(prefix="remit-"))
            own = _keys_of(files, origin, Path(aside))
        if own is not None and key:
            _check_held(key, own)
        if key:
            keys = [VerifierKey.parse(key)]
        elif own is not None:
            # Of a key that was replaced at once, because it may be stolen, nothing counts without a word.
            living = (one.id for one in own.held() if one.standing is not KeyStanding.RETIRED)
            keys = [VerifierKey.parse(one) for one in living]
        else:
            raise KeyUnavailable(
                "this remit has no keys, so no backup can be verified",
                code="keys-missing",
                remediation=f"put its keys into `{folder}`, give `--passphrase-file` for a backup with keys, "
                "or, to verify only, the log's public key with `--key`",
            )
        ever = [VerifierKey.parse(one) for one in own.verifiers] if own is not None else keys
        yield reader, read_manifest(reader.manifest, reader.note, origin, keys), files, ever


def _check_held(key: str, own: CheckpointKeys) -> None:
    """Refuse a key that never was a key of this log: the backup's people would be another remit's."""
    if key not in {one.id for one in own.held()}:
        raise VerificationFailed(
            "the given key was never a key of this log",
            code="backup-foreign",
            remediation="see `remit key list` for its earlier keys",
        )


def _keys_of(files: dict[str, bytes], origin: str, folder: Path) -> CheckpointKeys:
    """Return the log's keys among key files; `folder` holds them meanwhile."""
    put_files(folder / "keys", files)
    return FileCheckpointKeys(folder / "keys", origin, SystemClock())


class _Noted:
    """What is noted of a backup's rows while it is verified."""

    def __init__(self) -> None:
        self.subject_keys: set[str] = set()
        self.forgotten: set[str] = set()
        self.administrators: set[str] = set()

    def take(self, name: str, columns: tuple[str, ...], rows: list[list[Any]]) -> None:
        if name == "subject_keys":
            # The key of the rows of state is no subject's, and is always restored.
            subject = columns.index("subject")
            self.subject_keys.update(str(row[columns.index("id")]) for row in rows if row[subject] != STATE)
        elif name == "events":
            kind, leaf = columns.index("kind"), columns.index("leaf")
            said = (row[leaf] for row in rows if row[kind] == EventKind.SUBJECT_FORGOTTEN)
            self.forgotten.update(forgotten_keys(said))
        elif name == "people":
            people = (msgspec.json.decode(row[columns.index("body")], type=Person) for row in rows)
            self.administrators |= {
                one.name for one in people if one.active and Role.ADMINISTRATOR in one.roles
            }


async def restore(
    config: Config,
    place: Path,
    advance: Advance,
    *,
    key: str = "",
    passphrase: str = "",
    accept_loss: bool = False,
) -> RestoreDone:
    """Put a backup in the place of the store, or where there is none, and end what it holds open.

    Raises `VerificationFailed` for a backup that does not hold (see `core.evidence.backup_manifest`), and
    with code `restore-loses-events` unless the loss is accepted.
    """
    clock, origin = SystemClock(), log_origin(config.tenant)
    heads = FileHeadKeeper(config.at(config.log_head.path))
    stamp = clock.now().strftime("%Y%m%d_%H%M%S_%f")
    async with _trusted(config, place, key, passphrase) as (reader, manifest, files, keys):
        _check_fits(config, manifest)
        if not files and not has_keys(config.at(config.keys.path)):
            raise KeyUnavailable(
                "this remit has no keys, and takes none from the backup",
                code="keys-missing",
                remediation=f"put its keys into `{config.at(config.keys.path)}`, or give `--passphrase-file`",
            )
        async with AsyncExitStack() as stack:
            await fetch(config, clock, stack, config.store)
            # Before anything is said about a loss: what a running remit writes is not lost yet.
            _check_unused(config)
            present = _present(config, present_log)
            known = _known(heads, origin, keys, present)
            noted = _Noted()
            # Step 1.
            found = copy_in(reader, manifest, noted.take, advance, [one.size for one in known])
            # Step 2.
            done = _compared(manifest, digest_of(reader.manifest), known, found.roots)
            newer = Newer()
            if present is not None:
                held, forgotten = frozenset(noted.subject_keys), present.forgotten
                newer = _present(config, taken_away, manifest.log, held, forgotten) or Newer(forgotten)
                left = sorted(newer.forgotten - noted.forgotten)
                done = msgspec.structs.replace(done, forgotten=tuple(left))
            still = [one for one in noted.administrators if _is_administrator(newer.people.get(one))]
            _check_loss(config, done, len(still), accepted=accept_loss)
            # Step 3.
            if files:
                put_files(config.at(config.keys.path), files)
            restricted = Restricted(newer)
            store_aside = _replaced(config, reader, manifest, restricted, done, stamp, advance)
    # Step 4.
    with tempfile.TemporaryDirectory(prefix="remit-") as name:
        head = await _settled(config, Path(name), restricted)
    # Step 5.
    head_aside = heads.set_back(origin, head, stamp)
    return RestoreDone(done, store_aside, str(head_aside or ""))


def _check_fits(config: Config, manifest: BackupManifest) -> None:
    if manifest.tenant != config.tenant:
        raise VerificationFailed(f"the backup is of tenant `{manifest.tenant}`", code="backup-foreign")
    if manifest.store != config.store.kind and manifest.schema != VERSION:
        raise VerificationFailed(
            f"the backup is of an older version, from {manifest.store}; this remit keeps its state in "
            f"{config.store.kind}",
            code="backup-older",
            remediation=f"restore it with `store.kind: {manifest.store}`, start remit, and back up again",
        )


def _check_unused(config: Config) -> None:
    if config.store.url is not None:
        postgres.check_unused(config.store.url.resolve())
    else:
        sqlite.check_unused(config.at(config.store.path))


def _present(config: Config, read: Any, *more: Any) -> Any:
    """Read from the store that is to be replaced; `None` if there is none, or it is damaged."""
    if config.store.url is not None:
        return postgres.present_at(config.store.url.resolve(), read, config.tenant, *more)
    return sqlite.present_at(config.at(config.store.path), read, config.tenant, *more)


def _known(
    heads: FileHeadKeeper, origin: str, keys: list[VerifierKey], present: PresentLog | None
) -> list[KnownHead]:
    """Return the heads of the log that are known here."""
    found = []
    # A damaged or forged head tells nothing.
    with contextlib.suppress(StoreUnavailable, VerificationFailed):
        if (head := heads.read(origin)) is not None:
            _check_signed(head, origin, keys)
            found.append(
                KnownHead(place="the head file", size=head.size, root=head.root.hex(), note=head.note)
            )
    if present is not None and present.size:
        found.append(KnownHead(place="the present store", size=present.size, root=present.root.hex()))
        found += [
            KnownHead(
                place="a restore that is not accepted",
                size=before.lost_size,
                root=before.lost_root,
                note=before.lost_note,
            )
            for before in present.restored
            if before.lost_size
        ]
    return found


def _compared(
    manifest: BackupManifest, digest: str, known: list[KnownHead], roots: Mapping[int, bytes]
) -> RestoredLog:
    loss, lost = compared(known, {size: root.hex() for size, root in roots.items()}, manifest.log.size)
    return RestoredLog(
        backup=digest,
        made=manifest.made,
        size=manifest.log.size,
        root=manifest.log.root,
        loss=loss,
        lost_size=lost.size if lost else 0,
        lost_root=lost.root if lost else "",
        lost_note=lost.note if lost else "",
    )


def _is_administrator(present: PresentPerson | None) -> bool:
    """Return whether the present store, which takes away, lets a backup's administrator be one."""
    return present is None or (present.active and Role.ADMINISTRATOR in present.roles)


def _check_loss(config: Config, done: RestoredLog, administrators: int, *, accepted: bool) -> None:
    if done.loss is Loss.NONE:
        return
    if config.people.second_person and administrators < 2:
        raise VerificationFailed(
            f"{administrators} of the backup's administrators still are that, and two must accept the "
            "loss of events",
            code="second-person",
            remediation="use another backup, set `people.second_person: false`, or move the present store "
            "away if it took away wrongly",
        )
    if not administrators:
        raise VerificationFailed(
            "none of the backup's administrators still is one, and one must accept the loss of events",
            code="no-administrator",
            remediation="use another backup, or move the present store away if it took away wrongly",
        )
    if accepted:
        return
    accept = "its administrator accepts" if administrators == 1 else "two administrators accept"
    if done.loss is Loss.KNOWN:
        says = (
            f"the backup has {done.size} events, and the log had at least {done.lost_size} or other ones: "
            "what came after the backup would be lost"
        )
    else:
        says = (
            f"no later head of the log is known here: what came after these {done.size} events would be lost"
        )
    raise VerificationFailed(
        says,
        code="restore-loses-events",
        remediation="use the newest backup; or repeat with `--accept-loss`: everything is then locked until "
        f"{accept} the loss with `remit unlock everything`",
    )


def _replaced(
    config: Config,
    reader: BackupReader,
    manifest: BackupManifest,
    restricted: Restricted,
    done: RestoredLog,
    stamp: str,
    advance: Advance,
) -> str:
    """Take step 3; return where the present store is kept."""
    if config.store.url is not None:
        restoring: Any = postgres.PostgresRestoring(config.store.url.resolve(), manifest.schema)
    else:
        path = config.at(config.store.path)
        make_private(path.parent)
        restoring = sqlite.SqliteRestoring(path, manifest.schema)
    with contextlib.closing(restoring):
        copy_in(reader, manifest, restoring.take, advance, restricted=restricted)
        restricted.put_fences(config.tenant, restoring.take)
        unsettled = msgspec.json.encode(done).decode()
        return str(restoring.install(config.tenant, {UNSETTLED: unsettled}, stamp) or "")


async def _settled(config: Config, heads: Path, restricted: Restricted) -> Head:
    """Take step 4 with a separate head, and return the signed head.

    The log says which rows the restore has changed. All others must be as the backup's log says.
    """
    apart = msgspec.structs.replace(
        config, log_head=msgspec.structs.replace(config.log_head, path=str(heads))
    )
    async with open_records(apart, own_policies=True, restored=restricted.changed) as services:
        await Restoration(
            store=services.store,
            clock=services.clock,
            revocations=services.endings.revocations,
            directory=services.identity.directory,
            delegations=services.people.delegations,
            tenant=services.tenant,
        ).settle()
    head = FileHeadKeeper(heads).read(log_origin(config.tenant))
    assert head is not None
    return head


def _check_signed(head: Head, origin: str, keys: Iterable[VerifierKey]) -> None:
    wanted = Checkpoint(origin, head.size, head.root)
    for one in keys:
        with contextlib.suppress(VerificationFailed, Malformed):
            if open_checkpoint(head.note.encode(), one, origin=origin).checkpoint == wanted:
                return
    raise VerificationFailed(
        f"the stored head of log `{origin}` is not signed by a key of this log",
        code="head-forged",
        remediation="find out how the head's file was changed",
    )


async def _signed(checkpoint: Checkpoint, keys: CheckpointKeys) -> bytes:
    first, *others = [
        sign_checkpoint(checkpoint, VerifierKey.parse(verifier), lambda _, made=signature: made)  # type: ignore[misc]
        for verifier, signature in await keys.sign_note(checkpoint.body())
    ]
    for other in others:
        first = first.with_signature(other.signatures[0])
    return first.encode()
