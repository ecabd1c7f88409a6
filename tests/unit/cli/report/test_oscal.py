# SPDX-License-Identifier: Apache-2.0
"""The OSCAL document of a report is one that others read, and says no more than the report."""

from __future__ import annotations

import msgspec
import pytest
from trestle.oscal.assessment_results import Model

from remit.cli.report.control_files import FRAMEWORKS, framework, measures
from remit.cli.report.oscal import oscal
from remit.core.controls.control_report import ControlReport, Measurement
from remit.core.controls.status import Count
from remit.core.errors import Malformed
from tests.samples.control_reports import HOSTILE, a_report

NOTHING = Measurement(count=Count())
SOME = Measurement(count=Count(total=40, holding=39), holding=(1, 2), exceptions=((7, HOSTILE),))
ALL = Measurement(count=Count(total=40, holding=40), holding=(1, 40))


def read(report: ControlReport) -> Model:
    """Return the document as the models of compliance-trestle read it."""
    return Model.model_validate_json(msgspec.json.encode(oscal(report)))


@pytest.mark.parametrize("name", FRAMEWORKS)
@pytest.mark.parametrize("measured", [NOTHING, SOME, ALL], ids=["nothing", "some", "all"])
def test_the_document_is_valid(name: str, measured: Measurement) -> None:
    """For each framework, and whatever was measured."""
    results = read(a_report(name, measured=measured)).assessment_results.results
    assert len(results) == 1


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_satisfied_is_what_is_met(name: str) -> None:
    """A control that was not measured, or is outside remit, has no finding at all."""
    for measured in (NOTHING, SOME, ALL):
        report = a_report(name, measured=measured)
        told = {one.control.id: one.status.value for one in report.answers}
        findings = read(report).assessment_results.results[0].findings or []
        states = {
            one.target.target_id: one.target.status.state.value for one in findings if one.target.status
        }
        assert states == {
            name: "satisfied" if status == "met" else "not-satisfied"
            for name, status in told.items()
            if status in {"met", "partly", "not-met"}
        }


def test_each_observation_leads_to_its_events() -> None:
    """And each finding to its observations."""
    result = read(a_report("nhi", measured=SOME)).assessment_results.results[0]
    observed = {one.uuid: one for one in result.observations or []}
    for finding in result.findings or []:
        for related in finding.related_observations or []:
            (evidence,) = observed[related.observation_uuid].relevant_evidence or []
            assert evidence.description == "events 1, 2, 7"
    assert len(observed) == sum(len(one.checks) for one in framework("nhi").controls)


def test_the_same_report_is_the_same_document() -> None:
    """So that two auditors can compare."""
    assert oscal(a_report()) == oscal(a_report())
    assert oscal(a_report()) != oscal(msgspec.structs.replace(a_report(), size=5))


def test_a_log_without_events_is_no_assessment() -> None:
    """OSCAL has no word for it."""
    with pytest.raises(Malformed) as refused:
        oscal(msgspec.structs.replace(a_report(), since="", until=""))
    assert refused.value.remediation


def test_measures_are_named() -> None:
    """An observation has the name of its measure."""
    result = read(a_report("csf", measured=ALL)).assessment_results.results[0]
    assert {one.title for one in result.observations or []} <= set(measures())
