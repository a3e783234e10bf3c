# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""m365_user_devices on phones: partnerships are blocked, wiped only where asked for, and let in again."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.entra import refusal
from fakes.people import guest, mailbox, person
from fakes.residual import device, owned, phone, registered, rows
from fakes.turns import _cmdlet, exchange_error, find, get_mailbox, no_mailbox, set_mailbox, throttled
from fakes.wire import GRAPH, Reply, Turn

MODULE = "m365_user_devices"
JANE = person("jane.doe")
UPN = "jane.doe@contoso.com"
GUID = "b0000000-0000-4000-8000-00000000000b"
TABLE = {"@odata.type": "#Exchange.GenericHashTable"}
KEY, WIPE_KEY = "APPL0001", f"wipe {GUID}"


def devices(*found: dict) -> list[Turn]:
    return [registered(JANE, *found), owned(JANE)]


def read(*phones: dict, blocked: tuple[str, ...] = (), wiped: Any = ..., found: tuple = ()) -> list[Turn]:
    """Return how the devices of a user are read; the two lists of Graph in one batch, hence apart."""
    statistics = {"Guid": GUID, "DeviceFriendlyName": "iPhone", "AccountOnlyDeviceWipeRequestTime": wiped}
    wipes = [] if wiped is ... else [rows("Get-MobileDeviceStatistics", JANE, statistics, by="Mailbox")]
    lists = mailbox(JANE, ActiveSyncBlockedDeviceIDs=list(blocked))
    own = [rows("Get-MobileDevice", JANE, *phones, by="Mailbox"), *([get_mailbox(JANE, lists)] if phones else [])]
    return [*wipes, *own]


def expect(lab, *turns: Turn, wipes: bool = False, found: tuple = ()) -> None:
    """Expect a reading: the wipes come before the devices, the phones after them."""
    first = 1 if wipes else 0
    lab.wire.expect_each(*turns[:first])
    lab.wire.expect(*devices(*found))
    lab.wire.expect_each(*turns[first:])


def block(device_id: str = KEY, *, change: str = "add") -> Turn:
    return set_mailbox(JANE, ActiveSyncBlockedDeviceIDs={**TABLE, change: device_id})


def wipe() -> Turn:
    return _cmdlet("Clear-MobileDevice", {"Identity": GUID, "AccountOnly": True, "Confirm": False}, [])


def run(lab, state="disabled", **options):
    return lab.run(MODULE, users=UPN, state=state, **options)


def test_a_phone_is_blocked_by_the_list_of_the_mailbox_and_read_back_there(lab):
    lab.wire.expect_each(find(JANE))
    expect(lab, *read(phone()))
    lab.wire.expect_each(block())
    expect(lab, *read(phone(), blocked=(KEY,)))

    reported = run(lab)

    assert (reported.statuses, reported.changed) == (["verified"], True)
    before = {
        "name": "iPhone",
        "operating_system": "iOS 26.1",
        "client": "EAS",
        "access_state": "Allowed",
        "blocked": False,
    }
    assert reported.user["before"] == {KEY: before}
    assert reported.user["after"] == {KEY: {**before, "blocked": True}}
    assert reported.user["objects"][0]["kind"] == "phone"


@pytest.mark.parametrize(
    ("facts", "blocked"), [({"DeviceAccessState": "Blocked"}, ()), ({}, (KEY,)), ({}, ("appl0001", "APPL0009"))]
)
def test_a_phone_that_is_kept_out_already_is_not_written(lab, facts, blocked):
    lab.wire.expect_each(find(JANE))
    expect(lab, *read(phone(**facts), blocked=blocked))

    assert run(lab).statuses == ["unchanged"]


