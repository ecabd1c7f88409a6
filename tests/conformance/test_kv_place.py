# SPDX-License-Identifier: Apache-2.0
"""A rotated secret where others read it, at a real OpenBao."""

from remit.adapters.broker.http import BrokerHttp
from remit.adapters.broker.openbao.client import BaoSource
from remit.adapters.broker.openbao.key_value import KvPath
from remit.adapters.runtime.system import SystemClock
from tests.servers.bao_server import BaoServer


async def test_others_find_the_newest_one_alone(bao: BaoServer) -> None:
    """In OpenBao: a new version beside fields that are others', and nothing of the versions before it."""
    bao.mount("kept", "kv", version="2")
    policy = 'path "kept/data/crm" { capabilities = ["read", "create", "update"] }\n'
    policy += 'path "kept/destroy/crm" { capabilities = ["update"] }'
    token = bao.token_for(policy)
    web = BrokerHttp("OpenBao")
    try:
        place = KvPath(
            BaoSource(bao.address, lambda: token, web=web, clock=SystemClock()), "kept", "crm", "password"
        )
        await place.put("one")
        bao.ask("POST", "kept/data/crm", {"data": {"password": "one", "owner": "ana"}})
        await place.put("two")
        await place.put("two")
        now = bao.ask("GET", "kept/data/crm")
        assert isinstance(now, dict)
        assert now["data"]["data"] == {"password": "two", "owner": "ana"}
        version = now["data"]["metadata"]["version"]
        told = bao.ask("GET", "kept/metadata/crm")
        assert isinstance(told, dict)
        gone = {number for number, one in told["data"]["versions"].items() if one["destroyed"]}
        assert gone == {str(number) for number in range(1, version)}
    finally:
        await web.close()
