# SPDX-License-Identifier: Apache-2.0
"""Processes and volumes as a kubelet makes them for the objects of the chart."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.deploy.containers import Container, Mount
from tests.deploy.image import Image
from tests.deploy.networks import Network

Json = Any
#: Any user but that of remit.
AGENT_USER = 4711


class Pod:
    """One pod: its place in the network, and its only container."""

    def __init__(self, name: str, container: Container, spec: Json, address: str, log: Path) -> None:
        self.name, self.container, self.address, self.log = name, container, address, log
        (self.spec,) = spec["containers"]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start what its manifest names: the image's program with its arguments."""
        own = self.container.image.config
        command = self.spec.get("command", own["Entrypoint"])
        self.process = self.container.start(self.log, *command, *self.spec.get("args", own["Cmd"]))

    def probed(self, name: str) -> bool:
        """Ask one of its probes as a kubelet does: by address, whatever the certificate."""
        asked = self.spec[name]["httpGet"]
        (port,) = [one["containerPort"] for one in self.spec["ports"] if one["name"] == asked["port"]]
        assert asked["scheme"] == "HTTPS"
        unverified = ssl.create_default_context()
        unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
        line = http.client.HTTPSConnection(
            self.address, port, timeout=self.spec[name].get("timeoutSeconds", 1), context=unverified
        )
        with contextlib.closing(line), contextlib.suppress(OSError):
            line.request("GET", asked["path"])
            return 200 <= line.getresponse().status < 400
        return False

    def run(self, *words: str, given: str = "") -> str:
        """Run a program in its container, as `kubectl exec` does."""
        assert self.process is not None
        return self.container.beside(self.process, *words, given=given)

    def told(self, pattern: str) -> str:
        """Return what its log says, once it does."""
        found = re.search(pattern, self.log.read_text())
        return found[0] if found else ""


class Cluster:
    """A namespace with its secrets and its claim, and the pods of a rendered StatefulSet."""

    def __init__(self, folder: Path, image: Image, network: Network, namespace: str) -> None:
        self.folder, self._image, self._network, self.namespace = folder, image, network, namespace
        self._hosts = folder / "hosts"
        self._hosts.write_text("127.0.0.1 localhost\n")
        self.pods: list[Pod] = []

    def name(self, host: str, address: str) -> None:
        """Let a name lead to an address, as the cluster's names do."""
        with self._hosts.open("a") as hosts:
            hosts.write(f"{address} {host}\n")

    def secret(self, name: str, data: Mapping[str, bytes | str]) -> None:
        """Make a Secret."""
        self._lay(
            f"secret-{name}",
            {key: one.encode() if isinstance(one, str) else one for key, one in data.items()},
        )

    def replicas(self, objects: Mapping[tuple[str, str], Json]) -> list[Pod]:
        """Lay out the pods of the only StatefulSet, not yet started."""
        ((_, owner),) = [(key, one) for key, one in objects.items() if key[0] == "StatefulSet"]
        template, service = owner["spec"]["template"]["spec"], owner["spec"]["serviceName"]
        assert objects["Service", service]["spec"]["clusterIP"] == "None"
        for (kind, name), one in objects.items():
            if kind == "ConfigMap":
                (items,) = [
                    volume["configMap"]["items"]
                    for volume in template["volumes"]
                    if volume.get("configMap", {}).get("name") == name
                ]
                files = {item["path"]: one["data"][item["key"]].encode() for item in items}
                self._lay(f"configMap-{name}", files)
        made = []
        for number in range(owner["spec"]["replicas"]):
            pod = self._pod(f"{owner['metadata']['name']}-{number}", template)
            self.name(f"{pod.name}.{service}.{self.namespace}.svc", pod.address)
            made.append(pod)
        return made

    def client(self, mounts: list[Mount]) -> Container:
        """Lay out a container of an agent, which has the names of the cluster and no secret."""
        network, _ = self._network.place()
        hosts = Mount("/etc/hosts", self._hosts)
        return Container(self._image, AGENT_USER, [Mount("/tmp"), hosts, *mounts], network=network)

    def _pod(self, name: str, template: Json) -> Pod:
        (container,) = template["containers"]
        security, group = template["securityContext"], template["securityContext"]["fsGroup"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert security["runAsUser"] == security["runAsGroup"] == group
        env: dict[str, str] = {}
        for one in container["env"]:
            if "valueFrom" in one:
                assert one["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
                env[one["name"]] = name
            else:
                env[one["name"]] = re.sub(r"\$\((\w+)\)", lambda found: env[found[1]], one["value"])
        volumes = {one["name"]: one for one in template["volumes"]}
        mounts = [Mount("/etc/hosts", self._hosts)]
        for one in container["volumeMounts"]:
            source = self._source(volumes[one["name"]], group)
            mounts.append(Mount(one["mountPath"], source, not one.get("readOnly", False)))
        network, address = self._network.place()
        made = Container(self._image, security["runAsUser"], mounts, env=env, network=network)
        pod = Pod(name, made, template, address, self.folder / f"{name}.log")
        self.pods.append(pod)
        return pod

    def _source(self, volume: Json, group: int) -> Path | None:
        """Return the folder of a volume, with the rights that a kubelet gives it."""
        (kind,) = set(volume) - {"name"}
        if kind == "emptyDir":
            return None
        if kind == "persistentVolumeClaim":
            claim: Path = self.folder / volume[kind]["claimName"]
            claim.mkdir(exist_ok=True)
            os.chown(claim, 0, group)
            claim.chmod(0o2775)
            return claim
        if kind == "configMap":
            return self.folder / f"configMap-{volume[kind]['name']}"
        folder = self.folder / f"secret-{volume[kind]['secretName']}"
        for file in (folder / "..data").iterdir():
            os.chown(file, 0, group)
            file.chmod(volume[kind]["defaultMode"])
        return folder

    def _lay(self, name: str, files: Mapping[str, bytes]) -> None:
        """Lay files out as a kubelet does, so that all of them change at once: behind a link."""
        folder = self.folder / name
        data = folder / "..2026_12_02"
        data.mkdir(parents=True)
        for path, content in files.items():
            file = data / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        (folder / "..data").symlink_to(data.name)
        for top in {path.partition("/")[0] for path in files}:
            (folder / top).symlink_to(f"..data/{top}")

    def end(self) -> None:
        """End every pod that still runs."""
        for one in self.pods:
            if one.process is not None and one.process.poll() is None:
                one.process.kill()
                one.process.wait(60)
