# SPDX-License-Identifier: Apache-2.0
"""The endpoints of AuthZEN, as lines of the one route table."""

from __future__ import annotations

from remit.api.authzen import (
    access_requests as requests,
)
from remit.api.authzen import (
    evaluation as decisions,
)
from remit.api.authzen import (
    messages as forms,
)
from remit.api.authzen import (
    paths,
)
from remit.api.authzen import (
    search as finding,
)
from remit.api.rest.route import Endpoint, RestRequest, of_standard


async def metadata(errand: RestRequest) -> forms.PdpMetadata:
    """Return what this policy decision point offers."""
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
    of_standard(
        "POST",
        paths.EVALUATION_PATH,
        "Decide one evaluation; a permit is recorded before it is given, and counts for seconds",
        decisions.evaluation,
        certificates=True,
        takes=forms.EvaluationForm,
        gives=forms.EvaluationAnswer,
    ),
    of_standard(
        "POST",
        paths.EVALUATIONS_PATH,
        "Decide several evaluations, one after another",
        decisions.evaluations,
        certificates=True,
        takes=forms.EvaluationsForm,
        gives=forms.EvaluationsAnswer,
    ),
    of_standard(
        "POST",
        paths.SUBJECTS_PATH,
        "Find which subjects of a type may do this; nothing is recorded",
        finding.subjects,
        certificates=True,
        takes=forms.SubjectSearchForm,
        gives=forms.SearchAnswer,
    ),
    of_standard(
        "POST",
        paths.RESOURCES_PATH,
        "Find to which resources of a type this subject may do this",
        finding.resources,
        certificates=True,
        takes=forms.ResourceSearchForm,
        gives=forms.SearchAnswer,
    ),
    of_standard(
        "POST",
        paths.ACTIONS_PATH,
        "Find what this subject may do to this resource",
        finding.actions,
        certificates=True,
        takes=forms.ActionSearchForm,
        gives=forms.SearchAnswer,
    ),
    of_standard(
        "POST",
        paths.REQUESTS_PATH,
        "Submit an access request for a denied evaluation that a person may approve",
        requests.submitted,
        certificates=True,
        takes=forms.AccessRequestForm,
        gives=forms.AccessRequestAnswer,
        status=202,
    ),
    of_standard(
        "GET",
        paths.REQUESTS_PATH + "/{request}",
        "Show where an access request stands",
        requests.shown,
        certificates=True,
        gives=forms.AccessRequestAnswer,
    ),
    of_standard(
        "POST",
        paths.RESULT_PATH,
        "Report how a permitted call ended, once",
        decisions.result,
        certificates=True,
        takes=forms.ResultForm,
        gives=forms.ResultAnswer,
    ),
)
