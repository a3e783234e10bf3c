# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page about credentials names the options, variables and addresses that the plugins know."""

from __future__ import annotations

import dataclasses
import re

from ansible_collections.m365.offboarding.plugins.module_utils._clouds import CLOUDS
from ansible_collections.m365.offboarding.plugins.module_utils._credentials import ENVIRONMENT, KINDS
from tools.guides import tables

CREDENTIALS, ADDRESSES = tables("authentication")[:2]


def test_clouds():
    reported = {row[0].strip("`"): tuple(f"https://{cell.strip('`')}" for cell in row[2:]) for row in ADDRESSES}

    assert reported == {cloud: dataclasses.astuple(endpoints) for cloud, endpoints in CLOUDS.items()}


def test_credentials():
    reported = {
        tuple(option for option in re.findall(r":ansopt:`[^`]+:(\w+)`", row[1]) if option != "client_id"): tuple(
            re.findall(r":envvar:`(\w+)`", row[2])
        )
        for row in CREDENTIALS
    }

    assert reported == {
        options: tuple(variable for option in options for variable in ENVIRONMENT[option]) for options in KINDS.values()
    }
