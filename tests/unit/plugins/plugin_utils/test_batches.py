# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run keeps of each leaver: nobody twice, nobody lost, all in their order, and how far it is."""

from __future__ import annotations

import json
import re

from ansible_collections.m365.offboarding.plugins.plugin_utils._batches import texts, unpack
from ansible_collections.m365.offboarding.plugins.plugin_utils._carried import MOST_PLAIN, carried, decoded
from ansible_collections.m365.offboarding.plugins.plugin_utils._evidence import tenant_entry
from ansible_collections.m365.offboarding.plugins.plugin_utils._results import results
from fakes.records import STEPS, all_steps, kept_of, problem, read_record

AUTOMATION = {"tenant_id": "t", "client_id": "c", "object_id": "o"}
NO_TOKEN = {"msg": "no token", "error": problem("no_token", "There is no token.")}
JANE, MILES, ANN = read_record("jane.doe"), read_record("miles.obrien"), read_record("ann", state="shut")


def looked(*records):
    return {"users": list(records), "automation": AUTOMATION, "check_mode": False}


def batch(*records):
    return [{"user": one["id"]} for one in records]


def reported(kept):
    return {one["user_principal_name"] or one["user"]: one["status"] for one in unpack(kept["records"])}


EVERYBODY = looked(MILES, ANN, JANE)
BATCHES = [batch(JANE), batch(MILES)]


# --- joining ---


def test_everybody_is_on_record_before_the_first_write_with_what_was_found():
    kept = kept_of(EVERYBODY, batches=BATCHES, total=2)

    miles, ann, jane = unpack(kept["records"])
    assert [one["status"] for one in (miles, ann, jane)] == ["open", "contained", "open"]
    assert {entry["status"] for entry in miles["steps"].values()} == {"pending"}
    assert miles["steps"]["signin"]["before"] == {"account_enabled": True}
    assert {entry["status"] for entry in ann["steps"].values()} == {"unchanged"}
    assert (kept["done"], kept["not_shut"]) == (0, 0)
    assert kept["entry"] == tenant_entry(EVERYBODY, steps=STEPS)
    assert kept["entry"]["tenant_id"] == "t"


def test_each_step_of_a_batch_is_on_record_and_the_others_stay_as_they_are():
    kept = kept_of(EVERYBODY, batches=BATCHES, total=2)

    after = kept_of(EVERYBODY, kept, batches=[batch(JANE)], number=1, runs=all_steps("jane.doe")[:2], total=2)

    miles, _ann, jane = unpack(after["records"])
    assert [entry["status"] for entry in jane["steps"].values()] == ["verified", "verified", "pending", "pending"]
    # Written to and not read since: nothing is claimed.
    assert (jane["status"], jane["open"]) == ("failed", [])
    assert {entry["status"] for entry in miles["steps"].values()} == {"pending"}
    assert after["done"] == 0


def test_batches_add_up_in_the_order_asked_for():
    kept = kept_of(EVERYBODY, batches=BATCHES, total=2)
    shut = {"users": [read_record("jane.doe", state="shut")]}
    more = {"runs": all_steps("jane.doe"), "finished": True, "total": 2}
    first = kept_of(EVERYBODY, kept, batches=[batch(JANE)], number=1, closing=shut, **more)
    more["runs"] = all_steps("miles.obrien")
    second = kept_of(EVERYBODY, first, batches=[batch(MILES)], number=2, closing={"users": [MILES]}, **more)

    assert list(reported(second).items()) == [
        (MILES["user"], "open"),
        (ANN["user"], "contained"),
        (JANE["user"], "contained"),
    ]
    assert (first["done"], first["not_shut"], second["done"], second["not_shut"]) == (1, 0, 2, 1)


def test_a_tenant_that_cannot_be_looked_at_is_the_tenants_error():
    kept = kept_of(NO_TOKEN)

    assert unpack(kept["records"]) == []
    assert kept["entry"]["error"]["code"] == "no_token"


def test_a_step_without_records_fails_for_those_who_were_to_go_through_it():
    runs = [{"step": "signin", "users": batch(JANE), "result": NO_TOKEN}]
    kept = kept_of(looked(JANE), batches=[batch(JANE)], total=1)

    after = kept_of(looked(JANE), kept, batches=[batch(JANE)], number=1, runs=runs, closing={"users": [JANE]}, total=1)

    assert list(reported(after).values()) == ["failed"]


def test_what_is_carried_comes_out_as_it_was_as_a_list_and_as_text():
    leavers = results([read_record("jane.doe", display_name="Jané {{ 1 }} 💥\n\u2028")], steps=STEPS)

    for size in (MOST_PLAIN, MOST_PLAIN + 1):
        held = carried([[3, leavers[0]]], size)
        assert isinstance(held, str) is (size > MOST_PLAIN)
        assert decoded(held) == [[3, leavers[0]]]
        assert unpack([held]) == leavers
        assert [json.loads(text) for text in texts([held])] == leavers


def test_equal_texts_of_what_is_carried_as_text_are_one_object():
    first, second = decoded(carried([{"status": "contained"}] * 2, MOST_PLAIN + 1))

    assert first == second == {"status": "contained"}
    assert first["status"] is second["status"]
    assert next(iter(first)) is next(iter(second))
    assert first is not second


# --- how far ---


def test_the_end_is_expected_by_what_the_batches_before_took():
    kept = kept_of(EVERYBODY, batches=BATCHES, total=4)
    after = kept_of(
        EVERYBODY, kept, batches=[batch(JANE)], number=1, finished=True, total=4, started_at="2026-11-20T16:00:00Z"
    )

    expected = r"1 of 4 leavers done, 3 left; 1 with an open door; end expected at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\."
    assert re.fullmatch(expected, after["msg"])


def test_the_last_batch_expects_nothing():
    kept = kept_of(looked(JANE), batches=[batch(JANE)], total=1)
    shut = {"users": [read_record("jane.doe", state="shut")]}
    more = {"runs": all_steps("jane.doe"), "closing": shut, "finished": True, "total": 1}

    after = kept_of(looked(JANE), kept, batches=[batch(JANE)], number=1, started_at="2026-11-20T16:00:00Z", **more)

    assert after["msg"] == "1 of 1 leavers done, 0 left; 0 with an open door."


def test_a_closing_read_that_failed_as_a_whole_is_the_reason():
    kept = kept_of(looked(JANE), batches=[batch(JANE)], total=1)

    after = kept_of(
        looked(JANE), kept, batches=[batch(JANE)], number=1, runs=all_steps("jane.doe"), closing=NO_TOKEN, total=1
    )

    one = unpack(after["records"])[0]
    assert one["error"]["message"] == "There is no token."
    assert [reason["reason"] for reason in one["reasons"]] == ["There is no token."]
    assert not one["contained"]
