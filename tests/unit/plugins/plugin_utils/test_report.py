# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports: every format holds what the evidence holds, says readers that are not ours, and nothing in it can do harm."""

from __future__ import annotations

import copy
import csv
import io
import json
import re
import sys
import unicodedata
from pathlib import Path

import junitparser
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ansible_collections.m365.offboarding.plugins.plugin_utils import _containment, _evidence, _results
from ansible_collections.m365.offboarding.plugins.plugin_utils._report import FORMATS, format_of, formats_of, render
from fakes import records
from fakes.earlier import earlier, with_since
from tools import sample_evidence

ROOT = Path(__file__).resolve().parents[4]
SCHEMA = json.loads((ROOT / "docs" / "evidence.schema.json").read_text())
STEPS = sample_evidence.STEPS
every_kind = pytest.mark.parametrize("kind", sample_evidence.KINDS)
# What anybody may write into a name.
anything = st.text(st.characters(exclude_categories=()))
wild = st.text(
    st.one_of(st.sampled_from("=+-@;,\"' \t\r\n\0\x1b|\uff1d\uff0d\ufeff\u200b\ud800"), st.characters()), max_size=12
)


def evidence_of(*leavers, host="localhost", **facts):
    return sample_evidence.file({host: sample_evidence.host(list(leavers), **facts)})


def leaver(kind="contained_now", **facts):
    return {**sample_evidence.leaver(kind), **facts}


def finding(text, topic="forwarding", **facts):
    entry = {"state": "found", "found": [{"text": text}], "note": None, "permission": "X.Read", "error": None}
    return {topic: {**entry, **facts}}


def unseen(topic="forwarding", message="Insufficient privileges."):
    error = sample_evidence.problem("forbidden", message)
    entry = {"state": "not_looked_at", "found": [], "note": None, "permission": "X.Read", "error": error}
    return {topic: entry}


# --- which formats there are ---


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("evidence.json", "json"),
        ("/srv/reports.d/Leavers.CSV", "csv"),
        ("a.b.Html", "html"),
        ("junit.xml", "xml"),
        ("~/ö.json", "json"),
    ],
)
def test_the_suffix_decides_the_format_in_any_case(path, name):
    assert format_of(path) == name


@pytest.mark.parametrize("path", ["report", "report.pdf", "report.json.gz", "json", ".json", "reports.json/last", ""])
def test_another_suffix_is_refused_with_those_that_are_known(path):
    with pytest.raises(ValueError, match=re.escape(".html, .csv, .json or .xml")):
        format_of(path)


def test_all_that_cannot_be_written_is_named():
    with pytest.raises(ValueError, match=re.escape("written: a.pdf, b.txt")):
        formats_of(["a.pdf", "fine.json", "b.txt"])


def test_a_format_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match="'pdf' is not a report format; valid formats are html, csv, json or xml"):
        render(evidence_of(), "pdf")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_can_be_made_of_every_kind_of_leaver_and_of_none(name):
    for evidence in (evidence_of(), sample_evidence.evidence(20, residual_access=True, changes=True)):
        text = render(evidence, name)

        assert text
        assert text == render(evidence, name)
        text.encode()


def test_a_page_is_made_of_the_evidence():
    assert "<html" in render(evidence_of(leaver()), "html")


# --- JSON and its schema ---


@pytest.fixture(scope="module")
def schema():
    Draft202012Validator.check_schema(SCHEMA)
    # Without its library a format is passed over.
    assert {"date-time", "uuid"} <= set(Draft202012Validator.FORMAT_CHECKER.checkers)
    return Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)


def complaints(schema, evidence):
    return [f"{error.json_path}: {error.message}" for error in schema.iter_errors(evidence)]


@every_kind
def test_json_of_every_kind_fits_the_schema_and_is_the_evidence(kind, schema):
    one = leaver(kind, residual=sample_evidence.residual(), since=sample_evidence.since(leaver(kind)))
    evidence = evidence_of(one)

    text = render(evidence, "json")

    assert json.loads(text) == evidence
    assert complaints(schema, json.loads(text)) == []


@pytest.mark.parametrize("count", [1, 2, 20])
@pytest.mark.parametrize("more", [False, True])
def test_json_of_several_tenants_fits_the_schema(count, more, schema):
    text = render(sample_evidence.evidence(count, residual_access=more, changes=more), "json")

    assert complaints(schema, json.loads(text)) == []


