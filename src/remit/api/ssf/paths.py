# SPDX-License-Identifier: Apache-2.0
"""Paths of the endpoints of shared signals."""

from __future__ import annotations

from typing import Final

METADATA_PATH: Final = "/.well-known/ssf-configuration"
PUSH_PATH: Final = "/ssf/push/{transmitter}"
STREAMS_PATH: Final = "/ssf/streams"
STATUS_PATH: Final = "/ssf/status"
ADD_PATH: Final = "/ssf/subjects:add"
REMOVE_PATH: Final = "/ssf/subjects:remove"
VERIFY_PATH: Final = "/ssf/verify"
POLL_PATH: Final = "/ssf/poll/{stream}"
