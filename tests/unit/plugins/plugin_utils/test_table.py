# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person reads in ten seconds, in at most 92 columns."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.plugin_utils._results import results
from ansible_collections.m365.offboarding.plugins.plugin_utils._table import sent_in_words, table
from fakes.earlier import earlier, with_since
from fakes.people import SWITCHES
from fakes.records import STEPS, P, S, all_steps, doors, problem, read_record, run_of, step_record, unknown_record
from tools import sample_evidence

WIDTH = 92
DEVICES = step_record("jane.doe", "verified")
LONG = "x" * 64 + "@" + "y" * 40 + ".example"


def shown(*opening, **more):
    # Lines of their own describe the person, see test_identity.
    lines = table([{**one, "person": None} for one in results(opening, **{"steps": STEPS, **more})])
    assert max(map(len, lines)) <= WIDTH
    return lines


def test_a_user_who_is_contained_has_every_door_with_since_and_surely_by():
    record = read_record(
        "jane.doe", state="shut", surely_shut_by=dict.fromkeys(("password", "sessions"), "2026-11-20T16:00:02Z")
    )

    lines = shown(record)

    assert lines[0] == "1 of 1 leaver is contained"
    assert lines[1].split() == ["jane.doe@contoso.com", "contained"]
    assert lines[2].split() == ["password", "shut", *["was", "so", "already", "since"], P]
    assert lines[3].split() == ["sessions", "shut", *["was", "so", "already", "since"], S]
    assert [line.split() for line in lines[4:]] == [
        [step, "shut", *["was", "so", "already"]] for step in ("signin", "protocols")
    ]


JANE, JOHN = read_record("jane.doe"), read_record("john.roe")
SHUT, LATER = (
    read_record("ann.one", state="shut"),
    read_record("lena.leaving", due=False, left_at="2031-01-01T00:00:00Z"),
)
TOO_MANY = problem("max_users", "Leavers to be written: 2, more than the 1 that one run may write; nothing was sent.")
UNREAD = {"error": problem("http_503", "No."), "doors": {**doors("open"), **dict.fromkeys(SWITCHES, "unknown")}}


def refused(*records):
    return {one["id"]: TOO_MANY for one in records}


@pytest.mark.parametrize(
    ("opening", "more", "sent"),
    [
        pytest.param([JANE, JOHN], {"refused": refused(JANE, JOHN)}, "nothing was sent: 2 refused", id="too many"),
        pytest.param([JANE, SHUT], {"refused": refused(JANE)}, "nothing was sent: 1 refused", id="and one was shut"),
        pytest.param(
            [read_record("jane.doe", **UNREAD)], {"refused": refused(JANE)}, "nothing was sent: 1 refused", id="unread"
        ),
        pytest.param([unknown_record()], {}, "nothing was sent", id="not found"),
        pytest.param([LATER], {}, "nothing was sent", id="not due"),
        pytest.param([SHUT], {}, "", id="nothing to do"),
        pytest.param(
            [JANE, JOHN],
            {"refused": refused(JOHN), "runs": all_steps("jane.doe")},
            "nothing was sent for 1 who was refused",
            id="and one was written",
        ),
        # A step that failed may have sent its write.
        pytest.param([JANE], {"runs": all_steps("jane.doe", "failed")}, "", id="failed"),
        pytest.param([JANE], {"runs": all_steps("jane.doe", "unchanged", signin="verified")}, "", id="written"),
        pytest.param([JANE], {"users": [{"user": JANE["id"]}]}, "", id="not reached yet"),
        pytest.param(
            [JANE], {"runs": all_steps("jane.doe", "refused")}, "nothing was sent: 1 refused", id="by the steps"
        ),
        pytest.param(
            [JANE],
            {"also": ["devices"], "runs": [*all_steps("jane.doe", "unchanged"), run_of("devices", DEVICES)]},
            "",
            id="only a device was written",
        ),
    ],
)
def test_the_headline_says_that_nothing_was_sent_where_that_is_certain(opening, more, sent):
    made = results(opening, steps=STEPS, **more)

    assert sent_in_words(made, check_mode=False) == sent
    assert sent_in_words(made, check_mode=True) == sent.replace("was sent", "would be sent")
    headline = table(made, sent=sent)[0]
    assert headline.endswith(f" contained; {sent}" if sent else " contained")


