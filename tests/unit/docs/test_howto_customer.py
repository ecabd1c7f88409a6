# SPDX-License-Identifier: Apache-2.0
"""The files of the guide to one customer's records work as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.architecture.tree import ROOT

PAGE = (ROOT / "docs" / "howto" / "only-this-customer.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```[a-z]+\n(?:#|//) ([a-z0-9_./-]+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
CONFIG = 'upstreams: {shop: {url: "https://shop-mcp.example.com/mcp"}}\n'


def test_the_example_of_the_guide_passes_its_own_tests(tmp_path: Path) -> None:
    """Tools, task type, policy and test, beside the default guardrails."""
    files = BLOCK.findall(PAGE)
    assert [name for name, _ in files] == [
        "tools/shop.yaml",
        "tasks/serve-customer.yaml",
        "policies/50-shop.cedar",
        "test_shop.py",
    ]
    for name, text in (*files, ("remit.yaml", CONFIG)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for guardrail in (ROOT / "src/remit/templates/policies").glob("*.cedar"):
        (tmp_path / "policies" / guardrail.name).write_bytes(guardrail.read_bytes())
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(tmp_path)],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
