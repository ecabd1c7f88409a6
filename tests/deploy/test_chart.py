# SPDX-License-Identifier: Apache-2.0
"""The Helm chart: what it renders, what it refuses, and which connections remain."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.chart import CHART, NAMESPACE, VALUES, helm, program, rendered, schemas
from tests.deploy.reach import End, reaches

pytestmark = pytest.mark.slow

Json = Any
GATEWAY = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateway"}}}
DATABASE = {"to": [{"ipBlock": {"cidr": "10.0.5.10/32"}}], "ports": [{"port": 5432}]}
FULL = VALUES | {
    "replicas": 5,
    "bundle": {
        "remit.yaml": "upstreams: {notes: {url: 'http://notes:8000/mcp'}}\n"
        "limits: {max_bodies_bytes: 268435456}\nkeys: {rotate_every: 7d}\n"
        "listen: {host: 127.0.0.1, proxies: [10.0.0.0/8]}\n",
        "policies/00-base.cedar": 'permit (principal, action, resource) when { "a" == "{{ a }}" };\n',
        "tools/notes.yaml": "upstream: notes\ntools: {}\n",
    },
    "network": {"from": [GATEWAY], "egress": [DATABASE]},
    "resources": {"limits": {"memory": "4Gi", "cpu": 4}},
}
#: Values that are wrong, and what Helm says of each.
WRONG: dict[str, tuple[Json, str]] = {
    "an image by a tag that moves": ({"image": "registry.example.com/remit:latest"}, "image"),
    "no image": ({"image": ""}, "image"),
    "an address without TLS": ({"publicUrl": "http://remit.example.com"}, "publicUrl"),
    "no bundle": ({"bundle": {}}, "remit.yaml"),
    "a file outside of the bundle": ({"bundle": {"remit.yaml": "a", "../x": "a"}}, "../x"),
    "two files of one key": ({"bundle": {"remit.yaml": "a", "tools__x.yaml": "a"}}, "tools__x.yaml"),
    "an empty file": ({"bundle": {"remit.yaml": "a", "tools/x.yaml": ""}}, "tools~1x.yaml"),
    "no replica": ({"replicas": 0}, "replicas"),
    "a password in place of a name": ({"secret": "postgresql://remit:x@db/remit"}, "secret"),
    "no place for keys": ({"stateClaim": ""}, "stateClaim"),
    "a value that does not exist": ({"replicaCount": 2}, "replicaCount"),
    "a way out to everyone": ({"network": {"from": [], "egress": [{"ports": [{"port": 443}]}]}}, "to"),
    "text that is not YAML": ({"bundle": {"remit.yaml": "a: [b"}}, "bundle.remit.yaml is not YAML"),
}


@pytest.mark.parametrize("version", ["1.27.0", "1.37.0"])
@pytest.mark.parametrize("values", [VALUES, FULL], ids=["the least", "everything"])
def test_the_objects_are_kubernetes_own(tmp_path: Path, values: Json, version: str) -> None:
    """kubeconform finds every field in the schemas of the oldest and newest version, and no other."""
    told = helm(tmp_path, values, "template", "remit")
    assert told.returncode == 0, told.stderr
    where = schemas(tmp_path, version)
    line = [program("kubeconform"), "-strict", "-summary", "-schema-location", where]

    def checked(text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(line, input=text, capture_output=True, text=True, check=False)

    done = checked(told.stdout)
    assert done.returncode == 0, done.stdout
    assert "Valid: 8, Invalid: 0, Errors: 0, Skipped: 0" in done.stdout
    assert checked(told.stdout.replace("readOnlyRootFilesystem", "readOnlyRootFileSystem")).returncode == 1


def test_the_chart_is_sound(tmp_path: Path) -> None:
    """`helm lint --strict` has nothing to say."""
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(VALUES))
    line = [program("helm"), "lint", "--strict", "--values", str(file), str(CHART)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", WRONG)
def test_wrong_values_are_refused_with_their_reason(tmp_path: Path, name: str) -> None:
    """Nothing is rendered, and the message names the value."""
    wrong, named = WRONG[name]
    done = helm(tmp_path, VALUES | wrong, "template", "remit")
    assert done.returncode != 0
    assert done.stdout == ""
    assert named in done.stderr


def test_remit_yaml_fits_the_cluster_and_stays_the_operators(tmp_path: Path) -> None:
    """The chart sets where remit listens and stores; other values and files are as they were given."""
    data = rendered(tmp_path, FULL)["ConfigMap", "remit-bundle"]["data"]
    assert yaml.safe_load(data["remit.yaml"]) == {
        "upstreams": {"notes": {"url": "http://notes:8000/mcp"}},
        "limits": {"max_bodies_bytes": 268435456},
        "listen": {
            "host": "0.0.0.0",
            "port": 8700,
            "proxies": ["10.0.0.0/8"],
            "public_url": "https://remit.example.com",
            "tls": {"certificate": "/run/secrets/tls/tls.crt", "key": "/run/secrets/tls/tls.key"},
        },
        "store": {"kind": "postgres", "url": "file:/run/secrets/remit/postgres"},
        "replica": {"address": "env:REMIT_ADDRESS", "tls_ca": "/run/secrets/tls/ca.crt"},
        "keys": {"path": "/var/lib/remit/keys", "rotate_every": "7d"},
        "log_head": {"path": "/var/lib/remit/head"},
    }
    given = FULL["bundle"]
    assert data["policies__00-base.cedar"] == given["policies/00-base.cedar"]
    assert data["tools__notes.yaml"] == given["tools/notes.yaml"]


def test_a_changed_bundle_starts_the_replicas_again(tmp_path: Path) -> None:
    """Each file counts."""

    def checksum(values: Json) -> str:
        template = rendered(tmp_path, values)["StatefulSet", "remit"]["spec"]["template"]
        return str(template["metadata"]["annotations"]["checksum/bundle"])

    changed = FULL | {"bundle": FULL["bundle"] | {"tools/notes.yaml": "upstream: notes\n"}}
    assert checksum(FULL) == checksum(FULL) != checksum(changed)


def test_pods_meet_the_restricted_standard(tmp_path: Path) -> None:
    """Each rule of Kubernetes' Pod Security Standard `restricted`, and a read-only root besides."""
    spec = rendered(tmp_path, VALUES)["StatefulSet", "remit"]["spec"]["template"]["spec"]
    pod, (container,) = spec["securityContext"], spec["containers"]
    own = container["securityContext"]
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(spec)
    assert pod["runAsNonRoot"]
    assert pod["runAsUser"] > 0
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    kinds = {kind for one in spec["volumes"] for kind in set(one) - {"name"}}
    assert kinds == {"configMap", "secret", "persistentVolumeClaim", "emptyDir"}
    assert spec["automountServiceAccountToken"] is False


