# SPDX-License-Identifier: Apache-2.0
"""The endpoints of AuthZEN, as lines of the one route table."""

from __future__ import annotations

from remit.api.authzen import decisions, finding, forms, paths, requests
from remit.api.rest.endpoint import Endpoint, Errand


async def metadata(errand: Errand) -> forms.PdpMetadata:
    """Give what this policy decision point offers."""
    url = errand.house.public_url
    return forms.PdpMetadata(
        policy_decision_point=url,
        access_evaluation_endpoint=url + paths.EVALUATION_PATH,
        access_evaluations_endpoint=url + paths.EVALUATIONS_PATH,
        search_subject_endpoint=url + paths.SUBJECTS_PATH,
        search_resource_endpoint=url + paths.RESOURCES_PATH,
        search_action_endpoint=url + paths.ACTIONS_PATH,
        access_request_endpoint=url + paths.REQUESTS_PATH,
        remit_result_endpoint=url + paths.RESULT_PATH,
        capabilities=("urn:openid:authzen:capability:access-request",),
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=paths.METADATA_PATH,
        summary="What this policy decision point offers (AuthZEN section 9)",
        serve=metadata,
        open=True,
        gives=forms.PdpMetadata,
    ),
    Endpoint(
        method="POST",
        path=paths.EVALUATION_PATH,
        summary="Decide one evaluation; a permit is recorded before it is given, and counts for seconds",
        serve=decisions.evaluation,
        agents=True,
        certificates=True,
        lenient=True,
        takes=forms.EvaluationForm,
        gives=forms.EvaluationAnswer,
    ),
    Endpoint(
        method="POST",
        path=paths.EVALUATIONS_PATH,
        summary="Decide several evaluations, one after another",
        serve=decisions.evaluations,
        agents=True,
        certificates=True,
        lenient=True,
        takes=forms.EvaluationsForm,
        gives=forms.EvaluationsAnswer,
    ),
    Endpoint(
        method="POST",
        path=paths.SUBJECTS_PATH,
        summary="Find which subjects of a type may do this; nothing is recorded",
        serve=finding.subjects,
        agents=True,
        certificates=True,
        lenient=True,
        takes=forms.SubjectSearchForm,
        gives=forms.SearchAnswer,
    ),
    Endpoint(
        method="POST",
        path=paths.RESOURCES_PATH,
        summary="Find to which resources of a type this subject may do this",
        serve=finding.resources,
        agents=True,
        certificates=True,
        lenient=True,
        takes=forms.ResourceSearchForm,
        gives=forms.SearchAnswer,
    ),
    Endpoint(
        method="POST",
        path=paths.ACTIONS_PATH,
        summary="Find what this subject may do to this resource",
        serve=finding.actions,
        agents=True,
        certificates=True,
        lenient=True,
        takes=forms.ActionSearchForm,
        gives=forms.SearchAnswer,
    ),
    Endpoint(
        method="POST",
        path=paths.REQUESTS_PATH,
        summary="Submit an access request for a denied evaluation that a person may approve",
        serve=requests.submitted,
        agents=True,
        certificates=True,
        lenient=True,
        takes=forms.AccessRequestForm,
        gives=forms.AccessRequestAnswer,
        status=202,
    ),
    Endpoint(
        method="GET",
        path=paths.REQUESTS_PATH + "/{request}",
        summary="Show where an access request stands",
        serve=requests.shown,
        agents=True,
        certificates=True,
        gives=forms.AccessRequestAnswer,
    ),
    Endpoint(
        method="POST",
        path=paths.RESULT_PATH,
        summary="Report how a permitted call ended, once",
        serve=decisions.result,
        agents=True,
        certificates=True,
        lenient=True,
        takes=forms.ResultForm,
        gives=forms.ResultAnswer,
    ),
)
