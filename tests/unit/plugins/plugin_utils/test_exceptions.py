# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Accepted exceptions: how they are read, which leavers they are about, and until when."""

from __future__ import annotations

import datetime
import json

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils._doors import PROTOCOLS
from ansible_collections.m365.offboarding.plugins.plugin_utils._exceptions import (
    DOORS,
    KINDS,
    accept,
    exceptions_report,
    names_kinds,
    parse_exceptions,
    unmatched,
)
from ansible_collections.m365.offboarding.plugins.plugin_utils._exceptions_file import exceptions, read_exceptions
from ansible_collections.m365.offboarding.plugins.plugin_utils._plan import offboarding_plan
from ansible_collections.m365.offboarding.plugins.plugin_utils._results import results
from fakes.people import SWITCHES
from fakes.records import STEPS, all_steps, doors, problem, read_record, unknown_record

TODAY = "2026-11-27"
JANE = "jane.doe@contoso.com"
ENTRY = {
    "user": JANE,
    "doors": ["owa", "imap"],
    "reason": "Handover until the new year.",
    "accepted_by": "Chris Cio",
    "until": "2026-12-31",
}
OPEN_MAIL = read_record("jane.doe", doors={**doors("shut"), "owa": "open", "imap": "open"})
OPEN_ALL = read_record("jane.doe")
ROOM = {
    "kind": "RoomMailbox",
    "doors": "all",
    "reason": "Rooms are booked.",
    "accepted_by": "Chris",
    "until": "2026-12-31",
}


def parsed(*entries, today=TODAY):
    return parse_exceptions(((f"entry {number}", one) for number, one in enumerate(entries, 1)), today)


def entry(**changes):
    """Return an entry with changes; `None` leaves a field out."""
    return {key: value for key, value in {**ENTRY, **changes}.items() if value is not None}


def one_of(record, *entries, today=TODAY, **more):
    made = results([record], steps=more.pop("steps", STEPS), **more)
    (one,) = accept(made, parsed(*entries, today=today), today)
    return one


def room(**facts):
    """Return the record of a room: blocked, with every other door open."""
    states = {**doors("open"), "signin": "shut"}
    return read_record("room.one", **{"doors": states, "mailbox_type": "RoomMailbox", **facts})


# --- reading them ---


@pytest.mark.parametrize(
    ("given", "doors"),
    [
        (["owa"], ["owa"]),
        ("owa", ["owa"]),
        ("imap, owa", ["owa", "imap"]),
        ("Signin;Password", ["password", "signin"]),
        ("protocols", list(PROTOCOLS)),
        (["protocols", "owa"], list(PROTOCOLS)),
        ("all", list(DOORS)),
        (["all"], list(DOORS)),
    ],
)
def test_doors_are_names_or_groups_of_names(given, doors):
    (one,) = parsed(entry(doors=given))
    assert one["doors"] == doors


@pytest.mark.parametrize("until", ["2026-12-31", " 2026-12-31 ", datetime.date(2026, 12, 31)])
def test_the_last_day_is_a_day(until):
    (one,) = parsed(entry(until=until))
    assert one["until"] == "2026-12-31"
    json.dumps(one)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        *(({field: None}, f"it lacks {field}") for field in ("doors", "reason", "accepted_by", "until")),
        *(({field: ""}, f"it lacks {field}") for field in ("doors", "reason", "accepted_by", "until")),
        ({"reason": "  "}, "it lacks reason"),
        ({"reason": "---"}, "reason is not a text"),
        ({"reason": 7}, "reason is not a text"),
        ({"accepted_by": ["Chris"]}, "accepted_by is not a text"),
        ({"user": None}, "it lacks user or kind"),
        ({"user": "Jane"}, "user is neither"),
        ({"user": ["jane.doe@contoso.com"]}, "user is neither"),
        ({"user": "jane.doe@contoso.com, john.roe@contoso.com"}, "user is neither"),
        ({"kind": "RoomMailbox"}, "it has both user and kind"),
        ({"user": None, "kind": "UserMailbox"}, "kind is not one of SharedMailbox, RoomMailbox, EquipmentMailbox"),
        ({"user": None, "kind": "room"}, "kind is not one of"),
        ({"user": None, "kind": "RoomMailbox", "doors": "signin"}, "signin cannot be accepted"),
        ({"doors": "owas"}, "doors contains an unknown door"),
        ({"doors": ["owa", 7]}, "doors contains an unknown door"),
        ({"doors": [["owa"]]}, "doors contains an unknown door"),
        ({"doors": []}, "it lacks doors"),
        ({"doors": {"owa": True}}, "doors contains an unknown door"),
        ({"until": "31.12.2026"}, "until is not a date"),
        ({"until": "20261231"}, "until is not a date"),
        ({"until": "2026-W53"}, "until is not a date"),
        ({"until": "2026-02-30"}, "until is not a date"),
        ({"until": "2026-12-31T00:00:00Z"}, "until is not a date"),
        ({"until": datetime.datetime(2026, 12, 31, tzinfo=datetime.timezone.utc)}, "until is not a date"),
        ({"until": 20261231}, "until is not a date"),
        ({"until": "never"}, "until is not a date"),
        ({"untill": "2026-12-31"}, "it has an unknown field"),
    ],
)
def test_whatever_is_missing_or_malformed_is_refused_with_its_place(changes, complaint):
    with pytest.raises(ValueError, match=r"exceptions cannot be read: entry 2: ") as raised:
        parsed(entry(user="john.roe@contoso.com"), entry(**changes))
    assert complaint in str(raised.value)
    # A file may be the wrong one, and hold secrets.
    assert "owas" not in str(raised.value)


