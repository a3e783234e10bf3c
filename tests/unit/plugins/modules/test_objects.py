# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds for every module that changes several objects of a user, each by a write of its own."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.tests.unit.plugins.lab.clock import later
from ansible_collections.m365.offboarding.tests.unit.plugins.lab.closing import (
    OWN,
    READING,
    READS,
    an_object,
    closing,
    expect,
)
from ansible_collections.m365.offboarding.tests.unit.plugins.lab.people import person
from ansible_collections.m365.offboarding.tests.unit.plugins.lab.turns import (
    administrators,
    fault,
    find,
    forbidden,
    graph_error,
    web_page,
)

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


def statuses(told):
    return {one["key"].rpartition("-")[2]: one["status"] for one in told.user["objects"]}


@every_module
def test_each_object_is_written_and_read_back_on_its_own_and_told_whole(lab, module):
    opening(lab, module, 1, 2)
    expect(lab, (closing(module, JANE, 1), closing(module, JANE, 2)), *reads(module))

    told = run(lab, module)

    first, second = told.user["objects"]
    assert (told.failed, told.changed, told.msg) == (False, True, "1 user: 1 verified.")
    assert told.user["before"] == {first["key"]: first["before"], second["key"]: second["before"]}
    assert told.user["after"] == {first["key"]: None, second["key"]: None}
    assert told.result["diff"] == {"before": {UPN: told.user["before"]}, "after": {UPN: told.user["after"]}}
    assert first["before"] != second["before"]
    assert first == {**second, **{name: first[name] for name in ("key", "name", "before", "request_id")}}
    assert (first["status"], first["written_at"], first["error"]) == ("verified", later(), None)
    assert (told.user["written_at"], told.user["request_id"]) == (later(), second["request_id"])
    assert (told.user["note"], told.user["error"], told.user["effective_by"]) == (None, None, None)


@every_module
def test_who_has_none_costs_no_write(lab, module):
    expect(lab, find(JANE), *reads(module))

    told = run(lab, module, allow_admins=False)

    assert (told.statuses, told.changed, told.failed) == (["unchanged"], False, False)
    assert (told.user["before"], told.user["after"], told.user["objects"]) == ({}, {}, [])


@every_module
def test_check_mode_foretells_each_object(lab, module):
    opening(lab, module, 1, 2)

    told = run(lab, module, check=True)

    assert (told.statuses, told.changed) == (["planned"], True)
    assert statuses(told) == {"1": "planned", "2": "planned"}
    assert told.result["diff"]["before"][UPN] == told.user["before"]
    assert list(told.result["diff"]["after"][UPN]) == list(told.user["before"])


@every_module
def test_one_objects_failure_never_stops_the_others(lab, module):
    lab.entra.permissions[GRAPH_URL] = READING
    opening(lab, module, 1, 2)
    expect(lab, (closing(module, JANE, 1).but(forbidden()), closing(module, JANE, 2)), *reads(module, 1))
    if module == "m365_user_authentication_methods":
        from ansible_collections.m365.offboarding.tests.unit.plugins.lab.turns import roles

        expect(lab, roles(JANE))

    told = run(lab, module)

    first, second = told.user["objects"]
    assert (told.statuses, told.failed, told.changed) == (["failed"], True, True)
    assert [first["status"], second["status"]] == ["failed", "verified"]
    assert told.user["error"] == first["error"]
    assert first["error"]["code"] == "Authorization_RequestDenied"
    assert f" {first['name'] or first['key']} of {UPN}: Microsoft Graph answered 403 " in first["error"]["message"]
    assert (
        first["error"]["hint"] == f"The application lacks the permission {WRITE[module]}: grant it with admin consent."
    )
    assert told.user["after"][second["key"]] is None
    assert told.user["after"][first["key"]] == first["before"]


@every_module
def test_what_somebody_else_has_closed_meanwhile_is_read_and_done(lab, module):
    opening(lab, module, 1)
    expect(lab, closing(module, JANE, 1).but(GONE), *reads(module))

    told = run(lab, module)

    assert (told.statuses, told.user["error"]) == (["verified"], None)