def test_a_gap_in_evidence_proves_nothing_about_what_was_sent():
    assert sent_in_words([{"status": "refused"}], check_mode=False) == ""
    assert sent_in_words([{"status": "refused", "steps": {"signin": None}}], check_mode=False) == ""


def test_a_first_run_a_second_a_dry_run_and_an_audit_differ_at_a_glance():
    opened, shut = read_record("jane.doe"), read_record("jane.doe", state="shut")

    def rows(record, **facts):
        return [line[13:].strip() for line in shown(record, **facts)[2:6]]

    sure = read_record("jane.doe", state="shut", surely_shut_by=dict.fromkeys(("password", "sessions"), P))
    assert [row.partition(" since")[0] for row in rows(opened, runs=all_steps("jane.doe"), closing=[shut])] == [
        f"shut         {done}" for done in ("reset now", "signed out now", "blocked now", "turned off now")
    ]
    assert [row.partition(" since")[0] for row in rows(shut)] == ["shut         was so already"] * 4
    assert rows(opened, check_mode=True) == [
        "OPEN         would be reset",
        "OPEN         would be signed out",
        "OPEN         would be blocked",
        "OPEN (all 12) would be turned off",
    ]
    assert [row.partition(" since")[0] for row in rows(shut, check_mode=True)] == [
        "shut         would stay as it is"
    ] * 4
    assert rows(opened, purpose="audit") == ["OPEN", "OPEN", "OPEN", "OPEN (all 12)"]
    assert rows(sure, purpose="audit") == [
        f"shut         since {P}  surely by {P}",
        f"shut         since {S}  surely by {P}",
        "shut",
        "shut",
    ]


def test_open_doors_are_loud_and_all_protocols_are_counted():
    lines = shown(read_record("jane.doe"))

    assert lines[0] == "0 of 1 leaver is contained"
    assert lines[1].split() == ["jane.doe@contoso.com", "OPEN"]
    assert [line.split()[1] for line in lines[2:]] == ["OPEN"] * 4
    assert lines[5].strip() == f"protocols  OPEN (all {len(SWITCHES)}) would be turned off"


def test_a_few_open_protocols_are_named():
    lines = shown(read_record("jane.doe", doors={**doors("shut"), "owa": "open", "smtp_auth": "open"}))

    assert "OPEN (owa, smtp_auth)" in lines[5]


def test_a_door_that_is_not_here_and_one_that_nobody_knows():
    states = {**doors("shut"), **doors("not_applicable", ("protocols",)), "signin": "unknown"}

    lines = shown(read_record("jane.doe", doors=states))

    assert lines[4].split() == ["signin", "unconfirmed", "failed"]
    assert lines[5].strip() == "protocols  no such door"


def test_the_moment_of_the_write_stands_where_microsoft_keeps_none():
    closing = read_record("jane.doe", state="shut")

    lines = shown(read_record("jane.doe"), runs=all_steps("jane.doe"), closing=[closing])

    assert "since 2026-11-20T16:00:00Z" in lines[4]


@pytest.mark.parametrize("state", ["open", "shut"])
def test_long_names_stay_within_the_width(state):
    lines = shown(read_record(LONG, state=state))

    assert lines[1].startswith("x" * 64)


def test_eleven_open_protocols_stay_within_the_width():
    shown(read_record("jane.doe", doors={**doors("open"), "owa": "shut"}))


def test_reasons_are_wrapped_and_reported_once():
    error = problem("administrator", "A reason that takes its time. " * 12, "And a hint.")
    record = read_record("jane.doe")

    lines = shown(record, refused={record["id"]: error})

    text = " ".join(line.strip() for line in lines)
    assert text.count("And a hint.") == 1
    assert sum("!" in line for line in lines) == 1


