# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""m365_user_info: which users are suggested for a name that nobody has, and what that costs."""

from __future__ import annotations

import pytest

from fakes.people import person
from fakes.turns import find, find_by_address, find_deleted, forbidden, graph_error
from fakes.wire import GRAPH, Reply, Turn

UPN = "jane.dow@contoso.com"
HINT = "Check the spelling. E-mail addresses and aliases are not user principal names."
JANE = person("jane.doe")


def similar(name, surname, *found, reply=None):
    """The search for users whose names begin so."""
    query = {
        "$filter": f"startsWith(userPrincipalName,'{name}') or startsWith(surname,'{surname}')",
        "$select": "id,userPrincipalName",
        "$top": "50",
    }
    value = [{"id": f"id of {one}", "userPrincipalName": one} for one in found]
    return Turn("GET", GRAPH, "/v1.0/users", query, reply=reply or Reply(json={"value": value}))


def look(lab, *users, **options):
    return lab.run("m365_user_info", **{"steps": ["signin"], "suggest": True, "users": list(users), **options})


def expect_unknown(lab, *names):
    lab.wire.expect(*(find(name) for name in names))
    lab.wire.expect(*(find_deleted(name) for name in names))
    lab.wire.expect(*(find_by_address(name) for name in names))


def test_the_closest_names_are_suggested_and_nobody_is_looked_at(lab):
    expect_unknown(lab, UPN)
    found = ["janet.smith@contoso.com", "jane.doe@contoso.com", "jane.dowe@contoso.com", "jane.d@contoso.com", "x@y.z"]
    lab.wire.expect(similar("jane.", "dow", *found))

    (reported,) = look(lab, UPN).users

    assert reported["id"] is None
    assert reported["error"]["code"] == "not_found"
    assert reported["error"]["message"] == f"There is no user {UPN}."
    assert reported["error"]["hint"] == (
        f"{HINT} Users with a similar name: jane.dowe@contoso.com, jane.doe@contoso.com, jane.d@contoso.com."
    )


def test_a_misspelt_beginning_is_found_by_the_surname(lab):
    expect_unknown(lab, "jnae.doe@contoso.com")
    lab.wire.expect(similar("jnae.", "doe", "jane.doe@contoso.com", "bob.doe@contoso.com"))

    (reported,) = look(lab, "jnae.doe@contoso.com").users

    assert reported["error"]["hint"].endswith("Users with a similar name: jane.doe@contoso.com.")


@pytest.mark.parametrize(
    "reply",
    [
        forbidden(),
        graph_error(400, "BadRequest", "Unsupported or invalid query filter clause."),
        Reply(json={"value": []}),
        Reply(json={"value": None}),
        Reply(json={}),
        Reply(json={"value": ["jane.doe@contoso.com", {"userPrincipalName": None}, {"id": "x"}]}),
        Reply(json={"value": [{"userPrincipalName": "somebody.else@contoso.com"}]}),
    ],
)
def test_a_search_that_fails_or_finds_nobody_like_that_changes_nothing(lab, reply):
    expect_unknown(lab, UPN)
    lab.wire.expect(similar("jane.", "dow", reply=reply))

    (reported,) = look(lab, UPN).users

    assert (reported["error"]["code"], reported["error"]["hint"]) == ("not_found", HINT)


def test_a_name_of_the_tenant_cannot_forge_a_line(lab):
    expect_unknown(lab, UPN)
    lab.wire.expect(similar("jane.", "dow", "jane.doe\n! all is well@contoso.com", "jane.do\u202ee@contoso.com"))

    (reported,) = look(lab, UPN).users

    assert "\n" not in reported["error"]["hint"]
    assert "\u202e" not in reported["error"]["hint"]


def test_an_apostrophe_stays_within_the_condition(lab):
    expect_unknown(lab, "o'brian@contoso.com")
    lab.wire.expect(similar("o''br", "o''b", "o'brien@contoso.com"))

    (reported,) = look(lab, "o'brian@contoso.com").users

    assert reported["error"]["hint"].endswith("Users with a similar name: o'brien@contoso.com.")


def test_five_names_are_searched_for_at_most(lab):
    names = [f"nobody{number}@contoso.com" for number in range(7)]
    expect_unknown(lab, *names)
    lab.wire.expect(*(similar("nobo", "nob", f"nobody{number}0@contoso.com") for number in range(5)))

    reported = look(lab, *names).users

    assert ["similar" in one["error"]["hint"] for one in reported] == [True] * 5 + [False] * 2


def test_nothing_is_searched_for_where_it_is_not_wanted_or_somebody_is_found(lab):
    expect_unknown(lab, UPN)
    assert look(lab, UPN, suggest=False).users[0]["error"]["hint"] == HINT

    lab.wire.expect(find("jane.doe@contoso.com", JANE))
    assert look(lab, "jane.doe@contoso.com").users[0]["error"] is None
