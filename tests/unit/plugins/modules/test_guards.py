# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Accounts that may not be touched: a list of protected accounts that cannot be read, and administrators."""

from __future__ import annotations

import os

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils._errors import OptionError
from ansible_collections.m365.offboarding.plugins.module_utils._guards import protected_entries
from ansible_collections.m365.offboarding.tests.unit.plugins.conftest import WRITING
from fakes.clock import later
from fakes.closing import OWN as CLOSING
from fakes.closing import READING, READS, an_object, expect
from fakes.people import crowd, mailbox, person
from fakes.turns import administrators, enable, find, forbidden, get_mailbox, read, revoke, roles
from fakes.wire import Reply

JANE = person("jane.doe")
UPN = "jane.doe@contoso.com"
BREAK_GLASS = "break.glass@contoso.com"
GUID = "5c1f3f8a-3d5e-4b63-9d0a-3f5f6f0f8f11"
OWN = {
    "m365_user_password": {},
    "m365_user_sessions": {},
    "m365_user_signin": {"state": "blocked"},
    "exo_mailbox_protocols": {"state": "disabled"},
    "exo_mailbox_forwarding": {"state": "absent"},
    **CLOSING,
    "m365_deleted_user": {"state": "restored"},
    "m365_user_info": {"steps": ["signin"]},
}
every_writing_module = pytest.mark.parametrize("module", WRITING)

# What cannot be read as one or several names, and how the message shows it.
MALFORMED = {
    "blank between names": (f"{UPN} {BREAK_GLASS}", f"'{UPN} {BREAK_GLASS}'"),
    "tab between names": (f"{UPN}\t{BREAK_GLASS}", "\\t"),
    "bar between names": (f"{UPN}|{BREAK_GLASS}", "|"),
    "braces": (f"{{{GUID}}}", GUID),
    "no hyphens": (GUID.replace("-", ""), GUID.replace("-", "")),
    "display name": (f"Break Glass <{BREAK_GLASS}>", "<"),
    "angle brackets": (f"<{BREAK_GLASS}>", "<"),
    "display name alone": ("Break Glass", "'Break Glass'"),
    "smtp": (f"smtp:{BREAK_GLASS}", "smtp:"),
    "mailto": (f"mailto:{BREAK_GLASS}", "mailto:"),
    "double quotes": (f'"{BREAK_GLASS}"', '"'),
    "single quotes": (f"'{BREAK_GLASS}'", "'"),
    "opening quote": (f"'{BREAK_GLASS}", "'"),
    "typographic quotes": (f"\u201c{BREAK_GLASS}\u201d", BREAK_GLASS),
    "brackets": (f"[{BREAK_GLASS}]", "["),
    "JSON": (f'["{UPN}", "{BREAK_GLASS}"]', "["),
    "parentheses": (f"({BREAK_GLASS})", "("),
    "comment": (f"# {BREAK_GLASS}", "#"),
    "comment without a blank": (f"#{BREAK_GLASS}", "#"),
    "comment behind": (f"{BREAK_GLASS} # the safe", "#"),
    "bullet": (f"- {BREAK_GLASS}", "-"),
    "bullet without a blank": (f"-{BREAK_GLASS}", "-"),
    "key": (f"user={BREAK_GLASS}", "user="),
    "variable": (f"$BREAK{BREAK_GLASS}", "$"),
    "template": ("{{ break_glass }}", "break_glass"),
    "domain and name": ("CONTOSO\\breakglass", "CONTOSO"),
    "no domain": ("breakglass", "'breakglass'"),
    "zero-width space": (f"{BREAK_GLASS}\u200b", "\\u200b"),
    "word joiner": (f"\u2060{BREAK_GLASS}", "\\u2060"),
    "soft hyphen": ("break\u00adglass@contoso.com", "\\xad"),
    "right-to-left": (f"\u202e{BREAK_GLASS}", "\\u202e"),
    "byte order mark": (f"\ufeff{BREAK_GLASS}", "\\ufeff"),
    "no-break space": (f"{BREAK_GLASS}\u00a0", "\\xa0"),
    "line separator": (f"{UPN}\u2028{BREAK_GLASS}", "\\u2028"),
    "escape": (f"{BREAK_GLASS}\x1b[2K", "\\x1b"),
    "NUL": (f"{BREAK_GLASS}\x00", "\\x00"),
    "letters that only look so": ("br\u0435ak.glass@contoso.com", "ak.glass"),
    "two at signs": (f"{UPN}@{BREAK_GLASS}", UPN),
    "star": ("*@contoso.com", "*"),
}
malformed = pytest.mark.parametrize(("entry", "shown"), MALFORMED.values(), ids=MALFORMED)


