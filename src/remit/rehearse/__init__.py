# SPDX-License-Identifier: Apache-2.0
"""Rehearsal: the services of the gateway in process, without server and upstreams.

For tests of policies, simulations and benchmarks. A stable interface: see `docs/reference/rehearsal.md`.
"""

from remit.rehearse.call import RehearsedCall
from remit.rehearse.rehearsal import Rehearsal, RehearsedTask

__all__ = ["Rehearsal", "RehearsedCall", "RehearsedTask"]