RECORDS = {
    "open": records.read_record("jane.doe"),
    "shut": records.read_record("miles.obrien", state="shut", surely_shut_by={"password": records.P}),
    "unknown": records.unknown_record(),
    "unread": records.read_record(
        "ann", doors=records.doors("unknown"), status="failed", error=records.problem("http_403", "Not read.")
    ),
    "later": records.read_record("cid", due=False, left_at="2026-12-01T00:00:00Z"),
    "no_mailbox": records.read_record("eve", doors=records.doors("not_applicable")),
}


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("status", [None, "planned", "verified", "accepted", "failed", "refused", "not_due"])
def test_what_the_role_joins_fits_the_schema(name, status, schema):
    record = RECORDS[name]
    runs = records.all_steps("jane.doe", status) if status and name == "open" else []
    joined = _results.results([record], steps=STEPS, runs=runs, closing=[record])
    automation = {"tenant_id": record["id"], "client_id": None, "object_id": None}
    tenant = _evidence.tenant_entry({"automation": automation, "users": [record]}, steps=STEPS)
    reported = {"started_at": "2026-11-20T16:00:00Z", "job": {}, "ansible": "2.19.3", "check_mode": False}

    def told_of(leavers):
        return _evidence.evidence({"x": tenant}, {"x": leavers}, purpose="audit", complete=True, **reported)

    evidence = told_of(joined)
    assert complaints(schema, evidence) == []
    compared = earlier(evidence)
    tenant["since"] = compared.comparison
    assert complaints(schema, told_of(with_since(joined, compared))) == []


def test_json_ends_in_a_newline_and_is_the_same_in_every_encoding():
    text = render(evidence_of(leaver(display_name="Zoë \u2028 \ud800 😀")), "json")

    assert text.endswith("}\n")
    assert text.isascii()
    assert json.loads(text)["hosts"]["localhost"]["leavers"][0]["display_name"] == "Zoë \u2028 \ud800 😀"


def objects(value, path=()):
    """Yield every object of the evidence and where it stands."""
    if isinstance(value, dict):
        yield path, value
    for key, below in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from objects(below, (*path, key))


def sorts(evidence):
    """Yield one object of every sort, not the same ones of every leaver."""
    seen = set()
    for path, one in objects(evidence):
        sort = tuple("*" if isinstance(key, int) else key for key in path)
        if sort not in seen:
            seen.add(sort)
            yield path, one


def is_free(path):
    """Return whether the keys of an object are not ours to say: hosts, facts of findings."""
    return path == ("hosts",) or path[-2:-1] == ("found",)


def is_open(path):
    """Return whether keys may be absent: hosts, steps, topics, accepted doors, and protocols that were not read."""
    return is_free(path) or path[-1:] in (("steps",), ("residual",), ("doors",)) or path[-2:-1] == ("protocols",)


@pytest.fixture(scope="module")
def full():
    """Evidence in which every object that there can be is somewhere."""
    kinds = ("contained_now", "failed", "protected", "accepted")
    leavers = [leaver(kind, residual=sample_evidence.residual(3)) for kind in kinds]
    leavers[0]["since"] = sample_evidence.since(leavers[0])
    leavers[0]["containment"] = _containment.containment(leavers[0])
    link = {"file": "monday.json", "sha256": "0" * 64}
    evidence = {**evidence_of(*leavers, containment=_evidence.containment_summary(leavers, "4h")), "chain": [link]}
    error = sample_evidence.problem("x", "No token.", "A hint.", "An id.")
    evidence["hosts"]["localhost"]["exceptions"] = [sample_evidence.exception()]
    evidence["hosts"]["tailspin"] = sample_evidence.host([], error=error)
    return evidence


def changed(evidence, path, change):
    """Return a copy of the evidence in which a function has changed the object at a path."""
    other = copy.deepcopy(evidence)
    place = other
    for key in path:
        place = place[key]
    change(place)
    return other


def test_the_schema_misses_no_key_that_is_gone(full, schema):
    for path, one in sorts(full):
        for key in () if is_open(path) else one:
            assert not schema.is_valid(changed(full, path, lambda place, key=key: place.pop(key))), (path, key)


def test_the_schema_knows_every_key(full, schema):
    for path, _one in sorts(full):
        if not is_free(path):
            assert not schema.is_valid(changed(full, path, lambda place: place.update(surprise=None))), path