@every_module
def test_a_404_for_what_is_still_there_is_a_failure(lab, module):
    opening(lab, module, 1)
    expect(lab, closing(module, JANE, 1).but(GONE), *reads(module, 1))

    told = run(lab, module)

    assert (told.statuses, told.user["error"]["code"]) == (["failed"], "Request_ResourceNotFound")


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

    told = run(lab, module, verify_timeout=0.4)

    assert (told.statuses, told.changed, told.failed) == (["accepted"], True, False)
    assert told.user["after"] == told.user["before"]


@every_module
def test_nothing_is_read_back_where_the_caller_will(lab, module):
    opening(lab, module, 1)
    expect(lab, closing(module, JANE, 1))

    told = run(lab, module, verify_timeout=0)

    assert (told.statuses, told.user["after"], told.user["objects"][0]["after"]) == (["accepted"], None, None)


@every_module
@pytest.mark.parametrize("answer", [forbidden(), web_page(400)], ids=["403", "a page"])
def test_a_list_that_cannot_be_read_shows_nothing_and_nothing_is_written(lab, module, answer):
    expect(lab, find(JANE), *reads(module, reply=answer), *before_the_first_write(module))

    told = run(lab, module)

    assert (told.statuses, told.changed, told.user["objects"]) == (["failed"], False, [])
    assert told.user["error"]["message"].startswith("Could not look at ")
    assert UPN in told.user["error"]["message"]


@every_module
def test_a_list_that_cannot_be_read_afterwards_is_no_proof(lab, module):
    opening(lab, module, 1)
    expect(lab, closing(module, JANE, 1), *reads(module, reply=forbidden()), *reads(module, reply=forbidden()))

    told = run(lab, module, verify_timeout=0.4)

    assert (told.statuses, told.user["after"]) == (["accepted"], None)


@every_module
def test_an_object_without_an_id_is_not_written_and_not_passed_over(lab, module):
    thing = {**an_object(module, JANE), "id": None}
    expect(lab, find(JANE), *READS[module](JANE, thing), *before_the_first_write(module))

    told = run(lab, module)

    assert told.statuses == ["failed"]
    assert "the id of an object" in told.user["error"]["message"]


@every_module
def test_several_users_share_requests(lab, module):
    expect(lab, (find(JANE), find(OMAR)))
    both = zip(reads(module, 1), reads(module, 1, user=OMAR), strict=True)
    expect(lab, *[(*one, *other) for one, other in both], *before_the_first_write(module))
    expect(lab, (closing(module, JANE, 1), closing(module, OMAR, 1)))
    both = zip(reads(module), reads(module, user=OMAR), strict=True)
    expect(lab, *[(*one, *other) for one, other in both])

    told = run(lab, module, users=[UPN, "omar@contoso.com"])

    assert told.statuses == ["verified", "verified"]
    assert [len(one["objects"]) for one in told.users] == [1, 1]


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
    told = run(lab, module, state=STATES.get(module, "present"), objects=objects)

    assert (told.failed, lab.wire.outer) == (True, [])
    assert says in told.msg


@pytest.mark.parametrize("module", BACK)
def test_objects_beside_a_state_that_closes_are_refused(lab, module):
    told = run(lab, module, objects={UPN: []})

    assert (told.failed, lab.wire.outer) == (True, [])
    assert "objects says what to make again" in told.msg


@pytest.mark.parametrize("module", BACK)
def test_nothing_is_made_again_where_nobody_knows_whether_it_is_there(lab, module):
    entry = {"key": "a b c", "kind": "group", "before": {"name": "x"}}
    expect(lab, find(JANE), *reads(module, reply=forbidden()))

    told = run(lab, module, state=STATES.get(module, "present"), objects={UPN: [entry]})

    assert (told.statuses, told.changed) == (["failed"], False)
