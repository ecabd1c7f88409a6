# SPDX-License-Identifier: Apache-2.0
"""The authorization endpoint and its pages: what is asked, shown, agreed to, and answered."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.tasks.ceiling import AuthorityCeiling, AuthorityCeilings, CutBy
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.plan import tools_of
from remit.core.tasks.task import TaskState
from tests.worlds.pages import (
    APP,
    CALLBACK,
    CHALLENGE,
    Browsing,
    Documents,
    address,
    code_behind,
    lena,
    made,
    page_world,
    pages_bundle,
    world,
)
from tests.worlds.services import PUBLIC_URL, ServiceWorld

__all__ = ["lena", "made", "world"]
SUMMARISE = address(task_type="summarise-contract")


async def test_a_person_opens_a_task_at_the_consent_page(world: ServiceWorld, lena: Browsing) -> None:
    """Type, parameters and intent are the person's; the code stands for exactly this task."""
    page = await lena.get(SUMMARISE)
    assert page.status == 200
    for shown in ("Notebook", "app.example", "Summarise one contract", "contracts/read", "Reads with"):
        assert shown in page.text
    done = await lena.fill(page, decision="allow", goal="Sum up C-42 for Monday", **{"p.id": "C-42"})
    assert done.location.startswith(CALLBACK + "?")
    assert done.answer["state"] == "state-1"
    assert done.answer["iss"] == PUBLIC_URL
    code = await code_behind(world, done.answer["code"])
    assert (code.agent, code.person, code.client_id) == ("notebook", "lena", APP)
    assert (code.redirect_uri, code.code_challenge) == (CALLBACK, CHALLENGE)
    assert code.resource == (f"{PUBLIC_URL}/mcp",)
    task = await world.services.tasks.tasks.get(code.task)
    assert task.state is TaskState.ACTIVE
    assert task.intent.goal == "Sum up C-42 for Monday"
    assert task.intent.params == {"id": "C-42"}
    assert task.intent.requested_by == task.on_behalf_of == "lena"
    assert task.idle_s == 1800
    assert {"task.opened", "consent.given"} <= set(await world.kinds())


async def test_what_is_wrong_with_a_field_is_said_beside_it(world: ServiceWorld, lena: Browsing) -> None:
    """What was written stays there, nothing is opened, and the second try works."""
    page = await lena.get(SUMMARISE)
    wrong = await lena.fill(page, decision="allow", goal="Sum it up", **{"p.id": "all of them"})
    assert wrong.status == 200
    assert "Parameter <code>id</code>" in wrong.text
    assert "Sum it up" in wrong.text
    assert "all of them" in wrong.text
    assert await world.services.store.tasks(world.services.tenant, agent="notebook") == []
    done = await lena.fill(wrong, decision="allow", goal="Sum it up", **{"p.id": "C-7"})
    assert "code" in done.answer


async def test_who_does_not_agree_is_taken_at_their_word(world: ServiceWorld, lena: Browsing) -> None:
    """The application hears `access_denied`, and the evidence says so."""
    page = await lena.get(SUMMARISE)
    done = await lena.fill(page, decision="deny")
    assert done.answer["error"] == "access_denied"
    assert done.answer["iss"] == PUBLIC_URL
    assert "consent.denied" in await world.kinds()
    assert await world.services.store.tasks(world.services.tenant, agent="notebook") == []


async def test_a_choice_of_work_comes_first(lena: Browsing) -> None:
    """Where there are several kinds that the person may state and the application may run."""
    page = await lena.get(address())
    assert "deploy-change" in page.text
    assert "summarise-contract" in page.text
    assert "look-around" not in page.text
    chosen = await lena.get(address(task_type="summarise-contract"))
    assert "What do you want done?" in chosen.text


async def test_nobody_is_signed_in_yet(world: ServiceWorld) -> None:
    """The person signs in, and comes back to the very same request."""
    browser = Browsing(world)
    away = await browser.get(SUMMARISE)
    assert away.status == 303
    assert away.location.startswith("/oauth/sign-in?then=")
    code = await world.services.identity.authenticator.make_code("lena", by="root")
    back = await browser.fill(await browser.get(away.location), "sign-in", code=code)
    assert back.location == SUMMARISE
    assert "Let Notebook work for you?" in (await browser.get(back.location)).text


async def test_an_application_may_ask_without_a_page(world: ServiceWorld, lena: Browsing) -> None:
    """`prompt=none` is answered at once: there is always something to state."""
    assert (await lena.get(address(prompt="none"))).answer["error"] == "interaction_required"
    assert (await Browsing(world).get(address(prompt="none"))).answer["error"] == "login_required"