def test_remit_is_the_only_way(tmp_path: Path) -> None:
    """No pod of the namespace reaches an upstream, another pod or the world but through remit; no one from
    elsewhere reaches an upstream. Labels do not help a pod of another namespace.
    """
    found = rendered(tmp_path, FULL)
    policies = [one for (kind, _), one in found.items() if kind == "NetworkPolicy"]
    for one in policies:
        one["metadata"]["namespace"] = NAMESPACE  # as Helm applies them
    labels = found["StatefulSet", "remit"]["spec"]["template"]["metadata"]["labels"]
    remit = End(NAMESPACE, labels)
    agent, upstream = End(NAMESPACE, {"app": "agent"}), End(NAMESPACE, {"app": "notes"})
    bare, neighbor = End(NAMESPACE), End("tenant-b", labels)
    world, database = End(address="198.51.100.7"), End(address="10.0.5.10")
    names = End("kube-system", {"k8s-app": "kube-dns"})
    for one in (agent, bare, upstream):
        assert reaches(policies, one, remit, 8700)
        assert reaches(policies, one, names, 53, "UDP")
        assert not reaches(policies, one, remit, 22)
        for other, port in (
            (upstream, 8000),
            (agent, 8000),
            (world, 443),
            (database, 5432),
            (neighbor, 8700),
        ):
            assert not reaches(policies, one, other, port), (one, other)
    assert reaches(policies, remit, upstream, 8000)
    assert reaches(policies, remit, remit, 8700)
    assert reaches(policies, remit, database, 5432)
    assert not reaches(policies, remit, world, 443)
    assert not reaches(policies, remit, database, 22)
    assert reaches(policies, End("gateway", {"app": "envoy"}), remit, 8700)
    for one in (neighbor, world, End("gateway", {"app": "envoy"})):
        assert not reaches(policies, one, upstream, 8000)
    assert not reaches(policies, neighbor, remit, 8700)
    assert not reaches(policies, world, remit, 8700)
