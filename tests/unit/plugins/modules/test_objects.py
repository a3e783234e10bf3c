# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds for every module that changes several objects of a user, each by a write of its own."""

from __future__ import annotations

import pytest

from fakes.clock import later
from fakes.closing import OWN, READING, READS, an_object, closing, expect
from fakes.people import person
from fakes.turns import administrators, fault, find, forbidden, graph_error, web_page

JANE, OMAR = person("jane.doe"), person("omar")
UPN = "jane.doe@contoso.com"
GRAPH_URL = "https://graph.microsoft.com"
WRITE = {
    "m365_user_devices": "Device.ReadWrite.All",
    "m365_user_memberships": "GroupMember.ReadWrite.All",
    "m365_user_authentication_methods": "UserAuthenticationMethod.ReadWrite.All",
    "m365_user_consents": "AppRoleAssignment.ReadWrite.All",
}
every_module = pytest.mark.parametrize("module", OWN)
GONE = graph_error(404, "Request_ResourceNotFound", "Resource 'x' does not exist.")


@pytest.fixture(autouse=True)
def granted(lab):
    lab.entra.permissions[GRAPH_URL] = (*READING, *WRITE.values())


def reads(module, *numbers, reply=None, user=JANE):
    turns = READS[module](user, *[an_object(module, user, number) for number in numbers])
    return turns if reply is None else [tuple(turn.but(reply) for turn in one) for one in turns]


def before_the_first_write(module):
    """Return what is read besides: who else could help out, should the user be the last administrator."""
    return [administrators()] if module == "m365_user_memberships" else []


def opening(lab, module, *numbers):
    expect(lab, find(JANE), *reads(module, *numbers), *before_the_first_write(module))


def run(lab, module, **options):
    return lab.run(module, **{"users": UPN, **OWN[module], **options})


def statuses(reported):
    return {one["key"].rpartition("-")[2]: one["status"] for one in reported.user["objects"]}


@every_module
def test_each_object_is_written_and_read_back_on_its_own_and_reported_whole(lab, module):
    opening(lab, module, 1, 2)
    expect(lab, (closing(module, JANE, 1), closing(module, JANE, 2)), *reads(module))

    reported = run(lab, module)

    first, second = reported.user["objects"]
    assert (reported.failed, reported.changed, reported.msg) == (False, True, "1 user: 1 verified.")
    assert reported.user["before"] == {first["key"]: first["before"], second["key"]: second["before"]}
    assert reported.user["after"] == {first["key"]: None, second["key"]: None}
    assert reported.result["diff"] == {"before": {UPN: reported.user["before"]}, "after": {UPN: reported.user["after"]}}
    assert first["before"] != second["before"]
    assert first == {**second, **{name: first[name] for name in ("key", "name", "before", "request_id")}}
    assert (first["status"], first["written_at"], first["error"]) == ("verified", later(), None)
    assert (reported.user["written_at"], reported.user["request_id"]) == (later(), second["request_id"])
    assert (reported.user["note"], reported.user["error"], reported.user["effective_by"]) == (None, None, None)


@every_module
def test_a_user_who_has_none_costs_no_write(lab, module):
    expect(lab, find(JANE), *reads(module))

    reported = run(lab, module, allow_admins=False)

    assert (reported.statuses, reported.changed, reported.failed) == (["unchanged"], False, False)
    assert (reported.user["before"], reported.user["after"], reported.user["objects"]) == ({}, {}, [])


@every_module
def test_check_mode_foretells_each_object(lab, module):
    opening(lab, module, 1, 2)

    reported = run(lab, module, check=True)

    assert (reported.statuses, reported.changed) == (["planned"], True)
    assert statuses(reported) == {"1": "planned", "2": "planned"}
    assert reported.result["diff"]["before"][UPN] == reported.user["before"]
    assert list(reported.result["diff"]["after"][UPN]) == list(reported.user["before"])


@every_module
def test_one_objects_failure_never_stops_the_others(lab, module):
    lab.entra.permissions[GRAPH_URL] = READING
    opening(lab, module, 1, 2)
    expect(lab, (closing(module, JANE, 1).but(forbidden()), closing(module, JANE, 2)), *reads(module, 1))
    if module == "m365_user_authentication_methods":
        from fakes.turns import roles

        expect(lab, roles(JANE))

    reported = run(lab, module)

    first, second = reported.user["objects"]
    assert (reported.statuses, reported.failed, reported.changed) == (["failed"], True, True)
    assert [first["status"], second["status"]] == ["failed", "verified"]
    assert reported.user["error"] == first["error"]
    assert first["error"]["code"] == "Authorization_RequestDenied"
    assert f" {first['name'] or first['key']} of {UPN}: Microsoft Graph answered 403 " in first["error"]["message"]
    assert (
        first["error"]["hint"] == f"The application lacks the permission {WRITE[module]}: grant it with admin consent."
    )
    assert reported.user["after"][second["key"]] is None
    assert reported.user["after"][first["key"]] == first["before"]


@every_module
def test_what_somebody_else_has_closed_meanwhile_is_read_and_done(lab, module):
    opening(lab, module, 1)
    expect(lab, closing(module, JANE, 1).but(GONE), *reads(module))

    reported = run(lab, module)

    assert (reported.statuses, reported.user["error"]) == (["verified"], None)


