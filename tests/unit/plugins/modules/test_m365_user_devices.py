# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""m365_user_devices: which devices may be disabled, and which are left as they are. See test_objects for the rest."""

from __future__ import annotations

import pytest

from fakes.closing import READING, closing, expect
from fakes.people import person
from fakes.residual import device, devices, owned, registered
from fakes.turns import find
from fakes.wire import GRAPH, Reply, Turn

MODULE = "m365_user_devices"
JANE, UPN = person("jane.doe"), "jane.doe@contoso.com"


@pytest.fixture(autouse=True)
def granted(lab):
    lab.entra.permissions["https://graph.microsoft.com"] = (*READING, "Device.ReadWrite.All")


def laptop(number=1, **facts):
    return device(f"LAPTOP-{number}", id=f"device-{number}", **facts)


def test_owned_and_registered_devices_are_disabled_once_each_and_the_disabled_are_left(lab):
    disabled = laptop(1, accountEnabled=False)
    expect(
        lab,
        find(JANE),
        (registered(JANE, laptop(1), laptop(3, accountEnabled=False)), owned(JANE, laptop(1), laptop(2))),
    )
    expect(lab, (closing(MODULE, JANE, 1), closing(MODULE, JANE, 2)))
    expect(lab, (registered(JANE, disabled), owned(JANE, laptop(2, accountEnabled=False))))

    reported = lab.run(MODULE, users=UPN, state="disabled", phones=False)

    assert reported.statuses == ["verified"]
    assert reported.user["before"]["device-1"] == {
        "name": "LAPTOP-1",
        "operating_system": "Windows",
        "account_enabled": True,
        "synced": False,
    }
    assert {key: one["account_enabled"] for key, one in reported.user["after"].items()} == {
        "device-1": False,
        "device-2": False,
    }


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"operatingSystem": "iOS"}, "Microsoft lets an application disable Windows devices only"),
        ({"operatingSystem": None}, "Microsoft lets an application disable Windows devices only"),
        ({"onPremisesSyncEnabled": True}, "synced from Active Directory: disable the computer there"),
    ],
)
def test_what_cannot_be_disabled_here_is_reported_with_the_reason_and_fails_nothing(lab, facts, reason):
    expect(lab, find(JANE), devices(JANE, laptop(1, **facts), laptop(2)), closing(MODULE, JANE, 2))
    expect(lab, devices(JANE, laptop(1, **facts), laptop(2, accountEnabled=False)))

    reported = lab.run(MODULE, users=UPN, state="disabled", phones=False)

    assert (reported.statuses, reported.failed) == (["verified"], False)
    assert {one["key"]: one["status"] for one in reported.user["objects"]} == {
        "device-1": "not_applicable",
        "device-2": "verified",
    }
    assert reason in reported.user["objects"][1]["note"]
    assert reported.user["note"].startswith("Left as it is: device LAPTOP-1. ")
    assert reported.user["after"]["device-1"] == reported.user["before"]["device-1"]


def test_with_only_such_devices_nothing_is_sent_and_nothing_changed(lab):
    expect(lab, find(JANE), devices(JANE, laptop(1, operatingSystem="Android")))

    reported = lab.run(MODULE, users=UPN, state="disabled", phones=False)

    assert (reported.statuses, reported.changed, reported.failed) == (["unchanged"], False, False)
    assert "LAPTOP-1" in reported.user["note"]


def test_a_signed_in_administrator_disables_phones_too(lab):
    lab.entra.permissions["https://graph.microsoft.com"] = (*READING, "Directory.AccessAsUser.All")
    expect(lab, find(JANE), devices(JANE, laptop(1, operatingSystem="iOS")), closing(MODULE, JANE, 1))
    expect(lab, devices(JANE, laptop(1, operatingSystem="iOS", accountEnabled=False)))

    assert lab.run(MODULE, users=UPN, state="disabled", phones=False).statuses == ["verified"]


def test_only_the_devices_of_the_evidence_are_enabled_again_and_only_if_they_are_still_the_users(lab):
    was = {"name": "LAPTOP", "account_enabled": True}
    entries = [{"key": key, "kind": "device", "name": "LAPTOP", "before": was} for key in ("device-1", "device-9")]
    expect(lab, find(JANE), devices(JANE, laptop(1, accountEnabled=False), laptop(2, accountEnabled=False)))
    expect(lab, Turn("PATCH", GRAPH, "/v1.0/devices/device-1", body={"accountEnabled": True}, reply=Reply(204)))
    expect(lab, devices(JANE, laptop(1), laptop(2, accountEnabled=False)))

    reported = lab.run(MODULE, users=UPN, state="enabled", phones=False, objects={UPN: entries})

    assert reported.statuses == ["verified"]
    assert {one["key"]: one["status"] for one in reported.user["objects"]} == {
        "device-1": "verified",
        "device-9": "not_applicable",
    }
    assert "It is no longer a device of this user." in reported.user["note"]
