# SPDX-License-Identifier: Apache-2.0
"""Whether remit runs on this machine and as this user, by whichever address of this machine it is called."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from remit.cli.host.isolation import isolation

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells who listens on Linux alone")


def listening(family: socket.AddressFamily, address: str) -> tuple[socket.socket, int]:
    """Listen at an address, as this user."""
    made = socket.socket(family, socket.SOCK_STREAM)
    made.bind((address, 0))
    made.listen()
    return made, made.getsockname()[1]


@pytest.fixture
def everywhere() -> Iterator[int]:
    """The port of a server that listens at every address of this machine."""
    made, port = listening(socket.AF_INET6, "::")
    with made:
        yield port


def own_addresses() -> list[str]:
    """Return every name that this machine has for itself."""
    found = [
        "127.0.0.1",
        "127.0.0.2",
        "127.255.255.254",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
    ]
    shown = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout.split()
    return found + [f"[{one}]" if ":" in one else one for one in shown if not one.startswith("fe80")]


def test_this_machine_is_this_machine_under_every_address(everywhere: int) -> None:
    """Loopback in all its forms, and the addresses of its network."""
    for address in own_addresses():
        assert isolation(f"http://{address}:{everywhere}")[0] == "none", address


def test_a_name_of_this_machine_is_this_machine(everywhere: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it resolves to: one address of this machine is enough."""
    real = socket.getaddrinfo
    answers = {"me.example": ("192.0.2.1", "127.0.0.3")}

    def resolve(host: str, *rest: object, **more: object) -> list[object]:
        return [
            one for each in answers.get(host, (host,)) for one in real(each, None, type=socket.SOCK_STREAM)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert isolation(f"https://me.example:{everywhere}")[0] == "none"


def test_another_machine_is_another_one() -> None:
    """An address that no machine here has is another machine's, also where the same port is taken here."""
    made, port = listening(socket.AF_INET, "127.0.0.1")
    with made:
        assert isolation(f"http://192.0.2.1:{port}")[0] == "host"
        assert isolation(f"http://[2001:db8::1]:{port}")[0] == "host"


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is become by root alone")
def test_whoever_listens_at_that_very_address_counts() -> None:
    """This user's server at another address, with the same port, is not the one that is asked."""
    made, port = listening(socket.AF_INET, "127.0.0.1")
    code = (
        "import socket, sys; one = socket.socket(); one.bind(('127.0.0.2', int(sys.argv[1]))); one.listen();"
        "print('ready', flush=True); sys.stdin.read()"
    )
    with (
        made,
        subprocess.Popen(
            ["/usr/bin/python3", "-I", "-c", code, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            user=65_534,
            cwd="/",
        ) as other,
    ):
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == b"ready\n"
        assert isolation(f"http://127.0.0.1:{port}")[0] == "none"
        assert isolation(f"http://127.0.0.2:{port}")[0] == "user"
        other.stdin.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is become by root alone")
def test_whoever_listens_at_all_of_the_other_family_takes_nothing_over() -> None:
    """A stranger's server at every address of IPv6 is not the one that is asked at an address of IPv4."""
    made, port = listening(socket.AF_INET, "0.0.0.0")
    code = (
        "import socket, sys; one = socket.socket(socket.AF_INET6);"
        "one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1);"
        "one.bind(('::', int(sys.argv[1]))); one.listen(); print('ready', flush=True); sys.stdin.read()"
    )
    with (
        made,
        subprocess.Popen(
            ["/usr/bin/python3", "-I", "-c", code, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            user=65_534,
            cwd="/",
        ) as other,
    ):
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == b"ready\n"
        assert isolation(f"http://127.0.0.1:{port}")[0] == "none"
        assert isolation(f"http://[::1]:{port}")[0] == "user"
        other.stdin.close()
