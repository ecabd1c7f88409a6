# SPDX-License-Identifier: Apache-2.0
"""The section `models:` of `remit.yaml`, and budgets of money in task types."""

from __future__ import annotations

from pathlib import Path

import pytest

from remit.config import Config, load_bundle, load_config, problems
from remit.config.load import examine_config
from remit.core.policy.bundle import Bundle, from_kept, kept_form
from remit.core.tasks.model_prices import NO_PRICES, ModelPrice

UPSTREAM = "upstreams: {notes: {command: [python, notes.py]}}\n"
MODELS = "models: {currency: EUR, prices: {m-1: {input: 3, output: '15', cached: 0.30, cache_write: 3.75}}}\n"
TASK = """\
task: think
purpose: Think
run_by: [bot]
requested_by: ["group:all"]
budgets: {spend: 2.50}
grants: [{tool: notes/read}]
"""


def write(folder: Path, settings: str, task: str = TASK) -> Path:
    """Write a bundle with one task type."""
    (folder / "policies").mkdir()
    (folder / "policies" / "all.cedar").write_text(
        "permit (principal, action, resource);\n", encoding="utf-8"
    )
    (folder / "tasks").mkdir()
    (folder / "tasks" / "think.yaml").write_text(task, encoding="utf-8")
    (folder / "remit.yaml").write_text(UPSTREAM + settings, encoding="utf-8")
    return folder


def read(folder: Path, settings: str, task: str = TASK) -> tuple[Config, Bundle]:
    """Load a configuration with its bundle."""
    config = load_config(write(folder, settings, task))
    return config, load_bundle(config)


def test_prices_and_budgets_are_whole_millionths(tmp_path: Path) -> None:
    """As numbers or as texts; what is not given costs as the input."""
    _, bundle = read(tmp_path, MODELS.replace("}}}", "}, 'm-*': {input: 1, output: 0.000001}}}"))
    assert bundle.prices.currency == "EUR"
    assert dict(bundle.prices.models) == {
        "m-1": ModelPrice(3_000_000, 15_000_000, 300_000, 3_750_000),
        "m-*": ModelPrice(1_000_000, 1, 1_000_000, 1_000_000),
    }
    assert bundle.task_types["think"].budgets.spend == 2_500_000
    assert from_kept(kept_form(bundle)) == bundle


def test_a_budget_of_money_needs_prices(tmp_path: Path) -> None:
    """It could not be counted; the error names the line and the remedy."""
    (found,) = problems(write(tmp_path, ""))
    assert (found.file, found.line, found.key) == ("tasks/think.yaml", 5, "budgets.spend")
    assert "`models`" in found.remediation


def test_without_the_section_there_are_no_prices(tmp_path: Path) -> None:
    """Tokens are counted all the same."""
    _, bundle = read(tmp_path, "", TASK.replace("spend: 2.50", "tokens: 5"))
    assert bundle.prices == NO_PRICES


def test_other_prices_are_in_force_without_a_restart(tmp_path: Path) -> None:
    """They are part of the bundle."""
    config, bundle = read(tmp_path, MODELS)
    (tmp_path / "remit.yaml").write_text(UPSTREAM + MODELS.replace("3.75", "4"), encoding="utf-8")
    later = load_config(tmp_path)
    assert later.waiting(config) == ()
    assert load_bundle(later).digest != bundle.digest


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("input: 3", "input: -3", "must be an amount of money"),
        ("input: 3", "input: 1.0000001", "must be an amount of money"),
        ("input: 3", "input: '1e3'", "must be an amount of money"),
        ("input: 3", "input: 1000000", "must be an amount of money"),
        ("input: 3", "input: true", "must be an amount of money"),
        ("input: 3, ", "", "input"),
        ("EUR", "euro", "three capital letters"),
        ("prices: {", "prices: {}, other: {", "prices"),
    ],
)
def test_what_is_no_price_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    """The key of the entry is named."""
    _, found = examine_config(write(tmp_path, MODELS.replace(old, new)))
    assert any(said in f"{one} {one.key} {one.remediation}" for one in found), found
    assert all(one.key.startswith("models") for one in found)