def test_the_schema_knows_what_each_value_may_be(full, schema):
    # An object that holds a number is nowhere right.
    for path, one in sorts(full):
        for key in () if path[-2:-1] == ("found",) else one:
            broken = changed(full, path, lambda place, key=key: place.update({key: {"number": 7.5}}))
            assert not schema.is_valid(broken), (path, key)


def test_the_evidence_that_is_changed_above_is_whole(full, schema):
    assert complaints(schema, full) == []
    assert sum(len(one) for path, one in sorts(full) if not is_open(path)) > 100


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), 2),
        (("format",), "something"),
        (("purpose",), "restore"),
        (("written_at",), "2026-11-20T16:05:01+01:00"),
        (("written_at",), "2026-13-20T16:05:01Z"),
        (("hosts", "localhost", "tenant_id"), "contoso"),
        (("hosts", "localhost", "steps"), ["password", "coffee"]),
        (("hosts", "localhost", "steps"), ["password", "password"]),
        (("hosts", "localhost", "leavers", 0, "status"), "fine"),
        (("hosts", "localhost", "leavers", 1, "open"), ["signin", "signin"]),
        (("hosts", "localhost", "leavers", 0, "open"), ["window"]),
        (("hosts", "localhost", "leavers", 0, "open"), ["signin"]),  # contained, and a door open
        (("hosts", "localhost", "leavers", 0, "steps", "signin", "before"), {"account_enabled": "yes"}),
        (("hosts", "localhost", "leavers", 0, "steps", "protocols", "after"), {"gopher": False}),
        (("hosts", "localhost", "leavers", 0, "residual", "devices", "found"), [{"name": "no text"}]),
        (("hosts", "localhost", "leavers", 0, "residual", "devices", "state"), "found"),  # and nothing is
        (("hosts", "tailspin", "leavers"), [sample_evidence.leaver("open")]),  # of a tenant that nobody looked at
    ],
)
def test_the_schema_refuses_what_cannot_be(path, value, full, schema):
    *above, last = path

    assert not schema.is_valid(changed(full, above, lambda place: place.update({last: value})))


def test_the_schema_explains_every_property():
    described = [
        (path, name)
        for path, one in objects(SCHEMA)
        if path[-1:] == ("properties",) and not {"if", "then", "else"} & set(path)
        for name, meaning in one.items()
        if "description" not in meaning and path[-4:-2] != ("steps", "properties")
    ]

    assert described == []
    assert SCHEMA["$id"].endswith("/docs/evidence.schema.json")


def test_the_schema_knows_the_steps_doors_and_topics_that_there_are():
    definitions = SCHEMA["$defs"]

    assert definitions["step_name"]["enum"] == list(STEPS)
    assert definitions["door"]["enum"] == list(sample_evidence.DOORS)
    assert definitions["protocol"]["enum"] == list(sample_evidence.PROTOCOLS)
    assert list(definitions["result"]["properties"]["residual"]["properties"]) == list(sample_evidence.TOPICS)


# --- CSV ---


def rows_of(evidence):
    text = render(evidence, "csv")
    return list(csv.DictReader(io.StringIO(text.encode().decode("utf-8-sig"), newline=""), strict=True))


@every_kind
def test_csv_reports_every_kind(kind):
    one = leaver(kind)

    (row,) = rows_of(evidence_of(one))

    assert row["host"] == "localhost"
    assert row["tenant_id"] == sample_evidence.identifier("tenant contoso")
    for fact in ("user", "user_principal_name", "display_name", "id", "left_at", "status"):
        assert row[fact] == (one[fact] or ""), fact
    assert row["contained"] == str(one["contained"]).lower()
    for doors in ("open", "unconfirmed", "not_looked_at"):
        assert row[doors] == ", ".join(one[doors])
    for step in STEPS:
        for fact in ("status", "written_at", "effective_by"):
            assert row[f"{step}_{fact}"] == (one["steps"].get(step, {}).get(fact) or "")
    for entry in one["steps"].values():
        assert (entry["note"] or "") in row["notes"]
        assert (entry["request_id"] or "") in row["request_ids"]
        for text in ("message", "hint"):
            assert ((entry["error"] or {}).get(text) or "") in row["error"]


def test_csv_has_a_row_for_every_leaver_and_for_a_tenant_that_nobody_looked_at():
    evidence = sample_evidence.evidence(20)

    rows = rows_of(evidence)

    assert [row["host"] for row in rows] == ["contoso"] * 19 + ["fabrikam", "tailspin"]
    assert (rows[-1]["status"], rows[-1]["contained"], rows[-1]["user"]) == ("failed", "false", "")
    assert "the client secret has expired. Make a new secret" in rows[-1]["error"]
    assert rows[-1]["request_ids"] == f"invalid_client {sample_evidence.identifier('no token')}"


