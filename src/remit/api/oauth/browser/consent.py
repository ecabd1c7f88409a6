# SPDX-License-Identifier: Apache-2.0
"""The consent page: the person chooses a task type, states the task in their own words, and starts it."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import Response

from remit.api.oauth.browser.authorization_response import AskedConsent, leave
from remit.api.oauth.browser.rendering import PageRequest
from remit.api.oauth.forms import Form
from remit.api.oauth.paths import SIGN_IN_PATH
from remit.core.errors import ConfigInvalid, Fenced, Forbidden, Malformed, NotFound
from remit.core.json_value import Json
from remit.core.oauth.client_metadata import host_of, is_loopback
from remit.core.tasks.task import Parameter
from remit.core.tools.constraint import load
from remit.services.people.offers import Offer, offer_named, read_params

CHANGED = (
    "the requested permissions have changed since the page was shown: review them again before you agree"
)


async def show(
    visit: PageRequest, asked: AskedConsent, wanted: str = "", told: str = "", given: Form | None = None
) -> Response:
    """Show the page: first the choice of task type, if there is one, then the form for it."""
    assert visit.seat is not None
    consents = visit.rooms.people.consents
    offers = consents.offers(asked.applicant, visit.seat.person, asked.request)
    common: dict[str, Json] = {
        "again": asked.again,
        "title": asked.applicant.title,
        "host": asked.applicant.host,
        "agent": asked.applicant.agent,
        "answer_host": host_of(asked.request.redirect_uri),
        "loopback": is_loopback(asked.request.redirect_uri),
        "mission": asked.request.mission,
        "told": told,
    }
    if not offers:
        return visit.draw("nothing.html", common)
    try:
        chosen = offers[0] if len(offers) == 1 else offer_named(offers, wanted)
    except NotFound:
        return visit.draw("choose.html", common, offers=offers, choose=_with_type(asked))
    if chosen.sensitive and not visit.seat.fresh(visit.rooms.clock.now(), consents.rules.fresh_s):
        return visit.go(_again_signed_in(asked, chosen))
    return visit.draw(
        "consent.html",
        common,
        offer=chosen,
        several=len(offers) > 1,
        fields=[field_of(name, spec, given) for name, spec in chosen.type.parameters.items()],
        goal=given.get("goal") if given else "",
        deadline_s=chosen.type.deadline_s,
        idle_s=consents.rules.idle_s,
    )


def _with_type(asked: AskedConsent) -> str:
    return f"{asked.again}&task_type="


def _again_signed_in(asked: AskedConsent, chosen: Offer) -> str:
    then = f"{_with_type(asked)}{quote(chosen.type.name, safe='')}"
    return f"{SIGN_IN_PATH}?fresh=1&then={quote(then, safe='')}"


async def answered(visit: PageRequest, asked: AskedConsent, form: Form) -> Response:
    """Process the answer: open the task and issue the code, show errors, or report the denial."""
    assert visit.seat is not None
    consents = visit.rooms.people.consents
    if form.get("decision") != "allow":
        await consents.deny(asked.request, asked.applicant, visit.seat, asked.pushed)
        refused = {"error": "access_denied", "error_description": "the person did not agree"}
        return leave(visit, asked.request, refused, granted=False)
    offers = consents.offers(asked.applicant, visit.seat.person, asked.request)
    chosen = offer_named(offers, form.get("task_type"))
    if form.get("seal") != chosen.seal:
        # A bundle was applied after the page was shown: a person cannot agree to rules that they have not
        # seen.
        return await show(visit, asked, chosen.type.name, CHANGED, form)
    written = {name: form.get(f"p.{name}") for name in chosen.type.parameters}
    try:
        code = await consents.agree(
            asked.request,
            asked.applicant,
            visit.seat,
            offer=chosen,
            params=read_params(chosen.type, written),
            goal=form.get("goal"),
            pushed=asked.pushed,
        )
    except Forbidden as error:
        if error.code == "not-fresh":
            return visit.go(_again_signed_in(asked, chosen))
        raise
    except Fenced:
        raise
    except (Malformed, ConfigInvalid) as error:
        # Keep the person's input, and show the error above it.
        return await show(visit, asked, chosen.type.name, str(error), form)
    return leave(visit, asked.request, {"code": code}, granted=True)


def field_of(name: str, spec: Parameter, given: Form | None) -> dict[str, Json]:
    """Return the template values of a form field."""
    constraint = spec.constraint or {}
    must = ""
    try:
        must = load(constraint).describe() if constraint else ""
    except ConfigInvalid:
        must = ""
    choices = constraint.get("one_of") if isinstance(constraint.get("one_of"), list) else None
    value = given.get(f"p.{name}") if given else ("" if spec.default is None else str(spec.default))
    return {
        "name": name,
        "label": name.replace("_", " ").replace("-", " "),
        "help": spec.description,
        "must": must if choices is None else "",
        "kind": spec.type,
        "choices": [str(one) for one in choices] if choices is not None else None,
        "required": spec.required and spec.default is None,
        "value": value,
        "checked": value in ("yes", "True"),
    }