def test_a_reason_of_one_endless_word_stays_within_the_width():
    record = read_record("jane.doe")

    shown(record, refused={record["id"]: problem("x", "w" * 500)})


def test_a_user_who_is_unknown_has_a_reason_and_no_doors():
    lines = shown(unknown_record())

    assert lines[1].split() == ["nobody@contoso.com", "FAILED"]
    assert [line.strip()[0] for line in lines[2:]] == ["!"]


def test_a_user_who_leaves_later_is_reported_with_the_date():
    lines = shown(read_record("jane.doe", due=False, left_at="2026-12-01T00:00:00Z"))

    assert "not due (leaves at 2026-12-01T00:00:00Z)" in lines[1]


def test_a_user_who_has_steps_left_out_is_not_called_contained():
    lines = shown(read_record("jane.doe", doors=doors("shut", ("signin",))), steps=("signin",))

    assert lines[0] == "0 of 1 leaver is contained"
    assert "not all doors read" in lines[1]


def crowd(shut: int, opened: int):
    return [read_record(f"shut{number}", state="shut") for number in range(shut)] + [
        read_record(f"open{number}") for number in range(opened)
    ]


def test_up_to_twenty_leavers_are_all_shown_the_worst_first():
    lines = shown(*crowd(18, 2))

    names = [line.split("@")[0] for line in lines if "@" in line]
    assert lines[0] == "18 of 20 leavers are contained"
    assert (len(names), names[:2]) == (20, ["open0", "open1"])


def test_of_more_than_twenty_leavers_only_those_who_are_not_contained_are_shown():
    lines = shown(*crowd(19, 2))

    assert lines[0] == "19 of 21 leavers are contained"
    assert [line.split("@")[0] for line in lines if "@" in line] == ["open0", "open1"]


def test_twenty_leavers_fit_on_a_screen_each_on_a_line():
    error = problem("denied", "The application has no Exchange role.", "Give it one.")
    people = crowd(15, 5)

    lines = shown(*people, refused={record["id"]: error for record in people[15:]})

    assert len(lines) <= 24
    assert lines[1] == "open0@contoso.com  REFUSED [1]  open: password, sessions, signin, all 12 protocols"
    assert lines[-1] == "[1] 5 people: The application has no Exchange role. Give it one."


def test_reasons_named_in_the_failure_are_not_repeated_in_the_table():
    error = problem("denied", "The application has no Exchange role.", "Give it one.")
    ann, bob = read_record("ann"), read_record("bob")
    leavers = results([ann, bob], steps=STEPS, refused={ann["id"]: error, bob["id"]: error})

    assert "Exchange role" in " ".join(table(leavers))
    assert "Exchange role" not in " ".join(table(leavers, None, leavers))
    assert "[1]" not in " ".join(table(leavers, None, leavers))
    assert "! The application has no Exchange role." in " ".join(table(leavers, None, leavers[:1]))


def test_the_table_of_nobody_is_one_line():
    assert table([]) == ["No leavers"]


# --- since an earlier evidence file ---

SYNCED = "Synced from Active Directory: disable it in Active Directory too, otherwise the next sync may undo this."
MOMENT = sample_evidence.file({})["written_at"]


def compared(now, then):
    runs = earlier(sample_evidence.file({"localhost": sample_evidence.host(results(then, steps=STEPS))}))
    lines = table(with_since(results(now, steps=STEPS), runs), runs.comparison)
    assert max(map(len, lines)) <= WIDTH
    return lines


def test_a_user_who_is_newly_open_comes_first_with_the_door_and_since_when():
    now = [read_record("ann"), read_record("bob"), read_record("cid", doors={**doors("shut"), "owa": "open"})]
    then = [read_record("ann"), read_record("bob"), read_record("cid", state="shut")]

    lines = compared(now, then)

    assert lines[:3] == [
        "0 of 3 leavers are contained",
        f"newly open since {MOMENT}: cid@contoso.com: owa",
        "  Contained then.",
    ]
    assert [line.split("@")[0] for line in lines[3:] if "@" in line] == ["cid", "ann", "bob"]


