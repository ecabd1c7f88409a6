# SPDX-License-Identifier: Apache-2.0
"""The bundles that were in force, kept in the store by their digests.

A rollback needs no files: the bundle of an earlier version is taken from the store. The history itself, with
author and reason, is in the evidence; here is only what decides.
"""

from __future__ import annotations

from typing import Final

import msgspec

from remit.core.errors import NotFound
from remit.core.policy.bundle import Bundle, from_kept, kept_form
from remit.ports.store.changes import PutValue
from remit.ports.store.principals import PrincipalStore

#: The key of the bundle in force, and those of everything else that is kept of bundles.
APPLIED_KEY: Final = "bundle.applied"
KEPT_KEY: Final = "bundle.kept:"
VERSIONS_KEY: Final = "bundle.versions"
PROPOSED_KEY: Final = "bundle.proposed"
#: Bundles that are kept; older ones can be applied from their files only.
MAX_KEPT: Final = 100


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """The version in force.

    `held`: it did not come from the files of the process that applied it, so every replica takes it from the
    store, and a start with the files that it replaced does not undo it.
    """

    bundle: str = ""
    version: int = 0
    held: bool = False


class BundleProposal(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle that one administrator wants in force, instead of the bundle `instead_of`, for a reason.

    `back_to` is the earlier version that it is; 0 if it is new. `hands` are all people who may be behind the
    administrator, as they were then.
    """

    bundle: str
    instead_of: str
    by: str
    reason: str
    at: str
    back_to: int = 0
    hands: tuple[str, ...] = ()


class Versions:
    """The kept bundles of one tenant."""

    def __init__(self, *, store: PrincipalStore, tenant: str) -> None:
        """Take the store."""
        self._store = store
        self._tenant = tenant

    async def in_force(self) -> InForce:
        """Return the version applied last, by any process."""
        found = await self._store.value(self._tenant, APPLIED_KEY)
        return msgspec.convert(found, InForce) if found else InForce()

    async def bundle(self, digest: str) -> Bundle | None:
        """Return a kept bundle; None if it is not kept."""
        found = await self._store.value(self._tenant, f"{KEPT_KEY}{digest}")
        return from_kept(found) if found else None

    async def of(self, version: int) -> Bundle:
        """Return the bundle of a version; raise `NotFound` if it is not kept."""
        digest = next((one[1] for one in await self._list() if one[0] == version), "")
        bundle = await self.bundle(digest) if digest else None
        if bundle is None:
            raise NotFound(
                f"no bundle of version {version} is kept",
                remediation="see `remit policy history` for the kept ones; apply another from its files",
            )
        return bundle

    async def numbers(self) -> dict[int, str]:
        """Return the digests of the versions whose bundles are kept."""
        return dict(await self._list())

    def keep(self, bundle: Bundle) -> PutValue:
        """Return the change that keeps a bundle."""
        return PutValue(self._tenant, f"{KEPT_KEY}{bundle.digest}", kept_form(bundle))

    async def adding(self, version: int, bundle: Bundle) -> list[PutValue]:
        """Return the changes that keep the bundle of a new version, and drop those of the oldest ones."""
        listed = [one for one in await self._list() if one[0] != version]
        listed.append((version, bundle.digest))
        dropped, kept = listed[:-MAX_KEPT], listed[-MAX_KEPT:]
        gone = {digest for _, digest in dropped} - {digest for _, digest in kept}
        return [
            self.keep(bundle),
            PutValue(self._tenant, VERSIONS_KEY, {"versions": kept}),
            *(PutValue(self._tenant, f"{KEPT_KEY}{digest}", None) for digest in sorted(gone)),
        ]

    async def proposal(self) -> BundleProposal | None:
        """Return what waits for a second administrator."""
        found = await self._store.value(self._tenant, PROPOSED_KEY)
        return msgspec.convert(found, BundleProposal) if found else None

    def propose(self, proposal: BundleProposal | None) -> PutValue:
        """Return the change that stores a proposal, or removes it."""
        value = None if proposal is None else msgspec.to_builtins(proposal)
        return PutValue(self._tenant, PROPOSED_KEY, value)

    async def _list(self) -> list[tuple[int, str]]:
        found = await self._store.value(self._tenant, VERSIONS_KEY)
        return [(int(number), str(digest)) for number, digest in found["versions"]] if found else []
