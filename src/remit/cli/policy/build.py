# SPDX-License-Identifier: Apache-2.0
"""`remit policy build`."""

from __future__ import annotations

import base64
from pathlib import Path

from remit.cli.global_options import current
from remit.cli.output import terminal


def build(file: Path = Path("policies.tar.gz"), /) -> None:
    """Build the Rego policies: a bundle for an OPA server, or for a remit where `opa` is not installed.

    The policies are checked first. With `policy.kind: opa` give the file to the OPA server: its revision is
    what remit expects in every answer. With `policy.kind: rego` put it into the folder of the policies, in
    place of the sources. For example, build it in CI after `remit policy check`.

    Parameters
    ----------
    file
        The file to write.
    """
    from remit.cli.doctor.files import last_seen
    from remit.compose import built_policies
    from remit.config import load_bundle, load_config

    config = load_config(current().config_file)
    bundle = load_bundle(config)
    content = base64.b64decode(built_policies(config, bundle, last_seen(config, bundle)[0]).text)
    file.write_bytes(content)
    if terminal.is_json():
        terminal.answer({"file": str(file.absolute()), "bytes": len(content), "kind": config.policy.kind})
        return
    terminal.say("Wrote ", terminal.text(str(file), "bold"))