def test_devices_and_phones_each_go_to_their_own_service(lab):
    laptop = device()
    write = Turn("PATCH", GRAPH, f"/v1.0/devices/{laptop['id']}", body={"accountEnabled": False}, reply=Reply(204))
    lab.wire.expect_each(find(JANE))
    expect(lab, *read(phone()), found=(laptop,))
    lab.wire.expect_each(write, block())
    expect(lab, *read(phone(), blocked=(KEY,)), found=({**laptop, "accountEnabled": False},))

    reported = run(lab)

    assert [(one["kind"], one["status"]) for one in reported.user["objects"]] == [
        ("device", "verified"),
        ("phone", "verified"),
    ]


def test_nothing_is_wiped_unless_it_is_asked_for_and_then_before_the_phone_is_blocked(lab):
    lab.wire.expect_each(find(JANE))
    expect(lab, *read(phone(), wiped=None), wipes=True)
    lab.wire.expect(wipe(), block())
    expect(lab, *read(phone(), wiped="2026-11-20T16:00:00Z", blocked=(KEY,)), wipes=True)

    reported = run(lab, wipe_phones="account_only")

    assert [(one["key"], one["status"]) for one in reported.user["objects"]] == [
        (WIPE_KEY, "verified"),
        (KEY, "verified"),
    ]
    assert reported.user["objects"][0]["after"] == {"name": "iPhone", "wipe_requested": True}
    assert "cannot be undone" in reported.user["objects"][0]["note"]
    assert reported.user["objects"][1]["note"] is None


@pytest.mark.parametrize("name", ["AccountOnlyDeviceWipeRequestTime", "DeviceWipeRequestTime"])
def test_a_phone_is_reported_once(lab, name):
    statistics = {"Guid": GUID, "DeviceFriendlyName": "iPhone", name: "2026-11-20T16:00:00Z"}
    lab.wire.expect_each(find(JANE), rows("Get-MobileDeviceStatistics", JANE, statistics, by="Mailbox"))
    lab.wire.expect(*devices())
    lab.wire.expect_each(*read(phone(), blocked=(KEY,)))

    assert run(lab, wipe_phones="account_only").statuses == ["unchanged"]


def test_a_phone_that_is_too_old_fails_and_is_blocked_all_the_same(lab):
    refused = exchange_error(400, "x.TaskInvalidOperationException", "It doesn't support an account only remote wipe.")
    lab.wire.expect_each(find(JANE))
    expect(lab, *read(phone(), wiped=None), wipes=True)
    lab.wire.expect(wipe().but(refused), block())
    expect(lab, *read(phone(), wiped=None, blocked=(KEY,)), wipes=True)

    reported = run(lab, wipe_phones="account_only")

    assert [one["status"] for one in reported.user["objects"]] == ["failed", "verified"]
    assert "Could not disable the account on phone iPhone of jane.doe@contoso.com (account-only wipe)" in reported.msg


def test_check_mode_foretells_a_wipe(lab):
    lab.wire.expect_each(find(JANE))
    expect(lab, *read(phone(), wiped=None), wipes=True)

    reported = run(lab, check=True, wipe_phones="account_only")

    assert reported.statuses == ["planned"]
    assert reported.user["after"][WIPE_KEY]["wipe_requested"] is True
    assert "cannot be undone" in reported.user["objects"][0]["note"]


def test_phones_may_be_left_out(lab):
    lab.wire.expect_each(find(JANE))
    lab.wire.expect(*devices())

    assert run(lab, phones=False).statuses == ["unchanged"]


def test_a_user_who_has_no_mailbox_has_no_phones(lab):
    ann = guest(assignedPlans=[])
    lab.wire.expect_each(find(ann))
    lab.wire.expect(registered(ann), owned(ann))
    lab.wire.expect_each(rows("Get-MobileDevice", ann, by="Mailbox").but(no_mailbox(ann)))

    reported = lab.run(MODULE, users=ann["userPrincipalName"], state="disabled")

    assert (reported.statuses, reported.user["note"]) == (["unchanged"], "No Exchange Online mailbox.")


