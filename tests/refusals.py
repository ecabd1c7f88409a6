# SPDX-License-Identifier: Apache-2.0
"""What a test says of a refusal: of which kind it is, and by which code."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from remit.core.errors import RemitError


@contextmanager
def refused(code: str, kind: type[RemitError] = RemitError) -> Iterator[pytest.ExceptionInfo[RemitError]]:
    """Expect a refusal with this very code."""
    with pytest.raises(kind) as caught:
        yield caught
    assert caught.value.code == code, f"refused by `{caught.value.code}`, not by `{code}`"
