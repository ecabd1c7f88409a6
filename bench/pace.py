# SPDX-License-Identifier: Apache-2.0
"""How fast this machine is, beside the one on which the goals were set.

Of that machine it is known what some parts of others took there. Each says something else: a signature is
native code in a loop, a token that is verified is Python around that, and the plain proxy is a great deal of
Python that runs once for each call. They do not agree, so no figure is reckoned over to it: goals are
judged by what was measured here, and these lines say what the two machines have to do with each other.
"""

import time
from collections.abc import Callable, Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey

from bench.figure import Figure

SLOWER = "this machine, to the one of the goals"
PROXY = "fastmcp: CPU per call"
THERE_US = {"signature": 1e6 / 13_392, "token": 1e6 / 9_324, "proxy": 1e6 / 80}
"""Microseconds of one CPU on the machine of the goals: an ES256 signature verified by `cryptography`, an
ES256 token by `joserfc`, and one call of the plain MCP proxy, which keeps one CPU busy."""

TIMES = 2_000
ROUNDS = 5


def pace(figures: Mapping[str, Figure]) -> list[Figure]:
    """Return how many times longer what is known takes here; the proxy only where it was measured."""
    here_us = {"signature": signature_us(), "token": token_us()}
    how = {
        "signature": f"an ES256 signature verified {TIMES} times; the best of {ROUNDS} rounds",
        "token": f"an ES256 token verified {TIMES} times; the best of {ROUNDS} rounds",
        "proxy": f"`{PROXY}` in this run",
    }
    if PROXY in figures:
        here_us["proxy"] = figures[PROXY].value
    what = {"signature": "verifying a signature", "token": "verifying a token", "proxy": "the plain proxy"}
    return [
        Figure(
            name=f"{SLOWER}: {what[kind]} takes",
            value=us / THERE_US[kind],
            unit="times as long",
            how=f"{how[kind]}: {us:,.0f} us here, {THERE_US[kind]:,.0f} us there",
        )
        for kind, us in here_us.items()
    ]


def signature_us() -> float:
    """CPU time of one check of an ES256 signature, by the library under all others."""
    private = ec.generate_private_key(ec.SECP256R1())
    message, algorithm = b"the quick brown fox", ec.ECDSA(hashes.SHA256())
    signature, public = private.sign(message, algorithm), private.public_key()
    return best_us(lambda: public.verify(signature, message, algorithm))


def token_us() -> float:
    """CPU time of one check of an ES256 token, its claims not looked at."""
    key = ECKey.generate_key("P-256")
    token = jwt.encode({"alg": "ES256"}, {"sub": "bench", "aud": "bench"}, key)
    return best_us(lambda: jwt.decode(token, key, algorithms=["ES256"]))


def best_us(work: Callable[[], object]) -> float:
    """Return the CPU time of one `work` in the best of some rounds, in microseconds."""
    times = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(TIMES):
            work()
        times.append(time.process_time() - started)
    return min(times) / TIMES * 1e6
