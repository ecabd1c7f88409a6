# SPDX-License-Identifier: Apache-2.0
"""Builds the native reader of results with the compiler that comes as a wheel: no other is needed.

`python .ci/hatch_build.py` builds it in place, as an editable install does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

READER = "src/remit/core/flow/reader"


def build(root: Path) -> None:
    """Build the library beside its source. It needs no other library, not even that of C."""
    source, library = root / READER / "reader.zig", root / READER / "libreader.so"
    with tempfile.TemporaryDirectory() as cache:
        made = Path(cache) / "libreader.so"
        options = ("-dynamic", "-O", "ReleaseSafe", "-fstrip", "-mcpu=baseline", f"-femit-bin={made}")
        subprocess.run(  # noqa: S603  the interpreter that builds, with fixed arguments
            (sys.executable, "-m", "ziglang", "build-lib", str(source), *options),
            check=True,
            env=os.environ | {"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache},
        )
        # A process that has loaded the old library keeps it.
        beside = library.with_suffix(".new")
        beside.write_bytes(made.read_bytes())
        beside.replace(library)


class ReaderBuildHook(BuildHookInterface[Any]):
    """Builds the library for a wheel, which is for this platform and any Python 3."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the library, and put it into the wheel."""
        build(Path(self.root))
        build_data["artifacts"].append(f"{READER}/libreader.so")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{next(platform_tags())}"


if __name__ == "__main__":
    build(Path(__file__).parent.parent)
