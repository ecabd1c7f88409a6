# SPDX-License-Identifier: Apache-2.0
"""The endpoints of stream management."""

from __future__ import annotations

from typing import Any

from remit.api.rest.route import of_standard
from remit.api.ssf import messages as forms
from remit.api.ssf import paths
from remit.api.ssf import streams as management

ENDPOINTS = (
    of_standard(
        "POST",
        paths.STREAMS_PATH,
        "Begin the stream by which a receiver is told of events",
        management.create,
        takes=forms.StreamForm,
        gives=forms.StreamAnswer,
        status=201,
    ),
    of_standard(
        "GET",
        paths.STREAMS_PATH,
        "Show a stream, or list one's own",
        management.shown,
        asks=forms.StreamQuery,
        gives=forms.StreamAnswer | tuple[forms.StreamAnswer, ...],
    ),
    of_standard(
        "PATCH",
        paths.STREAMS_PATH,
        "Change what is given of a stream",
        management.update,
        takes=forms.StreamForm,
        gives=forms.StreamAnswer,
    ),
    of_standard(
        "PUT",
        paths.STREAMS_PATH,
        "Change a stream to what is given",
        management.replace,
        takes=forms.StreamForm,
        gives=forms.StreamAnswer,
    ),
    of_standard(
        "DELETE", paths.STREAMS_PATH, "Delete a stream", management.delete, asks=forms.StreamQuery, status=204
    ),
    of_standard(
        "GET",
        paths.STATUS_PATH,
        "Say where a stream stands",
        management.status,
        asks=forms.StreamQuery,
        gives=forms.StatusAnswer,
    ),
    of_standard(
        "POST",
        paths.STATUS_PATH,
        "Enable, pause or disable a stream",
        management.set_status,
        takes=forms.StatusForm,
        gives=forms.StatusAnswer,
    ),
    of_standard(
        "POST",
        paths.ADD_PATH,
        "Put a subject back into a stream",
        management.add,
        takes=forms.StreamSubjectForm,
        gives=dict[str, Any],
    ),
    of_standard(
        "POST",
        paths.REMOVE_PATH,
        "Take a subject out of a stream",
        management.remove,
        takes=forms.StreamSubjectForm,
        status=204,
    ),
    of_standard(
        "POST",
        paths.VERIFY_PATH,
        "Ask for a verification event",
        management.verify,
        takes=forms.VerifyForm,
        status=204,
    ),
    of_standard(
        "POST",
        paths.POLL_PATH,
        "Acknowledge events, and get those that wait (RFC 8936)",
        management.poll,
        takes=forms.PollForm,
        gives=forms.PollAnswer,
    ),
)
