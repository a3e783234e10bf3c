# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""m365_user_authentication_methods: every kind by its own call, the default one last. See test_objects for the rest."""

from __future__ import annotations

import pytest

from fakes.closing import READING, expect
from fakes.people import person
from fakes.residual import PASSWORD, method, methods
from fakes.turns import find, forbidden, graph_error, roles
from fakes.wire import GRAPH, Reply, Turn

MODULE = "m365_user_authentication_methods"
JANE, UPN = person("jane.doe"), "jane.doe@contoso.com"
DEFAULT = graph_error(400, "badRequest", "Cannot delete default method with other methods configured.")
KINDS = {
    "email": "emailMethods",
    "fido2": "fido2Methods",
    "microsoftAuthenticator": "microsoftAuthenticatorMethods",
    "phone": "phoneMethods",
    "platformCredential": "platformCredentialMethods",
    "softwareOath": "softwareOathMethods",
    "temporaryAccessPass": "temporaryAccessPassMethods",
    "windowsHelloForBusiness": "windowsHelloForBusinessMethods",
}


@pytest.fixture(autouse=True)
def granted(lab):
    lab.entra.permissions["https://graph.microsoft.com"] = (*READING, "UserAuthenticationMethod.ReadWrite.All")


def delete(kind, reply=None):
    path = f"/v1.0/users/{JANE['id']}/authentication/{KINDS[kind]}/method-{kind}"
    return Turn("DELETE", GRAPH, path, reply=reply or Reply(204))


def test_every_kind_is_deleted_by_its_own_call_and_the_password_by_none(lab):
    expect(lab, find(JANE), methods(JANE, PASSWORD, *map(method, KINDS)))
    expect(lab, tuple(map(delete, KINDS)), methods(JANE, PASSWORD))

    reported = lab.run(MODULE, users=UPN, state="absent")

    assert reported.statuses == ["verified"]
    assert [one["kind"] for one in reported.user["objects"]] == list(KINDS)


def test_the_default_method_is_tried_again_after_the_others(lab):
    expect(lab, find(JANE), methods(JANE, PASSWORD, method("microsoftAuthenticator"), method("phone")))
    expect(lab, (delete("microsoftAuthenticator", DEFAULT), delete("phone")), delete("microsoftAuthenticator"))
    expect(lab, methods(JANE, PASSWORD))

    assert lab.run(MODULE, users=UPN, state="absent").statuses == ["verified"]


def test_a_default_method_that_stays_is_a_failure_after_three_tries(lab):
    expect(lab, find(JANE), methods(JANE, PASSWORD, method("phone")))
    expect(lab, *[delete("phone", DEFAULT)] * 3, methods(JANE, PASSWORD, method("phone")))

    reported = lab.run(MODULE, users=UPN, state="absent")

    assert reported.statuses == ["failed"]
    assert "Cannot delete default method" in reported.user["error"]["message"]


def test_a_kind_that_nobody_knows_is_left_and_reported(lab):
    expect(lab, find(JANE), methods(JANE, PASSWORD, method("palmVein", displayName="Left hand")))

    reported = lab.run(MODULE, users=UPN, state="absent")

    assert (reported.statuses, reported.changed) == (["unchanged"], False)
    assert reported.user["note"].startswith(
        "Left as it is: palmVein Left hand. Microsoft Graph 1.0 documents no request "
    )


def test_a_403_about_an_administrator_names_the_role_that_is_missing(lab):
    expect(lab, find(JANE), methods(JANE, PASSWORD, method("phone")), delete("phone", forbidden()))
    expect(lab, roles(JANE, "Reports Reader"))

    reported = lab.run(MODULE, users=UPN, state="absent", allow_admins=True)

    assert "Privileged Authentication Administrator may act on every role." in reported.user["error"]["hint"]


def test_there_is_no_way_back(lab):
    reported = lab.run(MODULE, users=UPN, state="present")

    assert (reported.failed, lab.wire.outer) == (True, [])