def test_csv_reports_residual_access_by_topic_and_never_none_for_what_was_not_looked_at():
    nothing = finding("", "devices", state="none", found=[])
    found = finding("Forwards to x@gmail.example", note="Not read: inbox rules.")

    (row,) = rows_of(evidence_of(leaver(residual={**found, **nothing, **unseen("phones")})))

    assert row["residual_forwarding"] == "found: Forwards to x@gmail.example; Not read: inbox rules."
    assert row["residual_devices"] == "none"
    assert row["residual_phones"] == "not read, needs X.Read: Insufficient privileges."
    assert row["residual_consents"] == ""


def test_csv_reports_what_is_newly_open():
    since = {"newly_open": ["signin", "owa"], "newly_shut": [], "new": False}

    (row,) = rows_of(evidence_of(leaver("open", since=since)))

    assert row["newly_open"] == "signin, owa"


def test_csv_is_what_excel_and_rfc_4180_want():
    text = render(sample_evidence.evidence(20, residual_access=True), "csv")

    assert text.startswith("\ufeffhost,tenant_id,tenant_name,application_name,user,")
    assert text.count("\ufeff") == 1
    assert text.endswith("\r\n")
    assert set(re.findall("\r?\n|\r", text)) == {"\r\n"}
    assert {len(row) for row in csv.reader(io.StringIO(text, newline=""))} == {77}


def seasoned(text):
    """Return evidence in which whatever others may write is this text."""
    error = sample_evidence.problem("x", text, text, text)
    one = leaver("failed", user=text, display_name=text, user_principal_name=text, error=error, residual=finding(text))
    one["steps"]["signin"] |= {"note": text, "request_id": text, "error": error}
    one["residual"] |= unseen("phones", text)
    evidence = evidence_of(one, host=text, tenant_name=text, application_name=text, contain_within=text)
    evidence["run"] |= dict.fromkeys(
        ("reason", "ticket", "approved_by", "launched_by", "os_user", "job_template"), text
    )
    evidence["chain"] = [{"file": text, "sha256": text}]
    evidence["hosts"][f"{text}!"] = sample_evidence.host([], error=error)
    return evidence


def test_every_row_says_what_kind_of_run_it_was_and_who_asked_for_it():
    evidence = sample_evidence.evidence(20, purpose="audit", check_mode=True)

    rows = rows_of(evidence)

    assert len(rows) == 21
    for row in rows:
        assert {name: value for name, value in row.items() if name.startswith("run_")} == {
            "run_purpose": "audit",
            "run_check_mode": "true",
            "run_complete": "true",
            "run_written_at": "2026-11-20T16:05:01Z",
            "run_started_at": "2026-11-20T16:04:00Z",
            "run_job_id": "4711",
            "run_job_template": "Offboard leavers",
            "run_workflow_job_id": "4709",
            "run_launched_by": "sam.helpdesk",
            "run_os_user": "",
            "run_approved_by": "",
            "run_reason": "Dismissed without notice",
            "run_ticket": "HR-2218",
        }
    reported = {row["host"]: (row["tenant_name"], row["application_name"]) for row in rows}
    assert reported["fabrikam"] == ("Fabrikam", "m365-offboarding")
    # Nobody could look there.
    assert reported["tailspin"] == ("", "")


def timed(period="4h", **facts):
    """Return evidence of an audit of somebody who was locked out in four minutes."""
    one = leaver("contained_now", left_at="2026-11-20T16:00:00Z")
    one["containment"] = {**_containment.containment(one, period=14400), **facts}
    evidence = evidence_of(one, contain_within=period, containment=_evidence.containment_summary([one], period))
    return {**evidence, "purpose": "audit"}


def test_the_time_to_contain_is_in_every_format():
    evidence = timed()
    text = render(evidence, "html")
    (row,) = rows_of(evidence)
    (suite,) = junitparser.JUnitXml.fromstring(render(evidence, "xml").encode())
    reported = {one.name: one.value for one in suite.properties()}

    assert json.loads(render(evidence, "json"))["hosts"]["localhost"]["containment"]["last_write"] == {
        "known": 1,
        "median_seconds": 251,
        "worst_seconds": 251,
    }
    for facts in (row, reported):
        assert [facts[f"{fact}_seconds_to_last_write"] for fact in ("median", "worst")] == ["251", "251"]
        assert (facts["contain_within"], facts["beyond"]) == ("4h", "0")
    assert row["last_write_at"] == "2026-11-20T16:04:11Z"
    assert (row["seconds_to_last_write"], row["seconds_to_surely_shut"], row["within"]) == ("251", "86649", "true")
    for sentence in (
        "Last write 4 min 11 s after leaving; surely shut 1 d 4 min after leaving.",
        "median 4 min 11 s, worst 4 min 11 s (known of 1 of 1)",
        "1 within, 0 beyond, 0 not known",
    ):
        assert sentence in text