@pytest.mark.parametrize("raw", [None, "jane.doe@contoso.com", 7, ["user"]])
def test_an_entry_that_is_not_a_mapping_is_refused(raw):
    with pytest.raises(ValueError, match="entry 1: it is not a mapping"):
        parsed(raw)


def test_every_wrong_entry_is_named_at_once():
    with pytest.raises(ValueError, match=r"entry 1: .*; entry 3: ") as raised:
        parsed(entry(reason=None), entry(), entry(until="x"))
    assert "entry 2" not in str(raised.value)
    with pytest.raises(ValueError, match="and 5 more"):
        parsed(*[entry(until="x")] * 25)


@pytest.mark.parametrize(
    "second",
    [entry(doors="imap"), entry(user=JANE.upper(), doors="all"), entry(doors=["protocols"], until="2027-01-31")],
)
def test_the_same_person_and_door_twice_is_refused(second):
    with pytest.raises(
        ValueError, match=r"entry 2: entry 1 already accepts the door (owa|imap) for the same user or kind"
    ):
        parsed(entry(), second)


def test_the_same_kind_and_door_twice_is_refused_and_different_doors_are_not():
    with pytest.raises(ValueError, match="entry 2: entry 1 already accepts the door password"):
        parsed(ROOM, {**ROOM, "kind": "roommailbox", "doors": "password"})
    assert len(parsed(entry(), entry(doors="pop"), ROOM, {**ROOM, "kind": "EquipmentMailbox"})) == 4


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("one", [ENTRY, ROOM])
def test_one_that_has_ended_may_stay_beside_its_renewal_until_both_are_in_force(one, first):
    both = [{**one, "until": "2026-11-26"}, {**one, "until": "2027-06-30"}]
    ordered = both[first:] + both[:first]
    assert len(parsed(*ordered)) == 2
    # Neither accepts anything, so neither contradicts the other.
    assert len(parsed(*ordered, today="2027-07-01")) == 2
    with pytest.raises(ValueError, match=r"entry 2: entry 1 already accepts the door .*, and neither has ended"):
        parsed(*ordered, today="2026-11-26")


# --- files ---

CSV = "user,kind,doors,reason,accepted_by,until\r\n"
YAML = f"""\
---
# Accepted by the board.
- user: {JANE}
  doors: [owa, imap]
  reason: Handover until the new year.
  accepted_by: Chris Cio
  until: 2026-12-31

- kind: RoomMailbox
  doors: all
  reason: "Rooms: booked by everybody"
  accepted_by: Chris Cio
  until: "2026-12-31"
"""


def test_a_yaml_file_is_a_list(tmp_path):
    path = tmp_path / "exceptions.yml"
    path.write_text(YAML, encoding="utf-8")
    first, second = exceptions([], str(path), path.read_bytes(), today=TODAY)
    assert first == {"place": f"{path}, line 3 (entry 1)", "kind": None, **ENTRY}
    assert (second["kind"], second["user"]) == ("RoomMailbox", None)
    assert second["doors"] == [door for door in DOORS if door != "signin"]
    assert (names_kinds([second]), names_kinds([first])) == (True, False)


