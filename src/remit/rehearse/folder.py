# SPDX-License-Identifier: Apache-2.0
"""The folder of a rehearsal: an unchanged bundle, with the files of `remit init` for missing parts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import yaml

from remit.config import (
    CONFIG_NAME,
    Config,
    IssuerSection,
    KeysSection,
    LogHeadSection,
    StoreSection,
    TrustSection,
    UpstreamSection,
    load_config,
)
from remit.config.scaffold import scaffold
from remit.config.sections.governance import AgentsSection
from remit.config.sections.oauth import OAuthSection
from remit.config.sections.sign_in import SignInSection
from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json

#: A person may study a call for any length of time before giving the tool's result.
PATIENCE_S = 30 * 86_400
#: Rehearsals open tasks as fast as they can; the limits of a production gateway are not their subject.
MANY = 10_000_000
_NO_UPSTREAM = "tools"


def config_of(bundle: Path | None, place: Path) -> Config:
    """Read the configuration of a bundle; write missing parts to `place` as `remit init` does.

    Raises `ConfigInvalid` if the folder does not exist, or its configuration is invalid.
    """
    if bundle is not None and not bundle.is_dir():
        raise ConfigInvalid(
            "is not a folder", file=str(bundle), remediation="give a folder like one made by `remit init`"
        )
    if bundle is not None and (bundle / CONFIG_NAME).exists():
        config = load_config(bundle)
        if config.policy.path != "policies" or (bundle / "policies").is_dir():
            return config
    _fill(bundle, place)
    return load_config(place)


def alone(config: Config, place: Path) -> Config:
    """Return the configuration with all its files under `place`, and without any external connection.

    INVARIANT: a rehearsal touches no store, key, secret, server or issuer of the installation that it
    rehearses.
    """
    upstreams = {
        name: UpstreamSection(command=("rehearsed",), mode=one.mode, sender_constraint=one.sender_constraint)
        for name, one in config.upstreams.items()
    }
    # Rules may read the claims that issuers bring; no token of theirs is shown, and no key of theirs is read.
    claims = {
        name: IssuerSection(issuer="https://rehearsed.invalid", jwks_file="rehearsed", posture=one.posture)
        for name, one in config.trust.issuers.items()
        if one.posture
    }
    return msgspec.structs.replace(
        config,
        store=StoreSection(path=str(place / "remit.db"), durability="buffered"),
        keys=KeysSection(path=str(place / "keys")),
        log_head=LogHeadSection(path=str(place / "head")),
        workload_api=None,
        trust=TrustSection(issuers=claims),
        sign_in=SignInSection(),
        oauth=OAuthSection(),
        agents=AgentsSection(
            suspend_on=config.agents.suspend_on, openings_per_minute=MANY, open_at_once=MANY
        ),
        limits=msgspec.structs.replace(config.limits, call_timeout_s=PATIENCE_S),
        upstreams=upstreams,
    )


def _fill(bundle: Path | None, place: Path) -> None:
    """Write a complete bundle to `place`: the existing parts, and the others as `remit init` writes them."""
    scaffold(place, sample=False)
    written = bundle is not None and (bundle / CONFIG_NAME).exists()
    if bundle is not None:
        config = load_config(bundle) if written else None
        folders = ("policies", config.tools, config.tasks) if config else ("policies", "tools", "tasks")
        for name in folders:
            if (bundle / name).is_dir():
                shutil.rmtree(place / name, ignore_errors=True)
                shutil.copytree(bundle / name, place / name)
        if written:
            shutil.copyfile(bundle / CONFIG_NAME, place / CONFIG_NAME)
        for upstream in config.upstreams.values() if config else ():
            if upstream.openapi and (bundle / upstream.openapi).is_file():
                (place / upstream.openapi).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(bundle / upstream.openapi, place / upstream.openapi)
    if not written:
        upstreams = {name: {"command": ["rehearsed"]} for name in _upstreams(place / "tools")}
        (place / CONFIG_NAME).write_text(json.dumps({"upstreams": upstreams}), encoding="utf-8")


def _upstreams(tools: Path) -> list[str]:
    """Return the upstreams that tool files name; problems of the files are reported when they are read."""
    found = []
    for path in sorted((*tools.rglob("*.yaml"), *tools.rglob("*.yml"))):
        try:
            written: Json = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            continue
        if isinstance(written, dict) and isinstance(written.get("upstream"), str):
            found.append(written["upstream"])
    return list(dict.fromkeys(found)) or [_NO_UPSTREAM]
