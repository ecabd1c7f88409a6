# SPDX-License-Identifier: Apache-2.0
"""A SPIFFE Workload API over gRPC on a Unix socket, which serves the bundles that a test has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from cryptography.hazmat.primitives.serialization import Encoding
from spiffe._proto import workload_pb2, workload_pb2_grpc

from tests.worlds.attestation import WorldAuthority

MESSAGES: Any = workload_pb2
SERVICE: Any = workload_pb2_grpc


class BundleService:
    """The two methods that give bundles. Demands the metadata that the standard demands."""

    def __init__(self, authorities: Mapping[str, WorldAuthority]) -> None:
        self._authorities = authorities

    def FetchX509Bundles(self, _: Any, context: Any) -> Iterator[Any]:  # noqa: N802 - the wire's name
        """Yield the authorities of every trust domain."""
        self._demand(context)
        yield MESSAGES.X509BundlesResponse(
            bundles={
                f"spiffe://{name}": one.certificate.public_bytes(Encoding.DER)
                for name, one in self._authorities.items()
            }
        )

    def FetchJWTBundles(self, _: Any, context: Any) -> Iterator[Any]:  # noqa: N802 - the wire's name
        """Yield the keys of JWT-SVIDs of every trust domain."""
        self._demand(context)
        yield MESSAGES.JWTBundlesResponse(
            bundles={
                f"spiffe://{name}": json.dumps(one.jwt_issuer.jwks).encode()
                for name, one in self._authorities.items()
            }
        )

    def FetchX509SVID(self, _: Any, context: Any) -> Iterator[Any]:  # noqa: N802 - the wire's name
        """Refuse: no client is given an identity here."""
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "no identity issued")
        yield

    FetchJWTSVID = ValidateJWTSVID = FetchX509SVID

    def _demand(self, context: Any) -> None:
        if ("workload.spiffe.io", "true") not in context.invocation_metadata():
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "security header missing")


@contextmanager
def workload_api(authorities: Mapping[str, WorldAuthority], folder: Path) -> Iterator[str]:
    """Serve on a socket in `folder`, and give its address."""
    server = grpc.server(futures.ThreadPoolExecutor(4))
    SERVICE.add_SpiffeWorkloadAPIServicer_to_server(BundleService(authorities), server)
    address = f"unix://{folder}/api.sock"
    server.add_insecure_port(address)
    server.start()
    try:
        yield address
    finally:
        server.stop(None).wait()