@pytest.mark.parametrize(
    ("within", "result", "page"),
    [
        (True, None, None),
        (False, junitparser.Failure, "1 leaver was not contained in time."),
        (None, junitparser.Skipped, None),
    ],
)
def test_a_late_leaver_is_a_failed_test_and_stands_at_the_head_of_the_page(within, result, page):
    evidence = timed(within=within)
    (suite,) = junitparser.JUnitXml.fromstring(render(evidence, "xml").encode())

    (case,) = [case for case in suite if case.name.endswith(": contained within 4h")]
    assert [type(one) for one in case.result] == ([result] if result else [])
    assert ("not contained in time" in render(evidence, "html")) is bool(page)
    assert page is None or page in render(evidence, "html")


def test_without_a_period_nobody_is_asked_whether_it_was_kept():
    evidence = timed(None)

    assert "contained within" not in render(evidence, "xml")
    assert rows_of(evidence)[0]["beyond"] == ""


@pytest.mark.parametrize(
    ("kind", "facts", "words"),
    [
        ("contained_now", {}, ["reset now", "signed out now", "blocked now", "turned off now"]),
        ("contained_before", {}, ["was so already"] * 4),
        (
            "planned",
            {"check_mode": True},
            [f"would be {action}" for action in ("reset", "signed out", "blocked", "turned off")],
        ),
        ("contained_before", {"check_mode": True}, ["would stay as it is"] * 4),
        ("open", {"purpose": "audit"}, ["is open"] * 4),
        ("contained_before", {"purpose": "audit"}, ["is shut"] * 4),
        ("unknown", {}, ["failed"] * 4),
        ("partial", {}, ["reset now", "signed out now", "blocked now", "not read"]),
    ],
)
def test_what_was_done_is_reported_for_each_step_in_every_format(kind, facts, words):
    evidence = {**evidence_of(leaver(kind)), **facts}
    (row,) = rows_of(evidence)
    text, xml = render(evidence, "html"), render(evidence, "xml")

    assert [row[f"{step}_done"] for step in STEPS] == words
    for word in words:
        assert word in text
        assert f"done: {word}" in xml or word == "not read"


def test_who_asked_and_what_it_was_compared_with_are_on_the_page_and_in_junit():
    link = {"file": "monday.json", "sha256": "ab" * 32}
    evidence = {**evidence_of(leaver()), "chain": [link]}
    text, xml = render(evidence, "html"), render(evidence, "xml")

    for word in ("Dismissed without notice", "HR-2218", "#4709", "sam.helpdesk", "monday.json", "ab" * 32):
        assert word in text
        assert word.lstrip("#") in xml
    # AWX does not tell its jobs.
    assert "see the approval in workflow job #4709" in text
    evidence["run"] |= {"approved_by": "Olga", "workflow_job_id": None}
    assert "Approved by (as given)" in render(evidence, "html")
    evidence["run"] |= {"approved_by": None, "os_user": "sam"}
    assert "Approved by" not in render(evidence, "html")
    assert "Run by (operating system)" in render(evidence, "html")


def test_evidence_of_an_earlier_version_can_still_be_rendered():
    evidence = evidence_of(leaver(), leaver("open", number=2))
    del evidence["chain"]
    for key in ("workflow_job_id", "os_user", "reason", "ticket", "approved_by"):
        del evidence["run"][key]
    tenant = evidence["hosts"]["localhost"]
    for key in ("tenant_name", "application_name", "read_at", "contain_within", "containment"):
        del tenant[key]
    for one in tenant["leavers"]:
        del one["containment"]
        for entry in one["steps"].values():
            del entry["done"]

    for name in FORMATS:
        assert "reset now" in render(evidence, name) or name == "json"


