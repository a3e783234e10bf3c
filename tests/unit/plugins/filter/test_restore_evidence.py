# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""restore_evidence: which file is believed, and whom to look at."""

from __future__ import annotations

import copy
import json

import pytest

from ansible_collections.m365.offboarding.plugins.filter.restore_evidence import FilterModule
from ansible_collections.m365.offboarding.tests.unit.plugins.lab.people import person
from ansible_collections.m365.offboarding.tests.unit.plugins.lab.restoring import evidence, shut_out

read = FilterModule().filters()["restore_evidence"]
JANE, BOB = person("jane.doe"), person("bob")
UPN = "jane.doe@contoso.com"
GOOD = evidence(shut_out(), shut_out("bob"))


@pytest.fixture
def written(tmp_path):
    """Return a function that writes evidence, or bytes, and gives the path."""

    def write(content):
        path = tmp_path / "evidence.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return str(path)

    return write


def without(*path):
    content = copy.deepcopy(GOOD)
    holder = content
    for key in path[:-1]:
        holder = holder[key]
    del holder[path[-1]]
    return content


def having(value, *path):
    content = copy.deepcopy(GOOD)
    holder = content
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return content


def test_a_leaver_is_looked_at_by_name_and_by_the_object_id_of_the_evidence(written):
    told = read([UPN], written(GOOD), "localhost")

    assert told == {"error": None, "names": [UPN], "read": [UPN, JANE["id"]], "evidence": GOOD}


@pytest.mark.parametrize("name", [UPN.upper(), JANE["id"].upper(), f" {UPN} "])
def test_names_are_known_in_any_case(written, name):
    told = read([name], written(GOOD), "localhost")

    assert told["names"] == [name.strip()]
    assert [one.lower() for one in told["read"]] in ([UPN, JANE["id"]], [JANE["id"]])


def test_several_in_one_text_are_several(written):
    assert read(f"{UPN}, bob@contoso.com\n", written(GOOD), "localhost")["names"] == [UPN, "bob@contoso.com"]


def test_of_another_host_all_entries_may_be_meant_until_the_tenant_is_known(written):
    content = having({"tenant_id": None, "leavers": [shut_out(id=BOB["id"])]}, "hosts", "other")

    assert read([UPN], written(content), "elsewhere")["read"] == [UPN, JANE["id"], BOB["id"]]
    assert read([UPN], written(content), "localhost")["read"] == [UPN, JANE["id"]]


def test_who_is_in_no_evidence_is_looked_at_by_name(written):
    content = evidence(shut_out(id=None))

    assert read([UPN, "ann@contoso.com"], written(content), "localhost")["read"] == [UPN, "ann@contoso.com"]


def test_without_a_file_the_names_are_all_there_is():
    assert read([UPN], "", "localhost") == {"error": None, "names": [UPN], "read": [UPN], "evidence": None}


def test_evidence_of_a_run_that_was_cut_off_is_evidence(written):
    assert read([UPN], written(having(False, "complete")), "localhost")["error"] is None


def test_a_byte_order_mark_of_an_editor_does_not_matter(written):
    assert read([UPN], written(b"\xef\xbb\xbf" + json.dumps(GOOD).encode()), "localhost")["evidence"] == GOOD


