# SPDX-License-Identifier: Apache-2.0
"""Where the link of a notification leads: to the page of its question, after a sign-in."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import Response

from remit.api.oauth.browser import sign_in
from remit.api.oauth.browser.rendering import PageRequest
from remit.services.signals.question_links import LINK_PATH, QuestionLinks

#: The path of a link, below the address of remit.
PATH = LINK_PATH + "/{code}"


async def follow(visit: PageRequest, links: QuestionLinks) -> Response:
    """Redirect a signed-in person to the question of a link, or to the list of questions.

    A browser without a session signs in first, and then comes back here.
    """
    code = str(visit.request.path_params["code"])
    if visit.seat is None:
        return sign_in.first(visit, f"{LINK_PATH}/{quote(code, safe='')}")
    return visit.go(await links.followed(code, visit.seat.person))
