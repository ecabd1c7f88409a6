# SPDX-License-Identifier: Apache-2.0
"""The Workload API serves the SPIFFE project's own Go library, which checks more than the one for Python."""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from remit.adapters.peers.linux import CAN_TELL
from remit.services.identity.svid_issuing import SvidRule
from tests.worlds.workload import OURS, workload_world

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CAN_TELL, reason="this system does not tell who is at a Unix socket"),
]

LIBRARY = "github.com/spiffe/go-spiffe/v2"
VERSION = "v2.9.0"
#: Compiling it from nothing takes minutes on a small machine; another time it takes seconds.
BUILD_S = 1800
ROOT = Path(__file__).parents[3]

PROGRAM = """
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

const audience = "https://remit.example"

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	client, err := workloadapi.New(ctx)
	must(err)
	defer client.Close()
	held, err := client.FetchX509Context(ctx)
	must(err)
	svid := held.DefaultSVID()
	id, _, err := x509svid.Verify(svid.Certificates, held.Bundles)
	must(err)
	token, err := client.FetchJWTSVID(ctx, jwtsvid.Params{Audience: audience})
	must(err)
	keys, err := client.FetchJWTBundles(ctx)
	must(err)
	checked, err := jwtsvid.ParseAndValidate(token.Marshal(), keys, []string{audience})
	must(err)
	told, err := client.ValidateJWTSVID(ctx, token.Marshal(), audience)
	must(err)
	fmt.Println(id, checked.ID, told.ID, svid.Hint)
}
"""


def workload() -> Path:
    """Return a workload that is written in Go; skips the test, with the reason, where it cannot be built."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("the library is a Go module, and there is no Go here")
    folder = ROOT / "build" / "go-spiffe"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.go").write_text(PROGRAM)
    parts = [f"{LIBRARY}/{part}@{VERSION}" for part in ("workloadapi", "svid/jwtsvid", "svid/x509svid")]
    steps = [
        *([] if (folder / "go.mod").exists() else [[go, "mod", "init", "example.org/workload"]]),
        [go, "get", *parts],
        [go, "build", "-o", "workload", "."],
    ]
    for step in steps:
        try:
            done = subprocess.run(
                step, cwd=folder, capture_output=True, text=True, timeout=BUILD_S, check=False
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"`{' '.join(step[:2])}` did not end within {BUILD_S} s")
        if done.returncode:
            pytest.skip(f"the workload cannot be built: `{' '.join(step[:2])}` said {done.stderr[-300:]}")
    return folder / "workload"


async def test_a_workload_in_go_is_served(tmp_path: Path) -> None:
    """It verifies what it gets itself, and is another program than this one."""
    program = await asyncio.to_thread(workload)
    rules = [SvidRule(spiffe_id=OURS, uid=os.getuid(), hint="go")]
    async with workload_world(tmp_path, rules=rules) as world:
        process = await asyncio.create_subprocess_exec(
            str(program),
            env={**os.environ, "SPIFFE_ENDPOINT_SOCKET": world.endpoint},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told, _ = await process.communicate()
        assert (process.returncode, told.decode()) == (0, f"{OURS} {OURS} {OURS} go\n")
        x509, jwt = await world.facts("svid.issued")
        assert (x509["form"], jwt["form"]) == ("x509", "jwt")