LEAVER = ("hosts", "localhost", "leavers", 0)
STEP = (*LEAVER, "steps", "signin")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param(b"", "is no JSON", id="empty"),
        pytest.param(b"{", "is no JSON", id="half"),
        pytest.param(b"\xff\xfe{", "no text in UTF-8", id="UTF-16"),
        pytest.param(b"[" * 100_000, "nested too deeply", id="deep"),
        pytest.param(b"null", "the file is no mapping", id="null"),
        pytest.param(b"[]", "the file is no mapping", id="a list"),
        pytest.param(b"{}", "its format is not m365.offboarding/evidence", id="nothing in it"),
        pytest.param(having("m365.offboarding/report", "format"), "its format is not", id="another format"),
        pytest.param(having(2, "version"), "its version is not 1", id="a later version"),
        pytest.param(having("1", "version"), "its version is not 1", id="a version as text"),
        pytest.param(having(True, "version"), "its version is not 1", id="true for a version"),
        pytest.param(without("purpose"), "the file lacks 'purpose'", id="no purpose"),
        pytest.param(having("audit", "purpose"), "it is of an audit", id="an audit"),
        pytest.param(having(True, "check_mode"), "written in check mode", id="check mode"),
        pytest.param(having("no", "check_mode"), "the file.check_mode is not true or false", id="a text for a boolean"),
        pytest.param(having([], "hosts"), "the file.hosts is not a mapping", id="hosts as a list"),
        pytest.param(having(None, "hosts", "localhost"), "hosts['localhost'] is no mapping", id="no host"),
        pytest.param(having(5, "hosts", "localhost", "tenant_id"), "tenant_id is not a text or null", id="tenant"),
        pytest.param(without("hosts", "localhost", "tenant_id"), "lacks 'tenant_id'", id="no tenant"),
        pytest.param(having({}, "hosts", "localhost", "leavers"), "leavers is not a list", id="leavers"),
        pytest.param(having("jane", *LEAVER), "leavers[0] is no mapping", id="a leaver as text"),
        pytest.param(without(*LEAVER, "id"), "leavers[0] lacks 'id'", id="no id"),
        pytest.param(having(5, *LEAVER, "id"), "leavers[0].id is not a text or null", id="a number as id"),
        pytest.param(having(None, *LEAVER, "user"), "leavers[0].user is not a text", id="no user"),
        pytest.param(having([], *LEAVER, "steps"), "leavers[0].steps is not a mapping", id="steps as a list"),
        pytest.param(having({}, *LEAVER, "steps", "licence"), "names 'licence', which is no step", id="another step"),
        pytest.param(having("blocked", *STEP), "steps.signin is no mapping", id="a step as text"),
        pytest.param(without(*STEP, "status"), "steps.signin lacks 'status'", id="no status"),
        pytest.param(having(True, *STEP, "before"), "steps.signin.before is not a mapping or null", id="before"),
        pytest.param(
            having("yes", *STEP, "before", "account_enabled"),
            "before.account_enabled is not true or false or null",
            id="a text for a switch",
        ),
        pytest.param(
            having(1, *LEAVER, "steps", "protocols", "after", "owa"), "after.owa is not true or false or null", id="1"
        ),
        pytest.param(
            having(True, *LEAVER, "steps", "password", "after", "last_password_change_date_time"),
            "is not a text or null",
            id="true for a moment",
        ),
        pytest.param(having("broken", *STEP, "error"), "error is not a mapping or null", id="an error as text"),
    ],
)
def test_what_is_no_evidence_is_not_believed_and_the_place_is_named(written, content, text):
    told = read([UPN], written(content), "localhost")

    assert text in told["error"]
    assert "evidence.json" in told["error"]
    assert told["evidence"] is None


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    assert "No such file" in read([UPN], str(tmp_path / "no.json"), "localhost")["error"]
    assert "Is a directory" in read([UPN], str(tmp_path), "localhost")["error"]


@pytest.mark.parametrize(
    ("leavers", "text"),
    [
        ([], "restore_employee_leavers is empty"),
        (["Jane Doe"], "'Jane Doe' is neither a user principal name nor an object id"),
        ([UPN, 5], "restore_employee_leavers[1]: int instead of a name"),
        ([None, ""], "restore_employee_leavers[0]: empty; restore_employee_leavers[1]: empty"),
    ],
)
def test_leavers_that_cannot_be_meant_are_refused_before_the_file_is_read(leavers, text):
    assert text in read(leavers, "/nowhere", "localhost")["error"]


def test_what_a_file_says_is_no_template(written):
    """Of ansible-core before 2.19, which templates whatever is kept as a fact unless it is marked."""
    told = read([UPN], written(evidence(shut_out(display_name="{{ 7 * 7 }}"))), "localhost")
    name = told["evidence"]["hosts"]["localhost"]["leavers"][0]["display_name"]

    try:
        from ansible.template import is_trusted_as_template
    except ImportError:
        assert type(name).__name__ == "AnsibleUnsafeText"
    else:
        assert not is_trusted_as_template(name)
