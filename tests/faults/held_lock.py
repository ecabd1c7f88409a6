# SPDX-License-Identifier: Apache-2.0
"""A lock on a file that another process has and does not let go of: it was stopped, or its disk is."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def held_elsewhere(file: Path) -> Iterator[None]:
    """Have the lock for as long as the block runs, as another process would."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
