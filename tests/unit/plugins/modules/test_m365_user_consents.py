# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""m365_user_consents: consents and app role assignments of one user, and of nobody else. See test_objects for the rest."""

from __future__ import annotations

import pytest

from fakes.closing import CLIENT, READING, RESOURCE, assignment, expect
from fakes.people import person
from fakes.residual import app_roles, client, consents
from fakes.turns import find, forbidden
from fakes.wire import GRAPH, Reply, Turn

MODULE = "m365_user_consents"
JANE, UPN = person("jane.doe"), "jane.doe@contoso.com"
KEY = f"consent {CLIENT} {RESOURCE}"
GRANTS = "/v1.0/oauth2PermissionGrants"


@pytest.fixture(autouse=True)
def granted(lab):
    may = "DelegatedPermissionGrant.ReadWrite.All", "AppRoleAssignment.ReadWrite.All"
    lab.entra.permissions["https://graph.microsoft.com"] = (*READING, *may)


def grant(**facts):
    own = {"consentType": "Principal", "principalId": JANE["id"]}
    return {
        "id": "grant-1",
        "clientId": CLIENT,
        "resourceId": RESOURCE,
        "scope": " Mail.Read offline_access",
        **own,
        **facts,
    }


def reads(*grants, roles=()):
    """Return both lists; the names of clients are asked for between them."""
    names = [client(CLIENT, "Survey Tool")] if grants else []
    return [consents(JANE, *grants), *names, app_roles(JANE, *roles)]


def test_a_consent_and_an_assignment_are_deleted_each_by_its_own_call(lab):
    others = assignment(JANE, 2, principalId="a group", principalType="Group")
    expect(lab, find(JANE), *reads(grant(), roles=[assignment(JANE, 1), others]))
    delete = Turn("DELETE", GRAPH, f"/v1.0/users/{JANE['id']}/appRoleAssignments/assignment-1", reply=Reply(204))
    expect(lab, (Turn("DELETE", GRAPH, f"{GRANTS}/grant-1", reply=Reply(204)), delete), *reads(roles=[others]))

    reported = lab.run(MODULE, users=UPN, state="absent")

    assert reported.statuses == ["verified"]
    assert reported.user["before"] == {
        KEY: {
            "id": "grant-1",
            "client_id": CLIENT,
            "client_name": "Survey Tool",
            "resource_id": RESOURCE,
            "scope": " Mail.Read offline_access",
        },
        f"app_role {RESOURCE} role-1": {
            "id": "assignment-1",
            "resource_id": RESOURCE,
            "resource_name": "Payroll 1",
            "app_role_id": "role-1",
        },
    }


@pytest.mark.parametrize(
    "facts",
    [{"consentType": "AllPrincipals", "principalId": None}, {"principalId": "somebody else"}, {"principalId": None}],
)
def test_a_consent_that_is_not_the_users_own_is_never_deleted(lab, facts):
    expect(lab, find(JANE), *reads(grant(**facts)))

    reported = lab.run(MODULE, users=UPN, state="absent")

    assert (reported.statuses, reported.changed) == (["unchanged"], False)
    assert "An administrator gave this consent for all users." in reported.user["note"]


def test_assignments_that_cannot_be_read_do_not_keep_consents(lab):
    expect(lab, find(JANE), *reads(grant())[:2], app_roles(JANE).but(forbidden()))
    expect(lab, Turn("DELETE", GRAPH, f"{GRANTS}/grant-1", reply=Reply(204)), consents(JANE))
    expect(lab, app_roles(JANE).but(forbidden()))

    reported = lab.run(MODULE, users=UPN, state="absent")

    assert (reported.statuses, reported.changed) == (["failed"], True)
    assert [one["status"] for one in reported.user["objects"]] == ["verified"]
    assert reported.user["error"]["message"].startswith(f"Could not read app role assignments of {UPN}")


CONSENT = {"key": KEY, "kind": "consent", "name": "Survey Tool"}


def test_both_are_made_again_as_they_were_for_this_user_alone(lab):
    was = {"client_id": CLIENT, "resource_id": RESOURCE, "scope": " Mail.Read offline_access"}
    entries = [
        {**CONSENT, "before": was},
        {
            "key": f"app_role {RESOURCE} role-1",
            "kind": "app_role",
            "before": {"resource_id": RESOURCE, "app_role_id": "role-1"},
        },
    ]
    body = {
        "clientId": CLIENT,
        "consentType": "Principal",
        "principalId": JANE["id"],
        "resourceId": RESOURCE,
        "scope": " Mail.Read offline_access",
    }
    role = {"principalId": JANE["id"], "resourceId": RESOURCE, "appRoleId": "role-1"}
    expect(lab, find(JANE), *reads())
    path = f"/v1.0/users/{JANE['id']}/appRoleAssignments"
    posts = (
        Turn("POST", GRAPH, GRANTS, body=body, reply=Reply(201, {})),
        Turn("POST", GRAPH, path, body=role, reply=Reply(201, {})),
    )
    expect(lab, posts, *reads(grant(id="new"), roles=[assignment(JANE, 1, id="new")]))

    reported = lab.run(MODULE, users=UPN, state="present", objects={UPN: entries})

    assert reported.statuses == ["verified"]
    assert reported.user["before"] == dict.fromkeys(reported.user["before"])
    assert reported.user["after"][KEY]["scope"] == " Mail.Read offline_access"


@pytest.mark.parametrize(("scope", "status"), [("offline_access Mail.Read", "unchanged"), ("Mail.Send", "unchanged")])
def test_a_consent_that_is_there_is_not_made_again_and_another_one_is_reported(lab, scope, status):
    was = {"client_id": CLIENT, "resource_id": RESOURCE, "scope": " Mail.Read offline_access"}
    expect(lab, find(JANE), *reads(grant(scope=scope)))

    reported = lab.run(MODULE, users=UPN, state="present", objects={UPN: [{**CONSENT, "before": was}]})

    assert (reported.statuses, reported.changed) == ([status], False)
    assert (reported.user["note"] is None) is (scope != "Mail.Send")