def is_formula(cell):
    """Return whether a spreadsheet might take a cell for a formula, whatever it passes over before it looks."""
    for character in cell:
        if unicodedata.normalize("NFKC", character)[:1] in ("=", "+", "-", "@", "\u2212"):
            return True
        if character.isalnum() or character in "'_":
            return False
    return cell[:1] in ("\t", "\r")


@given(wild)
def test_no_cell_of_a_csv_is_a_formula_however_a_spreadsheet_cuts_it(text):
    report = render(seasoned(text), "csv").removeprefix("\ufeff")

    for delimiter in ",;\t":
        cells = [cell for row in csv.reader(io.StringIO(report, newline=""), delimiter=delimiter) for cell in row]
        assert [cell for cell in cells if is_formula(cell)] == []
    # Nor where quotes mean nothing.
    assert [cell for cell in re.split("[;\t\r\n]", report) if is_formula(cell)] == []


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1", "  '=1"),
        ("\t=1", " '=1"),
        ("\r\n=1", "  '=1"),
        ("\x00=1", " '=1"),
        ("\u00a0\u200b=1", "\u00a0\u200b'=1"),
        ("\uff1d1", "'\uff1d1"),
        ('"=1', "\"'=1"),
        ("Doe;=1", "Doe;'=1"),
        ("Doe; =1;-2", "Doe; '=1;'-2"),
        ("=", "'="),
        ("'=1", "''=1"),
        ("Doe = Jane", "Doe = Jane"),
        ("Anne-Marie", "Anne-Marie"),
        ("jane@contoso.com", "jane@contoso.com"),
        ("1 + 1", "1 + 1"),
        ("\u00d6;\u00e4", "\u00d6;\u00e4"),
    ],
)
def test_a_formula_gets_an_apostrophe_and_nothing_else_does(name, cell):
    (row,) = rows_of(evidence_of(leaver(display_name=name)))

    assert row["display_name"] == cell


def test_all_characters_that_look_like_the_beginning_of_a_formula_are_known():
    alike = [
        character
        for character in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(character) != "Cs" and unicodedata.normalize("NFKC", character) in tuple("=+-@\u2212")
    ]
    rows = rows_of(evidence_of(*(leaver(display_name=f"{character}1") for character in alike)))

    assert len(alike) > 10
    assert [row["display_name"] for row in rows] == [f"'{character}1" for character in alike]


@given(anything)
def test_nothing_breaks_a_csv(text):
    evidence = seasoned(text)

    rows = rows_of(evidence)

    assert len(rows) == 2
    cells = [cell for row in rows for cell in row.values()]
    assert all(
        isinstance(cell, str) and not any(unicodedata.category(one) in ("Cc", "Cs") for one in cell) for cell in cells
    )
    # What was there is there, but for what would do harm.
    plain = [" " if unicodedata.category(one) in ("Cc", "Zl", "Zp") else one for one in text]
    expected = "".join("\ufffd" if unicodedata.category(one) == "Cs" else one for one in plain)
    assert rows[0]["display_name"].replace("'", "") == expected.replace("'", "")


def test_csv_reports_what_was_accepted_and_which_exception_met_nobody():
    evidence = evidence_of(leaver("accepted"))
    evidence["hosts"]["localhost"]["exceptions"] = [sample_evidence.exception(state) for state in ("ended", "in_force")]

    room, row = rows_of(evidence)

    assert (room["status"], room["contained"], room["open"]) == ("accepted", "false", "")
    assert room["mailbox_type"] == "RoomMailbox"
    assert room["accepted"].startswith("by Chris Cio until 2026-12-31: password, sessions, protocols (Rooms are booked")
    assert (row["host"], row["status"], row["user"], row["contained"]) == ("localhost", "exception", "", "")
    assert row["notes"].startswith("The exception for mailboxes of the kind RoomMailbox ended on 2026-12-31")


# --- JUnit XML ---

PASSED, FAILURE, ERROR, SKIPPED = "passed", "failure", "error", "skipped"
# Password, sessions, sign-in, protocols.
OUTCOMES = {
    "contained_now": (PASSED, PASSED, PASSED, PASSED),
    "failed": (FAILURE, FAILURE, PASSED, PASSED),
    "open": (FAILURE, FAILURE, FAILURE, FAILURE),
    "contained_before": (PASSED, PASSED, PASSED, PASSED),
    "unknown": (ERROR, ERROR, ERROR, ERROR),
    "protected": (FAILURE, FAILURE, FAILURE, FAILURE),
    "guest": (SKIPPED, SKIPPED, PASSED, SKIPPED),
    "administrator": (FAILURE, FAILURE, FAILURE, FAILURE),
    "unconfirmed": (PASSED, PASSED, ERROR, ERROR),
    "synced": (PASSED, PASSED, PASSED, SKIPPED),
    "mailbox_unread": (PASSED, PASSED, PASSED, ERROR),
    "planned": (FAILURE, FAILURE, FAILURE, FAILURE),
    "not_due": (SKIPPED, SKIPPED, SKIPPED, SKIPPED),
    "partial": (PASSED, PASSED, PASSED, SKIPPED),
    "accepted": (SKIPPED, SKIPPED, PASSED, SKIPPED),
}


