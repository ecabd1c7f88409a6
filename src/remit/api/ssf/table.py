# SPDX-License-Identifier: Apache-2.0
"""The endpoints of stream management."""

from __future__ import annotations

from typing import Any

from remit.api.rest.route import of_standard
from remit.api.ssf import messages, paths, streams

ENDPOINTS = (
    of_standard(
        "POST",
        paths.STREAMS_PATH,
        "Create the stream that sends events to a receiver",
        streams.create,
        takes=messages.StreamForm,
        gives=messages.StreamAnswer,
        status=201,
    ),
    of_standard(
        "GET",
        paths.STREAMS_PATH,
        "Show a stream, or list one's own",
        streams.shown,
        asks=messages.StreamQuery,
        gives=messages.StreamAnswer | tuple[messages.StreamAnswer, ...],
    ),
    of_standard(
        "PATCH",
        paths.STREAMS_PATH,
        "Update the given properties of a stream",
        streams.update,
        takes=messages.StreamForm,
        gives=messages.StreamAnswer,
    ),
    of_standard(
        "PUT",
        paths.STREAMS_PATH,
        "Replace the properties of a stream",
        streams.replace,
        takes=messages.StreamForm,
        gives=messages.StreamAnswer,
    ),
    of_standard(
        "DELETE", paths.STREAMS_PATH, "Delete a stream", streams.delete, asks=messages.StreamQuery, status=204
    ),
    of_standard(
        "GET",
        paths.STATUS_PATH,
        "Show the status of a stream",
        streams.status,
        asks=messages.StreamQuery,
        gives=messages.StatusAnswer,
    ),
    of_standard(
        "POST",
        paths.STATUS_PATH,
        "Enable, pause or disable a stream",
        streams.set_status,
        takes=messages.StatusForm,
        gives=messages.StatusAnswer,
    ),
    of_standard(
        "POST",
        paths.ADD_PATH,
        "Add a subject to a stream again",
        streams.add,
        takes=messages.StreamSubjectForm,
        gives=dict[str, Any],
    ),
    of_standard(
        "POST",
        paths.REMOVE_PATH,
        "Remove a subject from a stream",
        streams.remove,
        takes=messages.StreamSubjectForm,
        status=204,
    ),
    of_standard(
        "POST",
        paths.VERIFY_PATH,
        "Request a verification event",
        streams.verify,
        takes=messages.VerifyForm,
        status=204,
    ),
    of_standard(
        "POST",
        paths.POLL_PATH,
        "Acknowledge events, and get pending ones (RFC 8936)",
        streams.poll,
        takes=messages.PollForm,
        gives=messages.PollAnswer,
    ),
)
