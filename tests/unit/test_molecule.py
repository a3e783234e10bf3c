# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every scenario of Molecule has the playbooks that it runs: Molecule calls a missing one successful."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

SCENARIOS = sorted((Path(__file__).parents[2] / "extensions" / "molecule").glob("*/molecule.yml"))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.parent.name)
def test_a_scenario_has_its_playbooks(scenario):
    sequence = yaml.safe_load(scenario.read_text())["scenario"]["test_sequence"]
    playbooks = {"converge" if action == "idempotence" else action for action in sequence}

    assert "verify" in playbooks
    assert not [name for name in sorted(playbooks) if not (scenario.parent / f"{name}.yml").is_file()]


def test_there_are_scenarios():
    assert len(SCENARIOS) > 1