def suites_of(evidence):
    return list(junitparser.JUnitXml.fromstring(render(evidence, "xml").encode()))


def outcome(case):
    assert len(case.result) <= 1
    return type(case.result[0]).__name__.lower() if case.result else PASSED


def cases_of(*leavers, **facts):
    (suite,) = suites_of(evidence_of(*leavers, **facts))
    return list(suite)


def closing(status, error=None):
    facts = dict.fromkeys(("before", "after", "written_at", "request_id", "note"))
    return {"status": status, **facts, "error": error, "objects": []}


def test_junit_has_a_test_for_each_topic_that_was_to_be_closed():
    problem = sample_evidence.problem("forbidden", "Could not delete the consent.", "Grant the permission.", None)
    statuses = {
        "forwarding": "verified",
        "devices": "unchanged",
        "consents": "failed",
        "authentication_methods": "accepted",
        "memberships": "planned",
    }
    also = {topic: closing(status, problem if status == "failed" else None) for topic, status in statuses.items()}

    cases = {
        case.name.rpartition(": close ")[2]: case for case in cases_of(leaver(also=also)) if ": close " in case.name
    }

    outcomes = {topic: type(case.result[0]).__name__ if case.result else "passed" for topic, case in cases.items()}
    assert outcomes == {
        "forwarding": "passed",
        "devices": "passed",
        "consents": "Failure",
        "authentication_methods": "Error",
        "memberships": "Skipped",
    }
    assert cases["consents"].result[0].message == (
        "not closed: consents: Could not delete the consent. Grant the permission."
    )
    assert "would be closed" in cases["memberships"].result[0].message


@every_kind
@pytest.mark.parametrize("check_mode", [False, True])
def test_junit_reports_every_kind(kind, check_mode):
    one = leaver(kind)
    name = one["user_principal_name"] or one["user"]

    (suite,) = suites_of({**evidence_of(one), "check_mode": check_mode})

    assert [case.name for case in suite] == [f"{name}: {step}" for step in STEPS]
    assert {case.classname for case in suite} == {"localhost"}
    assert tuple(map(outcome, suite)) == OUTCOMES[kind]


def test_junit_says_who_accepted_a_door_and_which_exception_met_nobody():
    one = leaver("accepted")
    evidence = evidence_of(one)
    evidence["hosts"]["localhost"]["exceptions"] = [sample_evidence.exception("unmatched")]
    (suite,) = suites_of(evidence)
    reported = {case.name.partition(": ")[2] or case.name: case.result[0].message for case in suite if case.result}

    assert reported["password"].startswith("Accepted by Chris Cio until 2026-12-31: password (Rooms are booked")
    assert reported["protocols"].startswith("Accepted by Chris Cio until 2026-12-31: protocols (")
    assert "matches nobody" in reported["exception 1 without effect"]
    # What is open beside it is a failure all the same.
    accepted = [{**one["accepted"][0], "doors": {"owa": "open"}}]
    beside = leaver("accepted", open=["imap"], accepted=accepted)
    (case,) = [case for case in cases_of(beside) if case.name.endswith(": protocols")]
    assert (outcome(case), case.result[0].message) == (FAILURE, "Open: imap")


@every_kind
def test_junit_names_every_door_that_is_not_shut(kind):
    one = leaver(kind)
    messages = {outcome(case): [] for case in cases_of(one)}
    for case in cases_of(one):
        messages[outcome(case)] += [result.message for result in case.result]

    if kind != "not_due":
        assert [door for door in one["open"] if door not in " ".join(messages.get(FAILURE, []))] == []
    assert [door for door in one["unconfirmed"] if door not in " ".join(messages.get(ERROR, []))] == []
    for entry in one["steps"].values():
        if entry["error"]:
            assert entry["error"]["message"] in " ".join(messages.get(FAILURE, []) + messages.get(ERROR, []))