def test_without_a_role_in_exchange_the_devices_are_still_disabled(lab):
    laptop = device()
    refused = rows("Get-MobileDevice", JANE, by="Mailbox").but(Reply(403, body=bytes(47)))
    write = Turn("PATCH", GRAPH, f"/v1.0/devices/{laptop['id']}", body={"accountEnabled": False}, reply=Reply(204))
    lab.wire.expect_each(find(JANE))
    lab.wire.expect(*devices(laptop))
    lab.wire.expect_each(refused, write)
    lab.wire.expect(*devices({**laptop, "accountEnabled": False}))
    lab.wire.expect_each(refused)

    reported = run(lab)

    assert (reported.statuses, reported.user["objects"][0]["status"]) == (["failed"], "verified")
    assert "Could not read phones of jane.doe@contoso.com" in reported.msg


@pytest.fixture
def without_exchange(lab):
    text = "The resource principal named https://outlook.office365.com was not found in the tenant."
    lab.entra.unknown["https://outlook.office365.com"] = Reply(400, refusal(500011, text, "invalid_resource"))
    return lab


NOTE = "Phones were not looked at: the tenant has no Exchange Online."


def test_in_a_tenant_without_exchange_the_devices_are_disabled_and_phones_are_not_looked_at(without_exchange):
    lab, laptop = without_exchange, device()
    write = Turn("PATCH", GRAPH, f"/v1.0/devices/{laptop['id']}", body={"accountEnabled": False}, reply=Reply(204))
    lab.wire.expect_each(find(JANE))
    lab.wire.expect(*devices(laptop))
    lab.wire.expect_each(write)
    lab.wire.expect(*devices({**laptop, "accountEnabled": False}))

    reported = run(lab)

    assert (reported.statuses, reported.user["note"], reported.user["error"]) == (["verified"], NOTE, None)
    assert [one["kind"] for one in reported.user["objects"]] == ["device"]


def test_in_a_tenant_without_exchange_nothing_is_said_of_phones_where_there_is_no_device(without_exchange):
    lab = without_exchange
    lab.wire.expect_each(find(JANE))
    lab.wire.expect(*devices())

    reported = run(lab)

    assert (reported.statuses, reported.user["note"]) == (["unchanged"], NOTE)


@pytest.mark.parametrize(
    ("kind", "status"), [("device", "verified"), ("phone", "failed")], ids=["a device", "a phone and a device"]
)
def test_in_a_tenant_without_exchange_a_device_is_enabled_again_and_a_phone_fails(without_exchange, kind, status):
    lab, laptop = without_exchange, {**device(), "accountEnabled": False}
    write = Turn("PATCH", GRAPH, f"/v1.0/devices/{laptop['id']}", body={"accountEnabled": True}, reply=Reply(204))
    lab.wire.expect_each(find(JANE))
    lab.wire.expect(*devices(laptop))
    lab.wire.expect_each(write)
    lab.wire.expect(*devices({**laptop, "accountEnabled": True}))
    objects = [{"key": laptop["id"], "kind": "device", "name": "Laptop", "before": {"account_enabled": True}}]
    objects += (
        [{"key": KEY, "kind": "phone", "name": "iPhone", "before": {"blocked": False}}] if kind == "phone" else []
    )

    reported = run(lab, state="enabled", objects={UPN: objects})

    assert (reported.statuses, reported.user["note"]) == ([status], NOTE if kind == "device" else None)


def test_in_a_tenant_without_exchange_a_wipe_that_is_asked_for_fails(without_exchange):
    lab = without_exchange
    lab.wire.expect_each(find(JANE))
    lab.wire.expect(*devices())

    reported = run(lab, wipe_phones="account_only")

    assert reported.statuses == ["failed"]
    assert reported.user["error"]["code"] == "AADSTS500011"


@pytest.mark.parametrize("row", [{"DeviceId": None}, {"DeviceId": " "}])
def test_a_phone_that_cannot_be_told_from_others_is_not_written(lab, row):
    lab.wire.expect_each(find(JANE))
    expect(lab, *read(phone(**row)))

    reported = run(lab)

    assert (reported.statuses, reported.changed) == (["failed"], False)
    assert "the id of a phone" in reported.msg


