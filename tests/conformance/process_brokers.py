# SPDX-License-Identifier: Apache-2.0
"""Programs of one task, as the conformance suite of brokers has them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from remit.adapters.runtime.system import SystemEntropy
from remit.adapters.upstream.bounds import BufferBound
from remit.adapters.upstream.mcp.stdio import McpStdio
from remit.adapters.upstream.mcp.task_processes import ProcessBroker, TaskProcesses
from remit.adapters.upstream.processes.marks import marked
from remit.ports.broker import Broker, UpstreamCredential
from tests.gateways.task_program_gateway import PROGRAM


class AtProcesses:
    """Programs of one task. What they hold is another broker's, and no source of theirs could be away."""

    def __init__(self) -> None:
        self._made: list[TaskProcesses] = []

    async def broker(self) -> Broker:
        """Return one that knows of no process yet."""
        entropy, bound = SystemEntropy(), BufferBound(1 << 20)

        def make(env: Mapping[str, str], _: tuple[str, ...] = ()) -> McpStdio:
            # Never started again by a former one, which in a restart that is not played would be gone.
            return McpStdio(
                "crm",
                PROGRAM,
                entropy=entropy,
                bound=bound,
                env=env,
                grace_s=0.1,
                patience_s=0,
                lease_s=30,
                restart_base_s=600.0,
                restart_max_s=600.0,
            )

        self._made.append(TaskProcesses("crm", make({}), make, limit=8))
        return ProcessBroker(self._made[-1])

    async def opens(self, credential: UpstreamCredential) -> bool:
        """Look for what runs."""
        return bool(marked(credential.lease))

    def cut(self) -> None:
        """Nothing can be."""
        pytest.skip("a process has no source that could be away")

    def mend(self) -> None:
        """Nothing was cut."""

    async def close(self) -> None:
        """End what runs."""
        for one in self._made:
            await one.stop()