def test_junit_fails_a_door_that_is_open_though_its_step_went_well():
    cases = cases_of(leaver(status="open", contained=False, open=["owa"]))

    assert [outcome(case) for case in cases] == [PASSED, PASSED, PASSED, FAILURE]
    assert cases[3].result[0].message == "Open: owa"


def test_junit_passes_a_step_that_failed_when_its_door_was_read_as_shut():
    one = leaver()
    one["steps"]["signin"] |= {"status": "failed", "error": sample_evidence.problem("x", "It did not work.")}

    case = cases_of(one)[2]

    assert outcome(case) == PASSED
    assert "It did not work." in case.system_out


def test_junit_marks_what_is_newly_open():
    since = {"newly_open": ["activesync"], "newly_shut": [], "new": False}

    messages = [case.result[0].message for case in cases_of(leaver("open", since=since))]

    assert messages[2:] == ["Open: signin", "Open: activesync, owa, outlook_mobile (newly: activesync)"]


def test_junit_does_not_pass_protocols_that_were_not_asked_for():
    case = cases_of(leaver("partial", steps=leaver()["steps"], not_looked_at=["pop", "imap"]))[-1]

    assert (outcome(case), case.result[0].message) == (SKIPPED, "Not read: pop, imap")


def test_junit_has_a_test_per_topic_of_residual_access():
    residual = {**finding("Forwards."), **finding("", "devices", state="none", found=[]), **unseen("phones")}
    cases = cases_of(leaver(residual=residual))[4:]

    assert [case.name.partition(": ")[2] for case in cases] == [
        "residual forwarding",
        "residual devices",
        "residual phones",
    ]
    assert [outcome(case) for case in cases] == [FAILURE, PASSED, SKIPPED]
    assert cases[0].result[0].message == "Found: Forwards."
    assert cases[2].result[0].message == "not read, needs X.Read: Insufficient privileges."


def test_junit_skips_residual_access_of_users_who_are_not_due():
    case = cases_of(leaver("not_due", residual=finding("Forwards.")))[-1]

    assert outcome(case) == SKIPPED
    assert "Forwards." in case.result[0].message


def test_junit_says_that_a_tenant_could_not_be_looked_at():
    error = sample_evidence.problem("invalid_client", "No token.", "Make a new secret.", "4711")

    (case,) = cases_of(error=error)

    assert outcome(case) == ERROR
    assert (case.result[0].type, case.result[0].message) == ("invalid_client", "No token. Make a new secret.")
    assert "4711" in case.result[0].text


def test_junit_of_a_run_that_did_not_end_is_never_green():
    for suite in suites_of({**sample_evidence.evidence(2), "complete": False}):
        assert outcome(next(iter(suite))) == ERROR
        assert suite.errors >= 1


def test_junit_counts_right():
    evidence = sample_evidence.evidence(100, residual_access=True, changes=True)

    reported = junitparser.JUnitXml.fromstring(render(evidence, "xml").encode())

    assert len(list(reported)) == 3
    for suite in reported:
        before = (suite.tests, suite.failures, suite.errors, suite.skipped)
        suite.update_statistics()
        assert (suite.tests, suite.failures, suite.errors, suite.skipped) == before
    before = (reported.tests, reported.failures, reported.errors)
    reported.update_statistics()
    assert (reported.tests, reported.failures, reported.errors) == before
    assert min(*before, reported.skipped) > 0


def test_junit_says_which_run_and_tenant_it_was():
    evidence = sample_evidence.evidence(20)

    reported = junitparser.JUnitXml.fromstring(render(evidence, "xml").encode())

    assert (reported.name, reported.time) == ("m365.offboarding offboard", 61)
    suite = next(iter(reported))
    properties = {one.name: one.value for one in suite.properties()}
    assert (suite.name, suite.hostname, suite.timestamp) == ("contoso", "contoso", "2026-11-20T16:04:00")
    assert properties["tenant_id"] == sample_evidence.identifier("tenant contoso")
    assert (properties["purpose"], properties["check_mode"], properties["launched_by"]) == (
        "offboard",
        "false",
        "sam.helpdesk",
    )
    assert "tenant_id" not in {one.name for one in list(reported)[2].properties()}


@given(anything)
def test_nothing_breaks_a_junit_file(text):
    legal = re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)

    suites = suites_of(seasoned(text))

    assert [suite.name for suite in suites] == [legal, f"{legal}!"]
    (case, *_others) = suites[0]
    assert case.name == f"{legal}: password"
