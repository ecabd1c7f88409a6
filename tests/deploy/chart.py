# SPDX-License-Identifier: Apache-2.0
"""The Helm chart, rendered, and the schemas of Kubernetes that its objects are checked against."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.architecture.tree import ROOT

Json = Any

CHART = ROOT / "deploy/helm/remit"
NAMESPACE = "tenant-a"
#: Values that any installation has; the image is never pulled.
VALUES: Json = {
    "image": f"registry.example.com/remit@sha256:{'0' * 64}",
    "publicUrl": "https://remit.example.com",
    "bundle": {"remit.yaml": "upstreams: {notes: {url: 'http://notes:8000/mcp'}}\n"},
    "tlsSecret": "remit-tls",
    "secret": "remit",
    "stateClaim": "remit-state",
}


def program(name: str, by: str = "helm") -> str:
    """Return where a program lies that `.ci/helm` or another script there builds, or skip the test."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"no `{name}` here (`.ci/{by}`)")
    return found


def helm(folder: Path, values: Json, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Helm on the chart and a values file."""
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    line = [program("helm"), *words, str(CHART), "--namespace", NAMESPACE, "--values", str(file)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def rendered(folder: Path, values: Json) -> dict[tuple[str, str], Json]:
    """Return the objects of a release `remit`, by kind and name."""
    done = helm(folder, values, "template", "remit")
    assert done.returncode == 0, done.stderr
    found = [one for one in yaml.safe_load_all(done.stdout) if one is not None]
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def schemas(folder: Path, version: str) -> str:
    """Lay the strict schemas of a version of Kubernetes out for kubeconform; gives where they are.

    The package names them by addresses, at which nothing is looked up here.
    """
    package = pytest.importorskip("kubernetes_validate", reason="no schemas here (`kubernetes-validate`)")
    source = resources.files(package.__name__) / "kubernetes-json-schema" / f"v{version}-local-strict"
    with resources.as_file(source) as files:
        for one in files.glob("*-v1.json"):
            _relative(one, folder)
        _relative(files / "_definitions.json", folder)
    return f"{folder}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"


def _relative(file: Path, folder: Path) -> None:
    schema = json.loads(file.read_text().replace('"/api/_definitions.json', '"_definitions.json'))
    schema.pop("$id", None)
    (folder / file.name).write_text(json.dumps(schema))
