# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""leaver_report: a thin name; what the formats hold is in plugin_utils/test_report.py."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.m365.offboarding.plugins.filter import leaver_report
from ansible_collections.m365.offboarding.plugins.plugin_utils._report import FORMATS
from tools import sample_evidence

report = leaver_report.FilterModule().filters()["leaver_report"]


def test_it_gives_the_format_that_is_asked_for():
    evidence = sample_evidence.evidence(2)

    assert json.loads(report(evidence, "json")) == evidence
    assert report(evidence, format="xml").startswith("<?xml")


def test_a_format_that_is_not_known_is_refused_in_a_sentence():
    with pytest.raises(AnsibleFilterError, match="'pdf' is not a report format"):
        report(sample_evidence.evidence(1), "pdf")


def test_the_formats_are_documented_as_they_are():
    options = yaml.safe_load(leaver_report.DOCUMENTATION)["options"]

    assert options["format"]["choices"] == list(FORMATS)
