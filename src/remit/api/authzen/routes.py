# SPDX-License-Identifier: Apache-2.0
"""The endpoints of AuthZEN, as entries of the one route table."""

from __future__ import annotations

from remit.api.authzen import (
    access_requests,
    evaluation,
    messages,
    paths,
    search,
)
from remit.api.authzen.rooms import AuthzenRooms
from remit.api.oauth.paths import JWKS_PATH
from remit.api.rest.route import Endpoint, RestRequest, of_standard
from remit.services.authzen.access_requests import REQUESTS_PATH


async def metadata(errand: RestRequest[AuthzenRooms]) -> messages.PdpMetadata:
    """Return the metadata of this policy decision point."""
    url = errand.desk.public_url
    return messages.PdpMetadata(
        policy_decision_point=url,
        access_evaluation_endpoint=url + paths.EVALUATION_PATH,
        access_evaluations_endpoint=url + paths.EVALUATIONS_PATH,
        search_subject_endpoint=url + paths.SUBJECTS_PATH,
        search_resource_endpoint=url + paths.RESOURCES_PATH,
        search_action_endpoint=url + paths.ACTIONS_PATH,
        access_request_endpoint=url + REQUESTS_PATH,
        remit_result_endpoint=url + paths.RESULT_PATH,
        jwks_uri=url + JWKS_PATH,
        obligations_supported=("custom",),
        capabilities=("urn:openid:authzen:capability:access-request",),
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=paths.METADATA_PATH,
        summary="Show the metadata of this policy decision point (AuthZEN section 9)",
        serve=metadata,
        open=True,
        gives=messages.PdpMetadata,
    ),
    of_standard(
        "POST",
        paths.EVALUATION_PATH,
        "Decide one evaluation; a permit is recorded before it is returned and is valid for seconds",
        evaluation.evaluation,
        certificates=True,
        takes=messages.EvaluationForm,
        gives=messages.EvaluationAnswer,
    ),
    of_standard(
        "POST",
        paths.EVALUATIONS_PATH,
        "Decide several evaluations, one after another",
        evaluation.evaluations,
        certificates=True,
        takes=messages.EvaluationsForm,
        gives=messages.EvaluationsAnswer,
    ),
    of_standard(
        "POST",
        paths.SUBJECTS_PATH,
        "Find which subjects of a type may do this; nothing is recorded",
        search.subjects,
        certificates=True,
        takes=messages.SubjectSearchForm,
        gives=messages.SearchAnswer,
    ),
    of_standard(
        "POST",
        paths.RESOURCES_PATH,
        "Find the resources of a type on which this subject may do this",
        search.resources,
        certificates=True,
        takes=messages.ResourceSearchForm,
        gives=messages.SearchAnswer,
    ),
    of_standard(
        "POST",
        paths.ACTIONS_PATH,
        "Find what this subject may do to this resource",
        search.actions,
        certificates=True,
        takes=messages.ActionSearchForm,
        gives=messages.SearchAnswer,
    ),
    of_standard(
        "POST",
        REQUESTS_PATH,
        "Submit an access request for a denied evaluation that a person may approve",
        access_requests.submitted,
        certificates=True,
        takes=messages.AccessRequestForm,
        gives=messages.AccessRequestAnswer,
        status=202,
    ),
    of_standard(
        "GET",
        REQUESTS_PATH + "/{request}",
        "Show the state of an access request",
        access_requests.shown,
        certificates=True,
        gives=messages.AccessRequestAnswer,
    ),
    of_standard(
        "POST",
        paths.RESULT_PATH,
        "Report how a permitted call ended, once",
        evaluation.result,
        certificates=True,
        takes=messages.ResultForm,
        gives=messages.ResultAnswer,
    ),
)