@malformed
@pytest.mark.parametrize("by", ["option", "option among others", "environment"])
def test_what_cannot_be_read_as_names_stops_every_write_before_anything_is_sent(lab, monkeypatch, entry, shown, by):
    options = {"option": [entry], "option among others": [BREAK_GLASS, entry]}.get(by, [])
    if by == "environment":
        monkeypatch.setitem(os.environ, "M365_PROTECTED_USERS", f"{UPN}\n{entry.replace(chr(0), chr(127))}")
        shown = shown.replace("\\x00", "\\x7f")  # an environment holds no NUL

    reported = lab.run("m365_user_signin", users=UPN, state="blocked", protected_users=options)

    assert (reported.failed, reported.changed, lab.wire.outer) == (True, False, [])
    assert reported.result["error"]["code"] == "bad_protected_users"
    place = {"option": "protected_users[0]", "option among others": "protected_users[1]"}.get(
        by, "M365_PROTECTED_USERS"
    )
    assert place in reported.msg
    assert shown in reported.msg
    assert "Nothing was sent. Write each account as" in reported.msg
    assert reported.msg.isprintable()


@pytest.mark.parametrize("module", OWN)
@pytest.mark.parametrize("check", [True, False])
def test_no_module_works_beside_a_list_that_cannot_be_read(lab, module, check):
    reported = lab.run(module, check=check, users=UPN, protected_users=["Break Glass"], **OWN[module])

    assert (reported.failed, reported.users, lab.wire.outer) == (True, [], [])
    assert "'Break Glass' is not a name" in reported.msg


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ([None], "protected_users[0]: null"),
        ([UPN, None], "protected_users[1]: null"),
        ([{"user": UPN}], "dict instead of a name"),
        ([[UPN]], "list instead of a name"),
        ([42], "int instead of a name"),
        ([True], "bool instead of a name"),
        ([UPN, ""], "protected_users[1]: empty"),
        ([UPN, " \n"], "protected_users[1]: empty"),
        ([","], "protected_users[0]: empty"),
        ({"user": UPN}, "protected_users"),
    ],
)
def test_an_element_that_is_not_a_name_is_refused_by_its_place(lab, value, shown):
    reported = lab.run("m365_user_sessions", users=UPN, protected_users=value)

    assert (reported.failed, lab.wire.outer) == (True, [])
    assert shown in reported.msg
    assert "fault of the collection" not in reported.msg


@pytest.mark.parametrize("variable", [";", ",\n,"])
def test_a_variable_that_holds_separators_alone_is_refused(variable):
    with pytest.raises(OptionError, match="M365_PROTECTED_USERS: empty"):
        protected_entries([], variable)


@pytest.mark.parametrize("option", [None, [], "", [""], [" "], ["\n"]])
@pytest.mark.parametrize("variable", ["", "  ", "\n"])
def test_what_is_left_blank_protects_nobody_further(option, variable):
    assert protected_entries(option, variable) == []


@pytest.mark.parametrize(
    "option",
    [
        [UPN, GUID],
        [f"{UPN},{GUID}"],
        [f"{UPN};{GUID}"],
        [f" {UPN} ; {GUID} ;"],
        [f"{UPN}\r\n{GUID}\r\n"],
        [f"\t{UPN}\n\n{GUID}"],
        f"{UPN};{GUID}",
    ],
)
def test_several_names_are_separated_by_commas_semicolons_and_newlines(option):
    assert protected_entries(option, "") == [UPN, GUID]


@pytest.mark.parametrize(
    "name",
    ["o'brien@contoso.com", "ann_fabrikam.com#EXT#@contoso.onmicrosoft.com", "a.b-c+d@sub.contoso.com", GUID.upper()],
)
def test_names_with_unusual_signs_are_names(name):
    assert protected_entries([name], "") == [name]


def test_a_hundred_bad_entries_make_no_endless_message():
    with pytest.raises(OptionError) as caught:
        protected_entries(["x" * 500] * 100, "")

    assert "(and 80 more)" in str(caught.value)
    assert len(str(caught.value)) < 4000


