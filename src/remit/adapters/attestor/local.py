# SPDX-License-Identifier: Apache-2.0
"""Attests local workloads, which the kernel identifies as the peer of a Unix socket (`ports.peers`)."""

from __future__ import annotations

import re

from remit.core.errors import Unauthenticated
from remit.core.identity.workload import AttestationMethod, Attested, local_workload
from remit.ports.attestor import Shown, ShownPeer

_DIGEST = re.compile(r"[0-9a-f]{64}")


class LocalAttestor:
    """`ports.attestor.Attestor` for peers of Unix sockets: user id and executable, graded `asserted`."""

    def judges(self, shown: Shown) -> bool:
        """Return whether the evidence is a peer of a Unix socket."""
        return isinstance(shown, ShownPeer)

    async def attest(self, shown: Shown) -> Attested:
        """Return the local workload; raise `Unauthenticated`."""
        if (
            not isinstance(shown, ShownPeer)
            or shown.uid < 0
            or not _DIGEST.fullmatch(shown.executable_digest)
        ):
            raise Unauthenticated("this is not a local process", code="not-attestable", step=1)
        return Attested(
            workload=local_workload(shown.uid, shown.executable_digest),
            method=AttestationMethod.UNIX_PEER,
            assurance=AttestationMethod.UNIX_PEER.assurance,
            facts={"uid": shown.uid, "executable_digest": shown.executable_digest},
            instance=str(shown.pid),
        )