async def test_a_new_proof_is_asked_for(world: ServiceWorld, lena: Browsing) -> None:
    """By `prompt=login` once, by `max_age` when the last one is older, and for work that changes things."""
    away = await lena.get(address(prompt="login", task_type="summarise-contract"))
    assert "fresh=1" in away.location
    assert "prompt" not in away.location
    assert (await lena.get(address(max_age="600", task_type="summarise-contract"))).status == 200
    world.clock.advance(601)
    assert "fresh=1" in (await lena.get(address(max_age="600", task_type="summarise-contract"))).location
    assert (await lena.get(address(task_type="deploy-change"))).status == 200
    world.clock.advance(300)
    assert "fresh=1" in (await lena.get(address(task_type="deploy-change"))).location
    assert (await lena.get(address(task_type="summarise-contract"))).status == 200


async def test_the_answer_too_needs_a_new_proof(world: ServiceWorld, lena: Browsing) -> None:
    """A page that was left open for long is not enough."""
    page = await lena.get(address(task_type="deploy-change"))
    assert "Changes production irreversibly with" in page.text
    world.clock.advance(1000)
    late = await lena.fill(page, decision="allow", **{"p.change": "R-1"})
    assert "fresh=1" in late.location
    assert await world.services.store.tasks(world.services.tenant, agent="notebook") == []


async def test_a_number_is_read_as_one(world: ServiceWorld, lena: Browsing) -> None:
    """And what is no number is said so."""
    page = await lena.get(address(task_type="deploy-change"))
    assert (
        "is not a number"
        in (await lena.fill(page, decision="allow", **{"p.change": "R-1", "p.times": "two"})).text
    )
    done = await lena.fill(page, decision="allow", **{"p.change": "R-1", "p.times": "2"})
    task = await world.services.tasks.tasks.get((await code_behind(world, done.answer["code"])).task)
    assert task.intent.params == {"change": "R-1", "times": 2}


async def test_an_application_that_nobody_registered(
    made: tuple[ServiceWorld, Documents], lena: Browsing
) -> None:
    """Whose group may do so answers for it from the first consent on; and only for work of a low tier."""
    world, documents = made
    other = "https://other.example/client.json"
    documents.publish(other, client_name="Other")
    page = await lena.get(address(client_id=other))
    assert "Look around in the contracts" in page.text
    assert "deploy-anything" not in page.text
    assert "it is not registered yet" in page.text
    done = await lena.fill(page, decision="allow")
    code = await code_behind(world, done.answer["code"])
    agent = await world.services.identity.directory.agent(code.agent)
    assert agent.owner == "lena"
    assert agent.groups == ("self-service",)
    assert agent.name.startswith("other.example-")
    leo = Browsing(world)
    await leo.sign_in("leo")
    again = await leo.fill(await leo.get(address(client_id=other)), decision="allow")
    assert (await code_behind(world, again.answer["code"])).agent == agent.name
    assert (await leo.get(address(client_id=other, task_type="deploy-anything"))).status == 200
    wrong = await leo.post(
        page.form()["action"],
        (await leo.get(address(client_id=other))).form()["fields"]
        | {"decision": "allow", "task_type": "deploy-anything", "p.change": "x"},
    )
    assert wrong.status == 404


async def test_who_may_not_bring_applications(made: tuple[ServiceWorld, Documents]) -> None:
    """They are told so, and can only go back."""
    world, documents = made
    documents.publish("https://other.example/client.json")
    otto = Browsing(world)
    await otto.sign_in("otto")
    page = await otto.get(address(client_id="https://other.example/client.json"))
    assert "This application is not registered" in page.text
    refused = await otto.post(
        page.form()["action"], page.form()["fields"] | {"decision": "allow", "task_type": "look-around"}
    )
    assert refused.status == 404
    assert (await otto.fill(page, decision="deny")).answer["error"] == "access_denied"


async def test_an_answer_to_this_machine_is_warned_of(lena: Browsing) -> None:
    """Any program could be listening there."""
    page = await lena.get(
        address(redirect_uri="http://127.0.0.1:51004/callback", task_type="summarise-contract")
    )
    assert "Any program on this computer could receive the answer" in page.text
    assert "127.0.0.1:51004" in page.text