@pytest.mark.parametrize("guid", [None, "", "everything"])
def test_only_a_phone_with_a_guid_is_wiped(lab, guid):
    lab.wire.expect_each(find(JANE), rows("Get-MobileDeviceStatistics", JANE, {"Guid": guid}, by="Mailbox"))
    lab.wire.expect(*devices())
    lab.wire.expect_each(rows("Get-MobileDevice", JANE, by="Mailbox"))

    reported = run(lab, wipe_phones="account_only")

    assert (reported.statuses, reported.changed) == (["failed"], False)


def test_a_lost_answer_is_looked_at_before_it_is_sent_again(lab):
    lab.wire.expect_each(find(JANE))
    expect(lab, *read(phone()))
    lab.wire.expect_each(block().but(Reply(504, {})))
    expect(lab, *read(phone(), blocked=(KEY,)))
    assert run(lab).statuses == ["verified"]

    lab.wire.expect_each(find(JANE))
    expect(lab, *read(phone(), wiped=None), wipes=True)
    lab.wire.expect(wipe().but(Reply(504, {})), block())
    # The wipe cannot be undone, so it is looked for before it is requested again.
    expect(lab, *read(phone(), wiped="2026-11-20T16:00:00Z", blocked=(KEY,)), wipes=True)
    expect(lab, *read(phone(), wiped="2026-11-20T16:00:00Z", blocked=(KEY,)), wipes=True)
    assert run(lab, wipe_phones="account_only").statuses == ["verified"]


def test_throttling_is_waited_out(lab):
    lab.wire.expect_each(find(JANE))
    expect(lab, *read(phone()))
    lab.wire.expect_each(block().but(throttled("3")), block())
    expect(lab, *read(phone(), blocked=(KEY,)))

    assert run(lab).statuses == ["verified"]


# --- letting it in again ---

BEFORE = [
    {"key": KEY, "kind": "phone", "name": "iPhone", "before": {"name": "iPhone", "blocked": False}},
    {"key": WIPE_KEY, "kind": "phone_wipe", "name": "iPhone", "before": {"name": "iPhone", "wipe_requested": False}},
]


def test_a_phone_is_let_in_again_and_a_wipe_stays_what_it_is(lab):
    # The state follows when the phone is next in touch.
    kept = phone(DeviceAccessState="Blocked")
    lab.wire.expect_each(find(JANE))
    expect(lab, *read(kept, blocked=(KEY,)))
    lab.wire.expect_each(block(change="remove"))
    expect(lab, *read(kept))

    reported = run(lab, "enabled", objects={UPN: BEFORE})

    assert [(one["key"], one["status"]) for one in reported.user["objects"]] == [
        (KEY, "verified"),
        (WIPE_KEY, "not_applicable"),
    ]
    assert "cannot be undone" in reported.user["objects"][1]["note"]


def test_a_phone_that_is_let_in_or_gone_is_not_written(lab):
    lab.wire.expect_each(find(JANE))
    expect(lab, *read(phone()))
    assert run(lab, "enabled", objects={UPN: BEFORE[:1]}).statuses == ["unchanged"]

    lab.wire.expect_each(find(JANE))
    expect(lab, *read())
    reported = run(lab, "enabled", objects={UPN: BEFORE[:1]})
    assert reported.user["objects"][0]["note"] == "The phone no longer has a partnership with this mailbox."


@pytest.mark.parametrize(
    "options",
    [
        {"wipe_phones": "account_only", "phones": False},
        {"wipe_phones": "account_only", "state": "enabled", "objects": {UPN: BEFORE}},
        {"wipe_phones": "everything"},
    ],
)
def test_invalid_options_are_refused(lab, options):
    reported = run(lab, **options)

    assert reported.failed
    assert "wipe_phones" in reported.msg
    assert not lab.wire.outer