@pytest.mark.parametrize("separator", [";", " ; ", ";\n"])
def test_a_semicolon_separates_and_both_are_protected(lab, monkeypatch, separator):
    ann, bob = crowd(2)
    names = [one["userPrincipalName"] for one in (ann, bob)]
    monkeypatch.setenv("M365_PROTECTED_USERS", separator.join(names))
    lab.wire.expect(find(ann), find(bob), find(ann), find(bob))

    assert lab.run("m365_user_signin", users=names, state="blocked").statuses == ["refused"] * 2


# --- administrators ---


def expect_opening(lab, module, *then):
    """Expect what a module reads by name before it writes, then more."""
    box = [get_mailbox(JANE, mailbox(JANE))] if module == "exo_mailbox_protocols" else []
    objects = READS[module](JANE, an_object(module, JANE)) if module in READS else []
    if objects:
        lab.entra.permissions["https://graph.microsoft.com"] = READING
    expect(lab, find(JANE), *box, *objects, *then)


@every_writing_module
@pytest.mark.parametrize("check", [True, False])
def test_an_administrator_is_refused_by_role_with_the_option_to_set(lab, module, check):
    expect_opening(lab, module, roles(JANE, "Helpdesk Administrator", "Reports Reader"))

    reported = lab.run(module, check=check, users=UPN, allow_admins=False, **OWN[module])

    assert (reported.statuses, reported.failed, reported.changed) == (["refused"], True, False)
    assert reported.user["error"] == {
        "code": "administrator",
        "message": f"{UPN} holds a directory role (Helpdesk Administrator, Reports Reader); nothing was sent.",
        "hint": "If that is intended, set allow_admins.",
        "request_id": None,
    }


@every_writing_module
def test_administrators_are_refused_by_default(lab, module):
    expect_opening(lab, module, roles(JANE, "x", ids_only=True))

    reported = lab.run(module, users=UPN, allow_admins=None, **OWN[module])

    assert reported.user["error"]["message"] == f"{UPN} holds a directory role (role-x); nothing was sent."


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("m365_user_signin", {"state": "allowed"}),
        ("exo_mailbox_protocols", {"state": "enabled"}),
        ("m365_user_password", {"password": "Wild-Horses-47-run"}),
    ],
)
def test_an_administrator_is_not_opened_either(lab, module, options):
    shut = {**JANE, "accountEnabled": False}
    box = [get_mailbox(JANE, mailbox(JANE, on=False))] if module == "exo_mailbox_protocols" else []
    lab.wire.expect_each(find(shut), *box, roles(JANE, "Helpdesk Administrator"))

    assert lab.run(module, users=UPN, allow_admins=False, **options).user["error"]["code"] == "administrator"


@every_writing_module
@pytest.mark.parametrize("check", [True, False])
def test_a_user_who_cannot_be_reported_from_an_administrator_is_refused(lab, module, check):
    expect_opening(lab, module, roles(JANE).but(forbidden()))

    reported = lab.run(module, check=check, users=UPN, allow_admins=False, **OWN[module])

    error = reported.user["error"]
    assert (reported.statuses, error["code"]) == (["refused"], "roles_unread")
    assert error["message"].startswith(f"The directory roles of {UPN} could not be read: Microsoft Graph answered 403 ")
    assert error["message"].endswith("Nothing was sent.")
    assert error["hint"] == "Reading them needs User.Read.All; or set allow_admins."


def test_an_answer_that_names_no_role_is_not_the_same_as_no_role(lab):
    lab.wire.expect_each(find(JANE), roles(JANE).but(Reply(json={"value": [{}]})))

    assert lab.run("m365_user_sessions", users=UPN, allow_admins=False).user["error"]["code"] == "administrator"


def test_a_credential_that_may_not_read_roles_is_said_so_once(lab):
    people = crowd(3)
    lab.wire.expect(*map(find, people))
    lab.wire.expect(*[roles(one).but(forbidden()) for one in people])

    names = [one["userPrincipalName"] for one in people]
    reported = lab.run("m365_user_sessions", users=names, allow_admins=False)

    assert reported.statuses == ["refused"] * 3
    assert reported.msg.count("could not be read") == 1
    assert "And 2 more, see users." in reported.msg