def test_a_json_file_is_a_list(tmp_path):
    path = tmp_path / "exceptions.json"
    path.write_text(json.dumps([ENTRY]), encoding="utf-8")
    (one,) = exceptions("", str(path), path.read_bytes(), today=TODAY)
    assert {key: one[key] for key in ENTRY} == ENTRY


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_file_names_its_columns(tmp_path, delimiter):
    rows = [
        ["Until", "User", "Doors", "Reason", "Accepted_by", "", ""],
        ["2026-12-31", JANE, "owa imap", f'"A{delimiter} B"', "Chris", "", ""],
        ["", "", "", "", "", "", ""],
        ["2026-12-31", "john.roe@contoso.com", "all", "C", "Chris"],
    ]
    path = tmp_path / "exceptions.csv"
    path.write_bytes("\ufeff".encode() + "\r\n".join(delimiter.join(row) for row in rows).encode())
    first, second = exceptions(None, str(path), path.read_bytes(), today=TODAY)
    assert (first["doors"], first["place"]) == (["owa", "imap"], f"{path}, line 2")
    assert (second["user"], second["place"]) == ("john.roe@contoso.com", f"{path}, line 4")


def test_a_list_and_a_file_add_up_and_may_not_repeat_each_other(tmp_path):
    path = tmp_path / "exceptions.yml"
    path.write_text(YAML, encoding="utf-8")
    assert len(exceptions([entry(doors="pop")], str(path), path.read_bytes(), today=TODAY)) == 3
    with pytest.raises(ValueError, match=r"line 3 \(entry 1\): offboard_employee_exceptions, entry 1 already accepts"):
        exceptions([ENTRY], str(path), path.read_bytes(), today=TODAY)
    with pytest.raises(ValueError, match="offboard_employee_exceptions is not a list"):
        exceptions({"user": JANE}, "", today=TODAY)


@pytest.mark.parametrize("given", [None, "", []])
def test_an_empty_list_of_exceptions_is_accepted(given):
    assert exceptions(given, today=TODAY) == []
    assert read_exceptions(b"[]", "a.yml") == read_exceptions(CSV.encode(), "a.csv") == []


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.txt", b"", "the suffix must be"),
        ("a", b"", "the suffix must be"),
        ("a.yml", b"", "not a list"),
        ("a.yml", b"password: hunter2\n", "not a list"),
        ("a.yml", b"$ANSIBLE_VAULT;1.1;AES256\n3132\n", "not a list"),
        ("a.yml", b"- user: x\n\t- y", "line 2 cannot be read as YAML"),
        ("a.yml", b"- !!python/object:os.system {}\n- user: *hunter2\n", "cannot be read as YAML"),
        ("a.yml", b"- user: a@b.cd\n  user: hunter2\n", r"line 1 \(entry 1\) names a field twice"),
        ("a.yml", b"- {until: 2026-02-30, user: hunter2}\n", r"line 1 \(entry 1\): it lacks doors"),
        ("a.yml", b"\xff\xfe\x00", "not UTF-8"),
        ("a.yml", b"- hunter2\n", r"line 1 \(entry 1\): it is not a mapping"),
        ("a.yml", b"#" * 1024 * 1024 + b"#", "larger than 1 MiB"),
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"hunter2\n", "line 1 must name the columns"),
        ("a.csv", b"\n\nuser,doors,reason,until\n", "line 3 must name the columns"),
        ("a.csv", CSV.replace("kind", "user").encode(), "line 1 names a column twice"),
        ("a.csv", CSV.replace("kind", "ticket").encode(), "or an unknown one"),
        ("a.csv", f"{CSV}{JANE},,owa,a, b,Chris,2026-12-31".encode(), "line 2 has 7 cells"),
        ("a.csv", f'{CSV}{JANE},,owa,"hunter2,Chris,2026-12-31'.encode(), "line 2 cannot be read"),
        (
            "a.csv",
            f"{CSV}{JANE},,owa,r,Chris,2026-12-31\n\n{JANE},,pop,,Chris,2026-12-31".encode(),
            "line 4: it lacks reason",
        ),
    ],
)
def test_a_malformed_file_is_refused_with_the_line_and_without_its_content(tmp_path, name, content, complaint):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=complaint) as raised:
        exceptions([], str(path), path.read_bytes(), today=TODAY)
    assert "the exceptions cannot be read" in str(raised.value)
    assert "hunter2" not in str(raised.value)


