# SPDX-License-Identifier: Apache-2.0
"""The messages of the Workload API (SPIFFE Workload API, appendix A)."""

from __future__ import annotations

from typing import Final

from google.protobuf import struct_pb2

from remit.core.protobuf_messages import BYTES, STRING, Tables, described

_MESSAGES: Tables = {
    "X509SVIDRequest": (),
    "X509SVIDResponse": (("*svids", 1, "X509SVID"), ("*crl", 2, BYTES), ("federated_bundles{}", 3, BYTES)),
    "X509SVID": (
        ("spiffe_id", 1, STRING),
        ("x509_svid", 2, BYTES),
        ("x509_svid_key", 3, BYTES),
        ("bundle", 4, BYTES),
        ("hint", 5, STRING),
    ),
    "X509BundlesRequest": (),
    "X509BundlesResponse": (("*crl", 1, BYTES), ("bundles{}", 2, BYTES)),
    "JWTSVIDRequest": (("*audience", 1, STRING), ("spiffe_id", 2, STRING)),
    "JWTSVIDResponse": (("*svids", 1, "JWTSVID"),),
    "JWTSVID": (("spiffe_id", 1, STRING), ("svid", 2, STRING), ("hint", 3, STRING)),
    "JWTBundlesRequest": (),
    "JWTBundlesResponse": (("bundles{}", 1, BYTES),),
    "ValidateJWTSVIDRequest": (("audience", 1, STRING), ("svid", 2, STRING)),
    "ValidateJWTSVIDResponse": (("spiffe_id", 1, STRING), ("claims", 2, "google.protobuf.Struct")),
}

SERVICE: Final = "SpiffeWorkloadAPI"

#: Returns the class of a message.
message = described("workload", _MESSAGES, struct_pb2.DESCRIPTOR)
