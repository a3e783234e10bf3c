# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run keeps of each batch: nobody twice, nobody lost, and how far it is."""

from __future__ import annotations

import re

import pytest

from ansible_collections.m365.offboarding.plugins.plugin_utils._batches import cut, join, pack, unpack
from ansible_collections.m365.offboarding.plugins.plugin_utils._results import results
from ansible_collections.m365.offboarding.tests.unit.plugins.lab.records import (
    STEPS,
    all_steps,
    problem,
    read_record,
)

AUTOMATION = {"tenant_id": "t", "client_id": "c", "object_id": "o"}
NO_TOKEN = {"msg": "no token", "error": problem("no_token", "There is no token.")}


def looked(*records):
    return {"users": list(records), "automation": AUTOMATION, "check_mode": False}


def put(opening, before=None, **more):
    """Join a batch with what it does not matter for left out."""
    plain = {
        "steps": STEPS,
        "protocols": ("all",),
        "asked": (),
        "users": (),
        "users_only": False,
        "runs": (),
        "closing": None,
        "refused": {},
        "earlier": None,
        "total": 0,
        "started_at": None,
    }
    return join(opening, before=before, **{**plain, **more})


def told(batch):
    return {one["user_principal_name"] or one["user"]: one["status"] for one in unpack(batch["records"])}


# --- cutting ---


def test_everybody_is_in_one_batch_and_once_with_each_left_at_that_was_given():
    left, later = "2026-11-20T12:00:00Z", "2026-11-21T12:00:00Z"
    leavers = ["a@b.de", {"user": "c@b.de", "left_at": left}, "A@B.de, d@b.de", {"user": "C@b.de", "left_at": later}]

    assert cut(leavers, 2) == [
        [{"user": "a@b.de"}, {"user": "c@b.de", "left_at": left}, {"user": "c@b.de", "left_at": later}],
        [{"user": "d@b.de"}],
    ]


def test_a_date_that_only_one_of_two_mentions_has_is_kept_beside_the_other():
    leavers = ["a@b.de", {"user": "A@b.de", "left_at": "2026-11-20T12:00:00Z"}]

    assert cut(leavers, 5) == [[{"user": "a@b.de"}, {"user": "a@b.de", "left_at": "2026-11-20T12:00:00Z"}]]


@pytest.mark.parametrize("raw", [[], [""], [None], ""])
def test_nobody_is_in_no_batch(raw):
    assert cut(raw, 1) == []


@pytest.mark.parametrize("raw", [[{"user": "a@b.de", "x": 1}], [7], ["", "a@b.de"], ["a@b.de,"]])
def test_what_cannot_be_meant_is_left_to_the_modules_as_it_is(raw):
    assert cut(raw, 1) == [raw]


# --- joining ---


def test_batches_add_up_in_the_order_asked_for():
    first = put(looked(read_record("jane.doe", state="shut")), total=2)
    second = put(looked(read_record("miles.obrien")), first, total=2)

    assert list(told(second).values()) == ["contained", "open"]
    assert (first["done"], second["done"], second["not_shut"]) == (1, 2, 1)
    assert second["entry"] == {**AUTOMATION, "steps": list(STEPS), "error": None}


def test_a_tenant_that_cannot_be_looked_at_is_the_tenants_error():
    batch = put(NO_TOKEN, asked=[{"user": "jane@contoso.com"}], total=1)

    assert batch["records"] == []
    assert batch["entry"]["error"]["code"] == "no_token"


def test_a_later_batch_that_cannot_be_looked_at_fails_those_who_were_asked_for():
    first = put(looked(read_record("jane.doe", state="shut")), total=3)
    second = put(NO_TOKEN, first, asked=[{"user": "miles@contoso.com"}, "bashir@contoso.com"], total=3)

    assert list(told(second).values()) == ["contained", "failed", "failed"]
    # In doubt a door is open.
    assert (first["not_shut"], second["not_shut"]) == (0, 2)
    miles = unpack(second["records"])[1]
    assert miles["error"]["code"] == "no_token"
    assert {entry["status"] for entry in miles["steps"].values()} == {"failed"}
    assert second["entry"] == first["entry"]


def test_of_an_opening_read_of_everybody_a_batch_tells_its_own():
    jane, miles = read_record("jane.doe"), read_record("miles.obrien")
    everybody = put(looked(jane, miles))
    shut = {"users": [read_record("jane.doe", state="shut")]}
    batch = put(
        looked(jane, miles),
        everybody,
        users=[{"user": jane["id"]}],
        users_only=True,
        runs=all_steps("jane.doe"),
        closing=shut,
        total=1,
    )

    assert list(told(everybody).values()) == ["open", "open"]
    assert list(told(batch).values()) == ["contained", "open"]
    assert (batch["done"], batch["not_shut"]) == (1, 0)


def test_who_was_asked_for_under_two_names_keeps_what_the_first_batch_wrote():
    opened, shut = read_record("jane.doe"), read_record("jane.doe", state="shut")
    first = put(looked(opened), runs=all_steps("jane.doe"), closing={"users": [shut]}, total=2)
    second = put(looked({**shut, "user": shut["id"]}), first, total=2)

    (jane,) = unpack(second["records"])
    assert {entry["status"] for entry in jane["steps"].values()} == {"verified"}
    assert jane["contained"] is True


def test_a_door_that_a_later_batch_finds_open_is_open():
    first = put(looked(read_record("jane.doe", state="shut")), total=2)
    second = put(looked(read_record("jane.doe")), first, total=2)

    assert list(told(second).values()) == ["open"]


def test_a_step_without_records_fails_for_those_who_were_to_go_through_it():
    jane = read_record("jane.doe")
    runs = [{"step": "signin", "users": [{"user": jane["id"]}], "result": NO_TOKEN}]

    batch = put(looked(jane), users=[{"user": jane["id"]}], runs=runs, closing={"users": [jane]}, total=1)

    assert list(told(batch).values()) == ["failed"]


def test_an_earlier_file_that_is_no_evidence_is_refused():
    with pytest.raises(ValueError, match="no evidence"):
        put(looked(read_record()), earlier={"format": "else"})


def test_what_is_packed_comes_out_as_it_was():
    leavers = results([read_record("jane.doe", display_name="Jané {{ 1 }} 💥")], steps=STEPS)

    assert unpack([pack(leavers)]) == leavers


# --- how far ---


def test_the_end_is_expected_by_what_the_batches_before_took():
    batch = put(looked(read_record("jane.doe")), total=4, started_at="2026-11-20T16:00:00Z")

    expected = r"1 of 4 leavers done, 3 left; 1 with an open door; end expected at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\."
    assert re.fullmatch(expected, batch["msg"])


def test_the_last_batch_expects_nothing():
    batch = put(looked(read_record("jane.doe", state="shut")), total=1, started_at="2026-11-20T16:00:00Z")

    assert batch["msg"] == "1 of 1 leavers done, 0 left; 0 with an open door."