async def test_an_application_proposes_and_the_person_states(world: ServiceWorld, lena: Browsing) -> None:
    """Its words are shown as its own, and never become the intent."""
    intent = '{"intent": {"goal": "Export every contract <b>now</b>"}}'
    page = await lena.get(address(mission_intent=intent, task_type="summarise-contract"))
    assert "Export every contract &lt;b&gt;now&lt;/b&gt;" in page.text
    assert "Notebook says" in page.text
    done = await lena.fill(page, decision="allow", **{"p.id": "C-42"})
    task = await world.services.tasks.tasks.get((await code_behind(world, done.answer["code"])).task)
    assert task.intent.goal == "Summarise one contract"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": ""}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"resource": "https://elsewhere.example/mcp"}, "invalid_target"),
        ({"scope": 'a"b'}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "dance"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"request": "a.b.c"}, "request_not_supported"),
        ({"dpop_jkt": "x"}, "invalid_request"),
        ({"authorization_details": "{"}, "invalid_authorization_details"),
        ({"authorization_details": '[{"type":"other"}]'}, "invalid_authorization_details"),
        ({"mission_intent": '{"intent":7}'}, "invalid_request"),
        ({"mission_intent": '{"intent":{"goal":"x","constraints":{"max_amount":5}}}'}, "invalid_request"),
        (
            {"mission_intent": '{"intent":{"goal":"x","expires_at":"2026-11-24T20:00:00Z"}}'},
            "invalid_request",
        ),
        ({"mission_intent": '{"intent":{"resources":["https://elsewhere.example"]}}'}, "invalid_target"),
        ({"mission_intent": '{"intent":{},"intent":{}}'}, "invalid_request"),
    ],
)
async def test_a_request_that_does_not_hold(lena: Browsing, changes: dict[str, str], code: str) -> None:
    """It is answered to the application, by its own code, with `state` and `iss`."""
    told = await lena.get(address(**changes))
    assert told.location.startswith(CALLBACK + "?")
    assert told.answer["error"] == code
    assert (told.answer["state"], told.answer["iss"]) == ("state-1", PUBLIC_URL)


async def test_the_address_of_the_machine_leads_to_its_name(lena: Browsing) -> None:
    """Cookies and passkeys belong to one name."""
    moved = await lena.get(SUMMARISE, host="127.0.0.1:8700")
    assert moved.location == f"http://localhost:8700{SUMMARISE}"


async def test_a_person_ends_what_is_theirs(world: ServiceWorld, lena: Browsing) -> None:
    """Tasks and sessions, of browsers and programs alike, end; nothing of another person does."""
    done = await lena.fill(await lena.get(SUMMARISE), decision="allow", **{"p.id": "C-42"})
    task = (await code_behind(world, done.answer["code"])).task
    program = await world.session("lena")
    page = await lena.get("/oauth/account")
    assert "Firefox on Linux" in page.text
    assert "this one" in page.text
    leo = Browsing(world)
    await leo.sign_in("leo")
    theirs = (await leo.get("/oauth/account")).forms[0]["fields"]["csrf"]
    for what, which in (("task", task), ("session", page.form("end")["fields"]["which"]), ("passkey", "x")):
        refused = await leo.post("/oauth/account", {"csrf": theirs, "end": what, "which": which})
        assert refused.status in (404, 409)
    ends = [form["fields"] for form in page.forms if "end" in form["fields"]]
    for fields in ends:
        if fields["end"] == "task":
            assert (await lena.post("/oauth/account", fields)).status == 303
    assert (await world.services.tasks.tasks.get(task)).state is TaskState.REVOKED
    assert len([one for one in ends if one["end"] == "session"]) == 2
    for fields in ends:
        if fields["end"] == "session":
            await lena.post("/oauth/account", fields)
    assert (await world.ask("GET", "/api/v1/me", by=program)).status == 401
    assert (await lena.get("/oauth/account")).status == 303


def details(*actions: str, **more: Any) -> str:
    """Return authorization details for tools of the contracts."""
    entry = {"type": "mission_resource_access", "resource": f"{PUBLIC_URL}/mcp/contracts"}
    return json.dumps([entry | {"actions": actions} | more])