def test_a_user_who_holds_no_role_is_written_beside_an_administrator_who_is_not(lab):
    ann, bob = crowd(2)
    lab.wire.expect(find(ann), find(bob))
    lab.wire.expect(roles(ann), roles(bob, "User Administrator"))
    lab.wire.expect(revoke(ann))
    lab.wire.expect(read({**ann, "signInSessionsValidFromDateTime": later()}))

    names = [one["userPrincipalName"] for one in (ann, bob)]
    reported = lab.run("m365_user_sessions", users=names, allow_admins=False)

    assert reported.statuses == ["verified", "refused"]


@pytest.mark.parametrize("held", [[], ["Helpdesk Administrator"]])
def test_roles_that_are_handed_on_save_the_reading_and_decide(lab, held):
    lab.wire.expect(find(JANE))
    if not held:
        lab.wire.expect_each(enable(JANE, False), read({**JANE, "accountEnabled": False}))

    users = [{"user": UPN, "directory_roles": held}]
    reported = lab.run("m365_user_signin", users=users, state="blocked", allow_admins=False)

    assert reported.statuses == ["refused" if held else "verified"]


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        (["62e90394-69f5-4237-9190-012177145e10"], "holds a directory role; nothing"),
        (
            ["62e90394-69f5-4237-9190-012177145e10", "Helpdesk Administrator"],
            "holds a directory role (Helpdesk Administrator); nothing",
        ),
    ],
)
def test_a_role_without_a_name_is_a_directory_role_and_never_an_id(lab, held, reason):
    lab.wire.expect(find(JANE))

    users = [{"user": UPN, "directory_roles": held}]
    reported = lab.run("m365_user_signin", users=users, state="blocked", allow_admins=False)

    assert reported.statuses == ["refused"]
    assert reason in reported.user["error"]["message"]


def test_roles_of_users_with_nothing_to_do_are_not_read(lab):
    lab.wire.expect(find({**JANE, "accountEnabled": False}))

    assert lab.run("m365_user_signin", users=UPN, state="blocked", allow_admins=False).statuses == ["unchanged"]


def test_roles_are_not_read_where_administrators_are_allowed(lab):
    lab.wire.expect_each(find(JANE), administrators(), enable(JANE, False), read({**JANE, "accountEnabled": False}))

    assert lab.run("m365_user_signin", users=UPN, state="blocked", allow_admins=True).statuses == ["verified"]


def test_the_last_global_administrator_is_spared_although_administrators_are_allowed(lab):
    lab.wire.expect_each(find(JANE), administrators(JANE))

    reported = lab.run("m365_user_signin", users=UPN, state="blocked", allow_admins=True)

    assert reported.user["error"]["code"] == "last_global_administrator"


@pytest.mark.parametrize("identity", [None, "", 7], ids=repr)
def test_an_administrator_without_an_object_id_does_not_count_as_remaining(lab, identity):
    holders = administrators(JANE, {**person("the.boss"), "id": identity})
    lab.wire.expect_each(find(JANE), holders)

    reported = lab.run("m365_user_signin", users=UPN, state="blocked", allow_admins=True)

    assert reported.user["error"]["code"] == "last_global_administrator"


# --- the proxy's password ---


@pytest.mark.parametrize("by", ["option", "M365_PROXY", "HTTPS_PROXY", "https_proxy"])
@pytest.mark.parametrize(
    ("password", "also"),
    [("s3cret-proxy", []), ("s3c%40ret%2Fproxy", ["s3c@ret/proxy"]), ("s3c#ret/pro?xy", []), ("pw1", [])],
)
@pytest.mark.parametrize("users", [UPN, "not a name", None])
def test_the_password_of_a_proxy_is_nowhere(lab, monkeypatch, by, password, also, users):
    address = f"http://scout:{password}@proxy.contoso.com:3128"
    options = {"proxy": address} if by == "option" else {}
    if not options:
        monkeypatch.setenv(by, address)
    if users == UPN:
        # A service that repeats what it was sent through.
        echo = Reply(400, {"error": {"code": "Bad", "message": f"Through {address} by scout:{password}."}})
        lab.wire.expect(find(JANE).but(echo))
    chosen = {} if users is None else {"users": users}

    reported = lab.run("m365_user_info", steps=["signin"], person=False, verbosity=4, **options, **chosen)

    assert reported.failed
    for secret in (f"scout:{password}", *(one for one in (password, *also) if len(one) > 3)):
        assert secret not in reported.output