def test_the_reason_for_a_newly_open_door_is_reported_once_where_a_note_gives_it():
    notes = {"password": SYNCED, "signin": SYNCED, "sessions": "Outlook on the web may stay usable."}
    then = read_record("jane.doe", state="shut", notes=notes)

    lines = compared([read_record("jane.doe", notes=notes)], [then])

    text = " ".join(line.strip() for line in lines)
    assert f"Contained then. {SYNCED}" in text
    assert text.count("Synced") == 1
    assert "stay usable" not in text


def test_a_user_who_was_not_contained_then_is_not_said_to_have_been():
    then = read_record("jane.doe", doors={**doors("shut"), "owa": "open"})

    lines = compared([read_record("jane.doe", doors={**doors("shut"), "owa": "open", "pop": "open"})], [then])

    assert lines[1] == f"newly open since {MOMENT}: jane.doe@contoso.com: pop"
    assert "Contained then" not in " ".join(lines)


def test_that_nothing_is_newly_open_is_reported():
    assert compared([read_record("jane.doe")], [read_record("jane.doe")])[1] == f"newly open since {MOMENT}: nothing"


def test_without_an_earlier_file_nothing_is_said_of_it():
    assert "newly" not in " ".join(table(results([read_record("jane.doe")], steps=STEPS), None))


def test_all_doors_of_a_long_name_newly_open_stay_within_the_width():
    compared([read_record(LONG)], [read_record(LONG, state="shut")])


# --- residual access ---


def topic(state, *texts, permission="X.Read", error=None):
    return {
        "state": state,
        "found": [{"text": text} for text in texts],
        "note": None,
        "permission": permission,
        "error": error,
    }


def test_residual_access_is_reported_by_topic_and_what_is_not_there_is_not():
    residual = {
        "forwarding": topic("found", "Forwards to x@gmail.example", "A rule\nforwards"),
        "devices": topic("none"),
        "phones": topic("found", "An iPhone " * 12),
    }

    lines = shown(read_record("jane.doe", state="shut", residual=residual))

    assert lines[6] == "  + forwarding  Forwards to x@gmail.example; A rule forwards"
    assert lines[7].startswith("  + phones  An iPhone")
    assert "devices" not in " ".join(lines)


def test_topics_that_were_not_looked_at_are_reported_once_with_the_permission():
    gap = topic("not_looked_at", permission="Device.Read.All")
    people = [
        read_record("ann", residual={"devices": gap, "phones": topic("none")}),
        read_record("bob", residual={"devices": gap, "phones": topic("not_looked_at", permission="Exchange")}),
        read_record("cid"),
    ]

    lines = shown(*people)

    text = " ".join(line.strip() for line in lines)
    assert text.endswith(
        "residual access not fully read: devices (needs Device.Read.All), phones of 1 (needs Exchange)"
    )


def test_a_topic_in_which_something_was_found_may_have_been_looked_at_in_part():
    error = problem("forbidden", "No.")
    residual = {"forwarding": topic("found", "Forwards.", permission="MailboxSettings.Read", error=error)}

    lines = shown(read_record("jane.doe", residual=residual))

    assert lines[-1] == "residual access not fully read: forwarding (needs MailboxSettings.Read)"


def test_of_many_leavers_those_contained_with_residual_access_are_shown_without_the_doors():
    forwards = {"forwarding": topic("found", "Forwards.")}
    people = [*crowd(19, 1), read_record("jane.doe", state="shut", residual=forwards)]

    lines = shown(*people)

    assert [line.split("@")[0] for line in lines if "@" in line] == ["open0", "jane.doe"]
    assert lines[-2:] == ["jane.doe@contoso.com  contained  was so already", "  + forwarding  Forwards."]


def test_a_thousand_are_shown_and_the_rest_is_counted():
    # AWX throws away what is larger than 700,000 bytes.
    lines = shown(*[read_record("jane.doe")] * 1_002)

    assert lines[0] == "0 of 1002 leavers are contained"
    assert lines[-1] == "and 2 more, see the report"
    assert sum(line.startswith("jane.doe@") for line in lines) == 1_000
    assert sum(map(len, lines)) < 700_000
