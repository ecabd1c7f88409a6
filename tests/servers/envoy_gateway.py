# SPDX-License-Identifier: Apache-2.0
"""Envoy Gateway's own translation of what its guide shows, as the configuration of one Envoy."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.architecture.tree import ROOT
from tests.deploy.authority import Authority
from tests.deploy.chart import program

Json = Any

GUIDE = ROOT / "docs" / "howto" / "put-remit-behind-a-gateway.md"
#: The names by which the guide's gateway and remit know each other.
ITS_NAME, REMITS_NAME = "gateway.example.com", "remit.example.com"
_BLOCK = re.compile(r"^```yaml\n# (?P<name>[^\n]*)\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)


def example(name: str) -> list[Json]:
    """Return the objects of an example of the guide."""
    (text,) = [one["text"] for one in _BLOCK.finditer(GUIDE.read_text()) if one["name"] == name]
    return list(yaml.safe_load_all(text))


def installed(authority: Authority) -> list[Json]:
    """Return what an installation has beside the example: a class, services, certificates."""
    controller = {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"}
    ports = [("remit", 8700), ("remit", 8701), ("files", 8080), ("notes", 8080)]
    found = [_object("gateway.networking.k8s.io/v1", "GatewayClass", "envoy", spec=controller)]
    for name in dict(ports):
        own = [{"name": f"port-{port}", "port": port} for one, port in ports if one == name]
        found.append(_object("v1", "Service", name, spec={"clusterIP": "10.0.0.1", "ports": own}))
    for name, host in (("gateway-tls", ITS_NAME), ("public-tls", REMITS_NAME)):
        certificate, key = (base64.b64encode(one).decode() for one in authority.issue(host))
        data = {"tls.crt": certificate, "tls.key": key}
        found.append(_object("v1", "Secret", name, type="kubernetes.io/tls", data=data))
    return [*found, _object("v1", "ConfigMap", "remit-ca", data={"ca.crt": authority.pem.decode()})]


def _object(version: str, kind: str, name: str, **more: Json) -> Json:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **more}


def for_upstreams(objects: Sequence[Json], names: Sequence[str]) -> list[Json]:
    """Return an example that shows the upstream `files` for other ones."""
    texts = [json.dumps(one) for one in objects]
    return [
        json.loads(text.replace("files", name) if '"name": "files"' in text else text)
        for text in texts
        for name in (names if '"name": "files"' in text else ("",))
    ]


def translate(folder: Path, objects: Sequence[Json]) -> subprocess.CompletedProcess[str]:
    """Run the gateway's translation, which validates the objects; skip the test where it is not installed."""
    file = folder / "objects.yaml"
    file.write_text(yaml.safe_dump_all(objects))
    line = [
        program("egctl", "gateways"),
        "experimental",
        "translate",
        "--from",
        "gateway-api",
        "--to",
        "gateway-api,xds",
    ]
    return subprocess.run(
        [*line, "--output", "json", "--file", str(file)], capture_output=True, text=True, check=False
    )


def conditions(told: Json) -> Iterator[tuple[str, str]]:
    """Return what the gateway says of objects: types of conditions, and their values."""
    for one in told.values() if isinstance(told, dict) else told if isinstance(told, list) else ():
        yield from conditions(one)
    if isinstance(told, dict) and "reason" in told:
        yield told["type"], told["status"]


def static(folder: Path, objects: Sequence[Json]) -> Json:
    """Return what an Envoy of the gateway is told in parts, as one configuration; the names of clusters are
    those of their routes' objects, and `ext_authz`.

    Raises `AssertionError` for objects that the gateway refuses.
    """
    done = translate(folder, objects)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    ((_, parts),) = told.pop("xds").items()
    assert {value for _, value in conditions(told)} == {"True"}, told
    found = [*_resources(parts)]
    places = {one["cluster_name"]: one for one in found if "cluster_name" in one}
    routes = {one["name"]: one for one in found if "virtual_hosts" in one}
    clusters = [one for one in found if "eds_cluster_config" in one]
    for one in clusters:
        del one["eds_cluster_config"]
        one |= {"type": "STATIC", "load_assignment": places[one["name"]]}
    listeners = [one for one in found if "rds" in json.dumps(one) and "filter_chains" in one]
    for one in listeners:
        http = one["filter_chains"][0]["filters"][0]["typed_config"]
        http["route_config"] = routes[http.pop("rds")["route_config_name"]]
    config = {"listeners": listeners, "clusters": clusters, "secrets": list(_secrets(objects))}
    text = re.sub(r'"(?:httproute|securitypolicy)/[^/"]+/([^/"]+)/rule/0"', r'"\1"', json.dumps(config))
    text = re.sub(r'"securitypolicy/[^/"]+/([^/"]+)/extauth/0"', r'"ext_authz-\1"', text)
    return {"static_resources": json.loads(text)}


def _resources(parts: Json) -> Iterator[Json]:
    """Return the resources of a dump, with the names that the guides use."""
    for one in parts["configs"]:
        for group in one.values():
            for resource in group if isinstance(group, list) else ():
                (inner,) = resource.values()
                inner = inner.get("listener", inner)
                yield _plain({name: value for name, value in inner.items() if name != "@type"})


def _plain(value: Json) -> Json:
    """Return a value with fields named as in the guides, and with secrets that are in the same file."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        kept = {name: one for name, one in value.items() if name != "sdsConfig"}
        return {_field(name): _plain(one) for name, one in kept.items()}
    return value


def _field(name: str) -> str:
    return name if "." in name else re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _secrets(objects: Sequence[Json]) -> Iterator[Json]:
    for one in objects:
        name = one["metadata"]["name"]
        if one["kind"] == "Secret":
            parts = {"certificate_chain": "tls.crt", "private_key": "tls.key"}
            own = {part: {"inline_bytes": one["data"][file]} for part, file in parts.items()}
            yield {"name": f"envoy-gateway-system/{name}", "tls_certificate": own}
    (bundle,) = [one for one in objects if one["kind"] == "ConfigMap"]
    trusted = {"trusted_ca": {"inline_string": bundle["data"]["ca.crt"]}}
    yield {"name": "remit/envoy-gateway-system-ca", "validation_context": trusted}
