# SPDX-License-Identifier: Apache-2.0
"""Where AuthZEN's endpoints are."""

from __future__ import annotations

from typing import Final

METADATA_PATH: Final = "/.well-known/authzen-configuration"
EVALUATION_PATH: Final = "/access/v1/evaluation"
EVALUATIONS_PATH: Final = "/access/v1/evaluations"
SUBJECTS_PATH: Final = "/access/v1/search/subject"
RESOURCES_PATH: Final = "/access/v1/search/resource"
ACTIONS_PATH: Final = "/access/v1/search/action"
REQUESTS_PATH: Final = "/access/v1/requests"
#: Our own, beside the standard: how a permitted call ended.
RESULT_PATH: Final = "/access/v1/result"