# --- applying them ---


def test_an_accepted_door_is_neither_open_nor_contained():
    one = one_of(OPEN_MAIL, ENTRY)
    assert (one["status"], one["contained"], one["open"], one["unconfirmed"]) == ("accepted", False, [], [])
    assert one["accepted"] == [
        {
            "doors": {"owa": "open", "imap": "open"},
            "reason": ENTRY["reason"],
            "accepted_by": "Chris Cio",
            "until": "2026-12-31",
            "kind": None,
            "place": "entry 1",
        }
    ]
    assert one["reasons"] == []


@pytest.mark.parametrize("who", [JANE, JANE.upper(), OPEN_MAIL["id"], OPEN_MAIL["id"].upper()])
def test_a_person_is_named_by_principal_name_or_object_id(who):
    assert one_of(OPEN_MAIL, entry(user=who))["status"] == "accepted"
    by_id = {**OPEN_MAIL, "user": OPEN_MAIL["id"]}
    assert one_of(by_id, entry(user=who))["status"] == "accepted"


@pytest.mark.parametrize("who", ["jane.doe2@contoso.com", "0e0b5e0e-0000-4000-8000-000000000001"])
def test_an_exception_for_another_user_is_not_used(who):
    before = one_of(OPEN_MAIL)
    assert one_of(OPEN_MAIL, entry(user=who)) == before
    assert before["status"] == "open"


def test_another_open_door_stays_open_and_fails():
    one = one_of(OPEN_MAIL, entry(doors="owa"))
    assert (one["status"], one["open"], one["contained"]) == ("open", ["imap"], False)
    assert list(one["accepted"][0]["doors"]) == ["owa"]


def test_doors_that_are_shut_are_not_reported_as_accepted():
    one = one_of(OPEN_MAIL, entry(doors="all"))
    assert list(one["accepted"][0]["doors"]) == ["owa", "imap"]
    contained = one_of(read_record("jane.doe", state="shut"), entry(doors="all"))
    assert (contained["status"], contained["contained"], contained["accepted"]) == ("contained", True, [])


@pytest.mark.parametrize(
    ("today", "status"), [("2026-12-30", "accepted"), ("2026-12-31", "accepted"), ("2027-01-01", "open")]
)
def test_it_is_open_again_the_day_after_the_last(today, status):
    one = one_of(OPEN_MAIL, ENTRY, today=today)
    assert one["status"] == status
    if status == "open":
        assert one["open"] == ["owa", "imap"]
        assert one["accepted"] == []
        assert {
            "doors": ["owa", "imap"],
            "reason": "The exception that Chris Cio accepted ended on 2026-12-31.",
        } in one["reasons"]


def test_an_entry_that_has_ended_gives_way_to_one_by_object_id_that_has_not():
    one = one_of(OPEN_MAIL, entry(until="2026-11-26"), entry(user=OPEN_MAIL["id"], until="2026-12-01"))
    assert one["status"] == "accepted"
    assert [each["place"] for each in one["accepted"]] == ["entry 2"]
    assert one["reasons"] == []


def test_of_several_that_have_ended_only_the_last_is_a_reason():
    ended = [entry(until="2026-03-31", doors="all"), entry(until="2026-09-30", doors="owa", accepted_by="Dana")]
    reasons = [each for each in one_of(OPEN_MAIL, *ended)["reasons"] if "exception" in each["reason"]]
    assert reasons == [
        {"doors": ["owa"], "reason": "The exception that Dana accepted ended on 2026-09-30."},
        {"doors": ["imap"], "reason": "The exception that Chris Cio accepted ended on 2026-03-31."},
    ]


def test_an_unconfirmed_door_can_be_accepted_and_keeps_its_word():
    record = read_record("jane.doe", doors={**doors("shut"), "owa": "unknown"}, error=problem("http_500", "No."))
    one = one_of(record, entry(doors="owa"))
    assert (one["status"], one["accepted"][0]["doors"]) == ("accepted", {"owa": "unconfirmed"})