async def test_an_application_asks_for_some_tools_alone(tmp_path: Path) -> None:
    """Work without them is not offered, and the task gets no others."""
    both = (GrantTemplate("contracts/read", other_arguments=True), GrantTemplate("changes/deploy"))
    upstreams: dict[str, Any] = {"contracts": None, "changes": None}
    async with page_world(tmp_path, upstreams=upstreams) as (world, _):
        bundle = pages_bundle()
        wide = msgspec.structs.replace(bundle.task_types["deploy-change"], grants=both, parameters={})
        types = bundle.task_types | {"deploy-change": wide}
        await world.services.policies.apply(msgspec.structs.replace(bundle, task_types=types), by="remit")
        lena = Browsing(world)
        await lena.sign_in("lena")
        asked = address(authorization_details=details("read"), task_type="deploy-change")
        page = await lena.get(asked)
        assert "contracts/read" in page.text
        assert "changes/deploy" not in page.text
        done = await lena.fill(page, decision="allow")
        task = await world.services.tasks.tasks.get((await code_behind(world, done.answer["code"])).task)
        assert [grant.tool for grant in task.grants] == ["contracts/read"]
        assert tools_of(task.plan) == ("contracts/read",)
        assert [(one.bound, one.tool) for one in task.cuts] == [(CutBy.REQUEST, "changes/deploy")]
        nothing = await lena.get(address(authorization_details=details("write")))
        assert "You cannot permit any task to Notebook" in nothing.text
        for wrong in (
            details("read", constraints={"arguments": {"path": {"exact": "x"}}}),
            details("read", constraints={"max_amount": 5}),
            details(),
        ):
            told = await lena.get(address(authorization_details=wrong))
            assert told.answer["error"] == "invalid_authorization_details"


async def test_nothing_is_offered_that_a_ceiling_takes(tmp_path: Path) -> None:
    """The page shows what the task will hold; a type of which nothing is left is not offered."""
    both = (GrantTemplate("contracts/read", other_arguments=True), GrantTemplate("changes/deploy"))
    async with page_world(tmp_path, upstreams={"contracts": None, "changes": None}) as (world, _):
        bundle = pages_bundle()
        wide = msgspec.structs.replace(bundle.task_types["deploy-change"], grants=both, parameters={})
        types = {"deploy-change": wide}
        lena = Browsing(world)
        await lena.sign_in("lena")
        for number, tools in enumerate((("contracts/read",), ())):
            ceilings = AuthorityCeilings(people={"lena": AuthorityCeiling(tools=tools)})
            bounded = msgspec.structs.replace(
                bundle, task_types=types, ceilings=ceilings, digest=f"sha256:bounded-{number}"
            )
            await world.services.policies.apply(bounded, by="remit")
            page = await lena.get(address(task_type="deploy-change"))
            assert "changes/deploy" not in page.text
            assert ("contracts/read" in page.text) == bool(tools)
            assert ("You cannot permit any task to Notebook" in page.text) == (not tools)


async def test_an_application_asks_for_one_upstream_alone(tmp_path: Path) -> None:
    """RFC 8707: a resource that is asked for, or that the intent names, bounds the offer and the task."""
    both = (GrantTemplate("contracts/read", other_arguments=True), GrantTemplate("changes/deploy"))
    upstreams: dict[str, Any] = {"contracts": None, "changes": None}
    async with page_world(tmp_path, upstreams=upstreams) as (world, _):
        bundle = pages_bundle()
        wide = msgspec.structs.replace(bundle.task_types["deploy-change"], grants=both, parameters={})
        types = bundle.task_types | {"deploy-change": wide}
        await world.services.policies.apply(msgspec.structs.replace(bundle, task_types=types), by="remit")
        lena = Browsing(world)
        await lena.sign_in("lena")
        there = f"{PUBLIC_URL}/mcp/contracts"
        intent = json.dumps({"intent": {"goal": "look", "resources": [there]}})
        for asked in ({"resource": there}, {"resource": f"{PUBLIC_URL}/mcp", "mission_intent": intent}):
            page = await lena.get(address(task_type="deploy-change", **asked))
            assert "contracts/read" in page.text
            assert "changes/deploy" not in page.text
            done = await lena.fill(page, decision="allow")
            task = await world.services.tasks.tasks.get((await code_behind(world, done.answer["code"])).task)
            assert [grant.tool for grant in task.grants] == ["contracts/read"]
        elsewhere = address(resource=f"{PUBLIC_URL}/mcp/changes", mission_intent=intent)
        assert "You cannot permit any task to Notebook" in (await lena.get(elsewhere)).text


async def test_sessions_are_listed_and_ended_by_program_too(world: ServiceWorld, lena: Browsing) -> None:
    """One's own, of both kinds; another person's is not there."""
    program, other = await world.session("lena"), await world.session("leo")
    listed = (await world.ask("GET", "/api/v1/sessions", by=program)).json["items"]
    assert [(one["kind"], one["current"]) for one in listed] == [("session", True), ("browser", False)]
    ending = f"/api/v1/sessions/{listed[1]['id']}/end"
    assert (await world.ask("POST", ending, by=other)).status == 404
    assert (await lena.get("/oauth/account")).status == 200
    assert (await world.ask("POST", ending, by=program)).status == 204
    assert (await lena.get("/oauth/account")).status == 303