@every_module
def test_a_404_for_what_is_still_there_is_a_failure(lab, module):
    opening(lab, module, 1)
    expect(lab, closing(module, JANE, 1).but(GONE), *reads(module, 1))

    reported = run(lab, module)

    assert (reported.statuses, reported.user["error"]["code"]) == (["failed"], "Request_ResourceNotFound")


@every_module
def test_after_a_lost_answer_it_is_looked_at_before_it_is_sent_again(lab, module):
    opening(lab, module, 1, 2)
    expect(
        lab,
        (closing(module, JANE, 1).but(fault(503)), closing(module, JANE, 2).but(fault(503))),
        *reads(module, 2),
        closing(module, JANE, 2),
        *reads(module),
    )

    assert statuses(run(lab, module)) == {"1": "verified", "2": "verified"}


@every_module
def test_what_is_not_seen_in_time_is_accepted(lab, module):
    opening(lab, module, 1)
    expect(lab, closing(module, JANE, 1), *reads(module, 1), *reads(module, 1))

    reported = run(lab, module, verify_timeout=0.4)

    assert (reported.statuses, reported.changed, reported.failed) == (["accepted"], True, False)
    assert reported.user["after"] == reported.user["before"]


@every_module
def test_nothing_is_read_back_where_the_caller_will(lab, module):
    opening(lab, module, 1)
    expect(lab, closing(module, JANE, 1))

    reported = run(lab, module, verify_timeout=0)

    assert (reported.statuses, reported.user["after"], reported.user["objects"][0]["after"]) == (
        ["accepted"],
        None,
        None,
    )


@every_module
@pytest.mark.parametrize("answer", [forbidden(), web_page(400)], ids=["403", "a page"])
def test_a_list_that_cannot_be_read_shows_nothing_and_nothing_is_written(lab, module, answer):
    expect(lab, find(JANE), *reads(module, reply=answer), *before_the_first_write(module))

    reported = run(lab, module)

    assert (reported.statuses, reported.changed, reported.user["objects"]) == (["failed"], False, [])
    assert reported.user["error"]["message"].startswith("Could not read ")
    assert UPN in reported.user["error"]["message"]


@every_module
def test_a_list_that_cannot_be_read_afterwards_proves_nothing(lab, module):
    opening(lab, module, 1)
    expect(lab, closing(module, JANE, 1), *reads(module, reply=forbidden()), *reads(module, reply=forbidden()))

    reported = run(lab, module, verify_timeout=0.4)

    assert (reported.statuses, reported.user["after"]) == (["accepted"], None)


@every_module
def test_an_object_without_an_id_is_not_written_and_not_passed_over(lab, module):
    thing = {**an_object(module, JANE), "id": None}
    expect(lab, find(JANE), *READS[module](JANE, thing), *before_the_first_write(module))

    reported = run(lab, module)

    assert reported.statuses == ["failed"]
    assert "the id of an object" in reported.user["error"]["message"]


@every_module
def test_several_users_share_requests(lab, module):
    expect(lab, (find(JANE), find(OMAR)))
    both = zip(reads(module, 1), reads(module, 1, user=OMAR), strict=True)
    expect(lab, *[(*one, *other) for one, other in both], *before_the_first_write(module))
    expect(lab, (closing(module, JANE, 1), closing(module, OMAR, 1)))
    both = zip(reads(module), reads(module, user=OMAR), strict=True)
    expect(lab, *[(*one, *other) for one, other in both])

    reported = run(lab, module, users=[UPN, "omar@contoso.com"])

    assert reported.statuses == ["verified", "verified"]
    assert [len(one["objects"]) for one in reported.users] == [1, 1]


BACK = [name for name in OWN if name != "m365_user_authentication_methods"]
STATES = {"m365_user_devices": "enabled"}


@pytest.mark.parametrize("module", BACK)
@pytest.mark.parametrize(
    ("objects", "says"),
    [
        (None, "objects is missing"),
        ({}, "objects is missing"),
        ({UPN: "all"}, "is not a list of objects"),
        ({UPN: [{"key": "a", "kind": "b"}]}, "is not a list of objects"),
        ({UPN: [{"key": "", "kind": "b", "before": {}}]}, "is not a list of objects"),
        ({UPN: [5]}, "is not a list of objects"),
        ({"omar@contoso.com": []}, "objects and users differ: jane.doe@contoso.com, omar@contoso.com"),
        ({UPN: [], "omar@contoso.com": []}, "objects and users differ: omar@contoso.com"),
    ],
)
def test_what_to_make_again_must_be_said_for_just_these_users(lab, module, objects, says):
    reported = run(lab, module, state=STATES.get(module, "present"), objects=objects)

    assert (reported.failed, lab.wire.outer) == (True, [])
    assert says in reported.msg


@pytest.mark.parametrize("module", BACK)
def test_objects_beside_a_state_that_closes_are_refused(lab, module):
    reported = run(lab, module, objects={UPN: []})

    assert (reported.failed, lab.wire.outer) == (True, [])
    assert "objects is for a state that restores" in reported.msg


@pytest.mark.parametrize("module", BACK)
def test_nothing_is_made_again_where_nobody_knows_whether_it_is_there(lab, module):
    entry = {"key": "a b c", "kind": "group", "before": {"name": "x"}}
    expect(lab, find(JANE), *reads(module, reply=forbidden()))

    reported = run(lab, module, state=STATES.get(module, "present"), objects={UPN: [entry]})

    assert (reported.statuses, reported.changed) == (["failed"], False)