@pytest.mark.parametrize("code", ["protected", "administrator", "max_users"])
def test_whoever_is_refused_is_accepted_with_all_open_doors(code):
    refused = {OPEN_ALL["id"]: problem(code, "It is refused.")}
    assert one_of(OPEN_ALL, entry(doors="all"), refused=refused)["status"] == "accepted"
    assert one_of(OPEN_ALL, entry(doors="signin"), refused=refused)["status"] == "refused"


def test_an_account_that_may_be_somebody_elses_is_never_accepted():
    wrong = problem("newer_account", "It is newer.")
    one = one_of({**OPEN_ALL, "wrong_person": wrong}, entry(doors="all"))
    assert (one["status"], one["accepted"], bool(one["open"])) == ("refused", [], True)


def test_a_step_that_failed_fails_though_its_doors_are_accepted():
    runs = all_steps("jane.doe", protocols="failed")
    closing = [read_record("jane.doe", doors={**doors("shut"), **dict.fromkeys(SWITCHES, "open")})]
    one = one_of(OPEN_ALL, entry(doors="protocols"), runs=runs, closing=closing)
    assert (one["status"], one["open"], set(one["accepted"][0]["doors"])) == ("failed", [], set(SWITCHES))
    assert one_of(OPEN_ALL, entry(doors="owa"), runs=runs, closing=closing)["status"] == "failed"


def test_a_write_that_could_not_be_read_back_fails_though_its_doors_are_accepted():
    unread = problem("http_503", "Microsoft Graph answered 503.")
    one = one_of(OPEN_ALL, entry(doors="all"), runs=all_steps("jane.doe"), unread=unread)
    assert (one["status"], one["unconfirmed"], one["contained"]) == ("failed", [], False)


def test_nobody_who_is_not_due_or_deleted_is_accepted():
    later = read_record("jane.doe", due=False, left_at="2027-12-01T00:00:00Z")
    assert one_of(later, entry(doors="all"))["status"] == "not_due"
    gone = {**unknown_record(JANE), "error": problem("deleted", "It was deleted.")}
    assert one_of(gone, entry(doors="all"))["status"] == "deleted"


@pytest.mark.parametrize(
    ("code", "given", "status"),
    [
        ("not_found", "all", "accepted"),
        ("not_found", "signin", "failed"),
        ("http_503", "all", "failed"),
        ("ambiguous", "all", "failed"),
    ],
)
def test_a_name_that_the_directory_does_not_know_is_accepted_with_every_door(code, given, status):
    record = {**unknown_record(JANE), "error": problem(code, "No.")}
    one = one_of(record, entry(doors=given))
    assert (one["status"], one["contained"]) == (status, False)
    assert set(one["accepted"][0]["doors"].values() if one["accepted"] else ()) <= {"unconfirmed"}


def test_a_kind_is_accepted_where_it_is_blocked():
    one = one_of(room(), ROOM)
    assert (one["status"], one["contained"], one["mailbox_type"]) == ("accepted", False, "RoomMailbox")
    assert one["accepted"][0]["kind"] == "RoomMailbox"


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"mailbox_type": "SharedMailbox"}, id="another kind"),
        pytest.param({"mailbox_type": "UserMailbox"}, id="a person"),
        pytest.param({"mailbox_type": None}, id="not read"),
        pytest.param({"left_at": "2026-11-01T00:00:00Z"}, id="somebody left"),
        pytest.param({"doors": doors("open")}, id="can sign in"),
        pytest.param({"doors": {**doors("open"), "signin": "unknown"}}, id="may be able to sign in"),
    ],
)
def test_a_kind_is_not_accepted_otherwise(facts):
    one = one_of(room(**{"doors": {**doors("open"), "signin": "shut"}, **facts}), ROOM)
    assert one["accepted"] == []
    assert one["status"] in ("open", "failed", "unconfirmed")


def test_a_kind_that_could_not_be_read_is_a_reason():
    error = problem("http_403", "Exchange Online answered 403: No.", "Grant it.")
    one = one_of(room(mailbox_type=None, mailbox_type_error=error), ROOM)
    assert (one["status"], one["accepted"]) == ("open", [])
    reason = "The type of the mailbox could not be read. Exchange Online answered 403: No. Grant it."
    assert one["reasons"] == [{"doors": one["open"], "reason": reason}]


def test_without_a_look_at_sign_in_no_kind_is_accepted():
    one = one_of(room(doors=doors("open", ("password",))), ROOM, steps=("password",))
    assert one["status"] == "open"


