# SPDX-License-Identifier: Apache-2.0
"""Paths of the AuthZEN endpoints."""

from __future__ import annotations

from typing import Final

METADATA_PATH: Final = "/.well-known/authzen-configuration"
EVALUATION_PATH: Final = "/access/v1/evaluation"
EVALUATIONS_PATH: Final = "/access/v1/evaluations"
SUBJECTS_PATH: Final = "/access/v1/search/subject"
RESOURCES_PATH: Final = "/access/v1/search/resource"
ACTIONS_PATH: Final = "/access/v1/search/action"
#: An extension of remit to the standard: the result of a permitted call.
RESULT_PATH: Final = "/access/v1/result"
