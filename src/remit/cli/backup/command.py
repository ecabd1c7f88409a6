# SPDX-License-Identifier: Apache-2.0
"""`remit backup` and `remit restore`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from remit.cli.exit_codes import UsageFault
from remit.cli.global_options import current
from remit.cli.output import terminal
from remit.cli.parser import Switch, noun, verb
from remit.cli.private_files import read_private

if TYPE_CHECKING:
    from remit.core.evidence.backup_manifest import BackupManifest

app = noun("backup", "Back up store, evidence and log head together, and verify a backup.")
restore_app = verb("restore")


@app.default
def backup(file: Path, /, *, passphrase_file: Path | None = None, without_keys: Switch = False) -> None:
    """Write a backup to a new file that only you can read; remit may serve meanwhile.

    It contains the state and all evidence of one moment, signed by the log's key. It contains no sessions and
    no secrets of upstreams. Decide about remit's own keys: sealed under a passphrase, or not in it. Keys in
    OpenBao stay there. For example, `remit backup monday.remit --without-keys`.

    Parameters
    ----------
    file
        The new file.
    passphrase_file
        A private file with a passphrase of at least 16 characters, which seals remit's keys in the backup.
    without_keys
        The keys are not in the backup; keep a copy of their folder elsewhere. Without them it opens nothing.
    """
    from remit.cli.evidence.export import progress
    from remit.compose.backup.backup import back_up, rows_in

    config = current().load_config()
    if without_keys == (passphrase_file is not None) and (without_keys or config.keys.kind == "file"):
        raise UsageFault(
            "are remit's own keys to be in the backup?",
            remediation="give `--passphrase-file FILE` to seal them under a passphrase, or `--without-keys`",
        )
    with progress("backing up", rows_in(config)) as advance:
        made = asyncio.run(back_up(config, file, _passphrase(passphrase_file), advance))
    _tell(file, made.manifest, made.digest, "backed up")


@app.command(name="verify")
def verify(file: Path, /, *, key: str = "", passphrase_file: Path | None = None) -> None:
    """Read a backup whole, and check signature, digest, and that its events have the signed root.

    Changes nothing. For example, verify each backup where it is kept.

    Parameters
    ----------
    file
        The backup.
    key
        The log's public key, where remit has no keys, or has replaced that key since.
    passphrase_file
        A file with the passphrase, where remit has no keys and those in the backup are to be used.
    """
    from remit.cli.evidence.export import progress
    from remit.compose.backup.backup import verify_backup

    with progress("verifying", 0) as advance:
        held = asyncio.run(
            verify_backup(
                current().load_config(), file, advance, key=key, passphrase=_passphrase(passphrase_file)
            )
        )
    _tell(file, held.manifest, held.digest, "verified")


@restore_app.default
def restore(
    file: Path, /, *, accept_loss: Switch = False, key: str = "", passphrase_file: Path | None = None
) -> None:
    """Put a backup in the place of the store, while remit is stopped. What was there is kept beside it.

    Everything that was open in the backup is ended: tasks, leases, permits, approvals, sessions. A backup
    that lacks events of the log needs `--accept-loss`. Then agents are suspended, delegations revoked, and
    everything is locked until two administrators accept the loss, or the only one, with `remit unlock
    everything`. The evidence records how much is lost. For example, `remit stop`, `remit restore
    monday.remit`, `remit up`.

    Parameters
    ----------
    file
        The backup.
    accept_loss
        Restore although events will be missing.
    key
        The log's public key, if remit has replaced that key since.
    passphrase_file
        A file with the passphrase of the keys in the backup, where remit has none.
    """
    from remit.cli.evidence.export import progress
    from remit.compose.backup.backup import restore as restored

    config = current().load_config()
    with progress("restoring", 0) as advance:
        done = asyncio.run(
            restored(
                config,
                file,
                advance,
                key=key,
                passphrase=_passphrase(passphrase_file),
                accept_loss=accept_loss,
            )
        )
    log = done.log
    if terminal.is_json():
        terminal.answer(
            {
                "backup": log.backup,
                "made": log.made,
                "events": log.size,
                "loss": log.loss.value,
                "lost_size": log.lost_size,
                "store_aside": done.store_aside,
                "head_aside": done.head_aside,
            }
        )
        return
    terminal.say(terminal.text("restored", "bold green"), f": {log.size} events, as of {log.made}")
    rows = [
        ("kept", done.store_aside),
        ("its head", done.head_aside),
        ("ended", "everything that was open; everyone signs in again"),
    ]
    if log.loss.value != "none":
        lost = f"the log had {log.lost_size} events" if log.lost_size else "how much is not known"
        rows += [
            ("lost", lost),
            (
                "locked",
                "everything, until administrators accept the loss: `remit unlock everything`, each of two",
            ),
            ("agents", "suspended; `remit agent activate NAME` after a review"),
            ("before that", "repeat what was revoked or forgotten since: people, passkeys, erasures"),
            ("sign in", "by passkey or provider, or with `remit up --code-for NAME`"),
        ]
    terminal.picture(terminal.facts([one for one in rows if one[1]]))


def _passphrase(place: Path | None) -> str:
    if place is None:
        return ""
    try:
        return read_private(place).decode("utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise UsageFault(
            f"`{place}` cannot be read as text", remediation="give a file with one line"
        ) from None


def _tell(place: Path, manifest: BackupManifest, digest: str, what: str) -> None:
    if terminal.is_json():
        terminal.answer(
            {
                "file": str(place),
                "digest": digest,
                "made": manifest.made,
                "remit": manifest.remit,
                "schema": manifest.schema,
                "store": manifest.store,
                "tenant": manifest.tenant,
                "events": manifest.log.size,
                "root": manifest.log.root,
                "bytes": place.stat().st_size,
                "keys": manifest.keys,
                "sealing": manifest.sealing,
            }
        )
        return
    terminal.say(terminal.text(what, "bold green"), f": {place}")
    terminal.picture(
        terminal.facts(
            [
                ("of", f"{manifest.origin}, {manifest.made}, remit {manifest.remit}, from {manifest.store}"),
                ("events", str(manifest.log.size)),
                ("root", manifest.log.root),
                ("size", f"{place.stat().st_size / 2**20:.1f} MiB"),
                ("keys", "sealed under the passphrase" if manifest.keys else "not in it"),
                ("digest", digest),
            ]
        )
    )