def test_a_person_comes_before_a_kind():
    named = entry(user=room()["id"], doors="password", reason="By name.")
    one = one_of(room(), ROOM, named)
    assert [(each["reason"], "password" in each["doors"]) for each in one["accepted"]] == [
        ("By name.", True),
        ("Rooms are booked.", False),
    ]


def test_exceptions_change_nobody_who_goes_through_the_steps():
    opening = [{**OPEN_ALL, "by_name": True}]
    decided = offboarding_plan(opening, allow_admins=True, max_users=None)
    one_of(OPEN_ALL, entry(doors="all"))
    assert decided["write"] == offboarding_plan(opening, allow_admins=True, max_users=None)["write"] != []


# --- what is said of them ---


def test_what_matches_nobody_or_has_ended_is_reported():
    given = parsed(
        ENTRY, entry(user="jnae.doe@contoso.com"), entry(user="john.roe@contoso.com", until="2026-11-26"), ROOM
    )
    leavers = accept(results([OPEN_MAIL], steps=STEPS), given, TODAY)
    reported = exceptions_report(given, leavers, TODAY)
    assert [(one["state"], one["leavers"]) for one in reported] == [
        ("in_force", [OPEN_MAIL["id"]]),
        ("unmatched", []),
        ("ended", []),
        ("unmatched", []),
    ]
    assert unmatched(reported) == [
        "The exception for jnae.doe@contoso.com matches nobody (entry 2): correct or remove it.",
        "The exception for john.roe@contoso.com ended on 2026-11-26 (entry 3): renew or remove it.",
        "The exception for mailboxes of the kind RoomMailbox matches nobody (entry 4): correct or remove it.",
    ]


@pytest.mark.parametrize(
    ("ended", "renewal", "complained"),
    [
        pytest.param(entry(), entry(until="2027-06-30"), [], id="renewed"),
        pytest.param(entry(), entry(user=OPEN_MAIL["id"], doors="all"), [], id="by object ID"),
        pytest.param(entry(user=OPEN_MAIL["id"]), entry(user=JANE.upper()), [], id="by name"),
        pytest.param(ROOM, ROOM, ["matches nobody"], id="a kind, without a room"),
        pytest.param(entry(), entry(until="2026-11-26"), ["ended on 2026-11-26"], id="the renewal has ended too"),
        pytest.param(entry(), entry(doors="owa"), ["ended on 2026-11-25"], id="one door was not renewed"),
        pytest.param(entry(), entry(user="x@contoso.com"), ["ended on", "matches nobody"], id="somebody else"),
        pytest.param(entry(user="x@contoso.com"), ROOM, ["ended on", "matches nobody"], id="a kind"),
    ],
)
def test_what_has_ended_is_reported_unless_it_was_renewed(ended, renewal, complained):
    given = parsed({**ended, "until": "2026-11-25"}, renewal)
    leavers = accept(results([OPEN_MAIL], steps=STEPS), given, TODAY)
    reported = exceptions_report(given, leavers, TODAY)
    sentences = unmatched(reported)
    assert reported[0]["state"] == "ended"
    assert len(sentences) == len(complained)
    assert all(text in sentence for text, sentence in zip(complained, sentences, strict=True)), sentences


def test_a_renewal_for_one_of_two_people_of_a_name_does_not_renew_it_for_the_other():
    given = parsed(entry(until="2026-11-25"), entry(user=OPEN_MAIL["id"]))
    other = read_record("jane.doe", doors=OPEN_MAIL["doors"], id="0e0b5e0e-0000-4000-8000-000000000001")
    leavers = accept(results([OPEN_MAIL, other], steps=STEPS), given, TODAY)
    assert [one["status"] for one in leavers] == ["accepted", "open"]
    assert len(unmatched(exceptions_report(given, leavers, TODAY))) == 1


def test_an_exception_for_somebody_who_is_contained_matches_them():
    given = parsed(ENTRY)
    leavers = accept(results([read_record("jane.doe", state="shut")], steps=STEPS), given, TODAY)
    assert exceptions_report(given, leavers, TODAY)[0]["state"] == "in_force"


def test_every_kind_is_known_in_any_case():
    assert [parsed({**ROOM, "kind": kind.upper()})[0]["kind"] for kind in KINDS] == list(KINDS)
