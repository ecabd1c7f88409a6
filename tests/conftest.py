# SPDX-License-Identifier: Apache-2.0
"""What every test shares: how hypothesis looks for counterexamples, and the servers."""

import os
import signal

from hypothesis import HealthCheck, settings

from tests.bao_server import bao
from tests.nats_server import nats
from tests.postgres_server import own_postgres, postgres, postgres_server

__all__ = ["bao", "nats", "own_postgres", "postgres", "postgres_server"]

# No deadline: a slow machine is not a wrong program.
settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("deep", parent=settings.get_profile("dev"), max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))

# Started in the background, a shell's children ignore SIGINT and hand that on to what tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
