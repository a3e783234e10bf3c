# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTML report as text: what it says, and that nothing in it can be anything but text. tests/browser looks at it."""

from __future__ import annotations

import base64
import copy
import datetime
import hashlib
import re
from html.parser import HTMLParser

import jinja2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.m365.offboarding.plugins.module_utils._foreign import clean
from ansible_collections.m365.offboarding.plugins.plugin_utils import _report_html
from ansible_collections.m365.offboarding.plugins.plugin_utils._report_html import as_html
from ansible_collections.m365.offboarding.plugins.plugin_utils._report_model import seen_doors, span
from tools import sample_evidence as sample


class PageReader(HTMLParser):
    """The elements of a page in their order, and its text."""

    def __init__(self, page):
        super().__init__()
        self.shape = []
        self.attributes = []
        self.pieces = []
        self.code = {"style": "", "script": ""}
        self._within = None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.shape.append((tag, *(name for name, _value in attrs)))
        self.attributes += [(tag, *pair) for pair in attrs]
        self._within = tag

    def handle_endtag(self, tag):
        self.shape.append(tag)
        self._within = None

    def handle_data(self, data):
        if self._within in self.code:
            self.code[self._within] += data
        else:
            self.pieces.append(data)

    def handle_comment(self, data):
        raise AssertionError("a comment")

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(f"{piece} " for piece in self.pieces))


def read(*leavers, **facts):
    """Return the report of these leavers on one tenant."""
    return PageReader(as_html(sample.file({"localhost": sample.host(list(leavers))}, **facts)))


def verdict(evidence):
    return re.search(r"<h1>(.*?)</h1>", as_html(evidence))[1]


# --- escaping ---

# What sets the look of the report, not its content.
_STRUCTURE = {
    "format", "status", "state", "open", "unconfirmed", "not_looked_at", "steps", "newly_open", "newly_shut", "purpose",
}  # fmt: skip
_MOMENTS = re.compile(r"_at$|_by$|_date_time$")


def replaced(value, text, key=""):
    """Return evidence in which every text of people or Microsoft is this one."""
    if isinstance(value, dict):
        names = {name: f"{text}{number}" if key == "hosts" else name for number, name in enumerate(value)}
        return {names[name]: replaced(inner, text, name) for name, inner in value.items()}
    if isinstance(value, list):
        return value if key in _STRUCTURE else [replaced(inner, text, key) for inner in value]
    keeps = key in _STRUCTURE or (_MOMENTS.search(key) and key != "launched_by")
    return text if isinstance(value, str) and not keeps else value


EVERYTHING = sample.evidence(20, residual_access=True, changes=True)
hostile = st.one_of(
    st.text(min_size=1, max_size=40),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            '" onmouseover="alert(1)',
            "' onfocus='alert(1)' autofocus='",
            "</title></style></script><svg onload=alert(1)>",
            "<!-- <![CDATA[",
            "-->]]>",
            "&lt;b&gt; &amp;#60;",
            "javascript:alert(1)",
            "\x00<b\x0b>",
            "\u202egnp.exe",
            "\ud800",
            "{{ 1 }} ${1} %s {0}",
        ]
    ),
)


@settings(deadline=None, max_examples=60)
@given(hostile)
@example("<script>alert(1)</script>")
@example("\ud800")
def test_whatever_a_text_holds_the_page_has_the_same_elements(text):
    page = as_html(replaced(EVERYTHING, f"x{text}"))

    page.encode("utf-8")
    assert PageReader(page).shape == PageReader(as_html(replaced(EVERYTHING, "x"))).shape


def test_the_test_above_replaces_every_text():
    shown = as_html(replaced(EVERYTHING, "QQQ"))

    assert not re.search(r"contoso|fabrikam|tailspin|Jane|helpdesk|4711|Microsoft Authenticator|Privileges", shown)


def rendered(source, **values):
    """Return what a template of ours makes of these values."""
    return PageReader(_report_html._environment().from_string(source).render(values))


@given(hostile)
def test_text_is_shown_as_it_is_but_for_what_cannot_be_shown(text):
    (reported,) = rendered("<p>{{ text }}</p>", text=text).pieces or [""]

    assert reported == clean(text)


@given(hostile)
def test_an_attribute_ends_where_it_should(text):
    assert rendered('<p title="{{ text }}">', text=text).attributes == [("p", "title", clean(text))]


@given(hostile)
def test_text_joined_to_markup_is_cleaned_and_escaped(text):
    source = "{% macro bold(x) %}<b>{{ x }}</b>{% endmacro %}<p>{{ bold(text) ~ text }}</p>"

    assert rendered(source, text=text).shape == [("p",), ("b",), "b", "p"]
    assert "".join(rendered(source, text=text).pieces) == clean(text) * 2


def test_what_is_not_defined_stops_the_report():
    for source in ("{{ nothing }}", "{% if nothing %}{% endif %}", '<p title="{{ one.nothing }}">'):
        with pytest.raises(jinja2.UndefinedError):
            rendered(source, one={})
    assert rendered("<p>{{ value }}{{ 'a' if value }}</p>", value=None).pieces == []


def test_text_of_a_tenant_is_never_a_template():
    for attack in ("{{ 7 * 191 }}", "{% set n = 191 %}{{ n * 7 }}", "{{ report.__class__ }}{# gone #}"):
        text = PageReader(as_html(replaced(EVERYTHING, attack))).text
        assert attack in text
        assert "1337" not in text
        assert "class " not in text


def test_code_cannot_end_its_own_element(monkeypatch):
    monkeypatch.setattr(_report_html, "_read", lambda _name: "/* */ x = '</script>'")

    with pytest.raises(ValueError, match="would end its own element"):
        _report_html._code("_report.js")


# --- nothing from outside ---


def test_the_page_refers_to_nothing_but_itself():
    page = PageReader(as_html(EVERYTHING))
    ids = {value for _tag, name, value in page.attributes if name == "id"}
    links = [
        value for _tag, name, value in page.attributes if name in ("href", "src", "action", "data", "srcset", "style")
    ]

    assert links
    assert {link[:1] for link in links} == {"#"}
    assert {link[1:] for link in links} <= ids
    assert not re.search(r"url\(|@import|http", page.code["style"])
    assert not re.search(r"fetch|import\(|XMLHttp|http|innerHTML|eval|insertAdjacent", page.code["script"])


def test_no_id_stands_for_two():
    ids = [value for _tag, name, value in PageReader(as_html(EVERYTHING)).attributes if name == "id"]

    assert len(ids) == len(set(ids))


def test_the_policy_allows_this_style_and_this_script_alone():
    page = PageReader(as_html(EVERYTHING))
    policy = next(value for _tag, name, value in page.attributes if name == "content" and "default-src" in value)
    digests = {
        tag: base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() for tag, code in page.code.items()
    }

    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digests['style']}'; script-src 'sha256-{digests['script']}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert [tag for tag, *_names in page.shape if tag in ("style", "script")] == ["style", "script"]
    assert not [name for _tag, name, _value in page.attributes if name.startswith("on") or name == "style"]


def test_the_files_beside_it_lose_their_licence_only():
    for name in ("_report.css", "_report.js"):
        assert len(_report_html._code(name)) > 2000
        assert "SPDX" not in _report_html._code(name)


# --- the verdict ---

L = sample.leaver


@pytest.mark.parametrize(
    ("leavers", "facts", "reported"),
    [
        ([], {}, "No user was read."),
        ([L("contained_now")], {}, "The leaver is contained."),
        ([L("contained_now"), L("guest", 1)], {}, "All 2 leavers are contained."),
        ([L("contained_now")], {"complete": False}, "So far: the leaver is contained."),
        ([], {"complete": False}, "So far: no user was read."),
        ([L("open")], {}, "The leaver is not contained: doors are open."),
        ([L("unknown")], {}, "The leaver is not contained: the doors could not be read. Nothing was sent."),
        ([L("partial")], {}, "The leaver is not contained: not all doors were read."),
        ([L("unconfirmed")], {}, "The leaver is not contained: doors are unconfirmed."),
        ([L("not_due")], {}, "The leaver is not contained: the leave date is in the future. Nothing was sent."),
        ([L("not_due")], {"purpose": "audit"}, "The leaver is not contained: the leave date is in the future."),
        ([L("not_due")], {"complete": False}, "So far: the leaver is not contained: the leave date is in the future."),
        (
            [L("administrator"), L("protected", 1)],
            {},
            "None of 2 leavers are contained; 2 have open doors. Nothing was sent: 2 refused.",
        ),
        (
            [L("administrator"), L("protected", 1)],
            {"check_mode": True},
            "None of 2 leavers are contained; 2 have open doors. Nothing would be sent: 2 refused.",
        ),
        ([L("open"), L("contained_now", 1)], {}, "1 of 2 leavers is contained; 1 has open doors."),
        (
            [L("open"), L("failed", 1), L("administrator", 2)],
            {},
            "None of 3 leavers are contained; 3 have open doors. Nothing was sent for 1 who was refused.",
        ),
        ([L("not_due"), *(L("contained_now", n) for n in (1, 2))], {}, "2 of 3 leavers are contained; 1 is not due."),
        ([L("mailbox_unread"), L("not_due", 1)], {}, "None of 2 leavers are contained; 1 has unconfirmed doors."),
    ],
)
def test_the_verdict_is_one_sentence(leavers, facts, reported):
    assert verdict(sample.file({"localhost": sample.host(leavers)}, **facts)) == reported


def test_what_else_is_wrong_stands_below_the_verdict():
    text = PageReader(as_html(sample.evidence(20))).text

    assert "9 of 20 leavers are contained; 5 have open doors." in text
    assert (
        "2 have unconfirmed doors, 1 could not be read, 1 is not due, 1 is accepted, 1 was read in part and 1 tenant could not "
        "be read." in text
    )


def test_a_tenant_that_could_not_be_looked_at_spoils_a_good_verdict():
    error = sample.problem("no_token", "No token.", "Get one.", "request-1")
    hosts = {"good": sample.host([L("contained_now"), L("guest", 1)]), "bad": sample.host([], error=error)}
    page = as_html(sample.file(hosts))

    assert "All 2 leavers that were read are contained." in page
    assert "1 tenant could not be read." in page
    assert 'class="top bad"' in page
    text = PageReader(page).text
    assert "bad could not be read. No token. Get one. Code no_token Microsoft's request id request-1" in text
    assert verdict(sample.file({"bad": sample.host([], error=error)})) == "No user was read. Nothing was sent."


@pytest.mark.parametrize(
    ("facts", "good"), [({}, True), ({"complete": False}, False), ({"hosts": {}}, False), ({"check_mode": True}, True)]
)
def test_a_good_head_means_that_all_is_well(facts, good):
    page = as_html({**sample.file({"localhost": sample.host([L("contained_now")])}), **facts})

    assert ('class="top good"' in page) is good
    assert ('class="top bad"' in page) is not good


def test_an_incomplete_run_a_check_and_an_audit_say_so():
    assert "Incomplete. The run was still in progress, or was killed" in read(complete=False).text
    assert "Check mode. Nothing was changed" in read(check_mode=True).text
    assert "Audit. This run only read" in read(purpose="audit").text
    plain = read().text
    assert not any(word in plain for word in ("Incomplete", "Check mode", "Audit."))


def test_an_accepted_door_says_by_whom_and_until_when_and_an_exception_for_nobody_is_named():
    hosts = {"x": sample.host([L("accepted")], exceptions=[sample.exception("unmatched")])}
    text = PageReader(as_html(sample.file(hosts, purpose="audit"))).text

    assert "The leaver is not contained: the open doors are accepted." in text
    assert "Accepted until 2026-12-31 by Chris Cio: Password, Sessions, ActiveSync" in text
    assert "Rooms are booked by everybody" in text
    assert "Exception without effect. The exception for mailboxes of the kind RoomMailbox matches nobody" in text


# --- doors ---


@pytest.mark.parametrize("kind", sample.KINDS)
def test_every_door_is_drawn_as_it_is(kind):
    one = L(kind)
    doors = seen_doors(one)
    page = read(one)

    assert list(doors) == list(sample.DOORS)
    assert {door for door, state in doors.items() if state == "open"} == set(one["open"])
    assert {door for door, state in doors.items() if state == "unconfirmed"} == set(one["unconfirmed"])
    letters = {"open": "o", "unconfirmed": "u", "accepted": "e", "unseen": "n", "absent": "a", "shut": "s"}
    pattern = "p-" + "".join(letters[state] for state in doors.values())
    assert ("use", "href", f"#{pattern}") in page.attributes
    drawn = re.search(f'<g id="{pattern}">(.*?)</g>', as_html(sample.file({"x": sample.host([one])})), re.DOTALL)[1]
    assert re.findall(r"#d-(\w+)", drawn) == list(doors.values())


@pytest.mark.parametrize(
    ("kind", "states"),
    [
        ("contained_now", {"shut"}),
        ("unknown", {"unseen"}),
        ("guest", {"absent", "shut"}),
        ("partial", {"shut", "unseen"}),
        ("mailbox_unread", {"shut", "unconfirmed"}),
        ("planned", {"open"}),
    ],
)
def test_the_states_of_doors(kind, states):
    assert set(seen_doors(L(kind)).values()) == states


def test_nothing_is_shut_that_nobody_looked_at():
    one = L("contained_now")
    one["steps"]["signin"] |= {"before": None, "after": None}
    del one["steps"]["protocols"]
    one["not_looked_at"] = ["imap"]
    doors = seen_doors(one)

    assert doors["signin"] == "unseen"
    assert {doors[name] for name in sample.PROTOCOLS} == {"unseen"}
    assert set(seen_doors({}).values()) == {"unseen"}
    assert set(seen_doors(L("contained_now") | {"id": None}).values()) == {"unseen"}


def test_a_protocol_of_its_own_can_be_left_out_or_unknown_to_the_tenant():
    one = L("contained_now")
    one["not_looked_at"] = ["imap"]
    for facts in (one["steps"]["protocols"]["before"], one["steps"]["protocols"]["after"]):
        del facts["new_outlook"]
    doors = seen_doors(one)

    assert (doors["imap"], doors["new_outlook"], doors["pop"]) == ("unseen", "absent", "shut")


def test_the_picture_is_reported_in_words_too():
    assert "Open: Password, Sessions. 13 of 15 doors shut." in read(L("failed")).text
    assert "Unconfirmed: Mailbox protocols. 3 of 15 doors shut." in read(L("mailbox_unread")).text
    assert "Open: all 15 doors." in read(L("planned")).text
    assert "Shut: 1 door." in read(L("guest")).text
    assert "Not read: Mailbox protocols. 3 of 15 doors shut." in read(L("partial")).text
    said = {value for _tag, name, value in read(L("failed")).attributes if name == "aria-label"}
    assert "Open: Password, Sessions. 13 of 15 doors shut." in said
    assert "Open doors: Password 1, Sessions 1" in said


# --- leavers ---


def test_the_worst_come_first_and_newly_open_before_them():
    def order(evidence):
        return re.findall(r'data-status="(\w+)"', as_html(evidence))

    kinds = ["contained_now", "partial", "not_due", "unconfirmed", "open", "protected", "failed"]
    leavers = [L(kind, number) for number, kind in enumerate(kinds)]
    assert order(sample.file({"x": sample.host(leavers)})) == [one["status"] for one in reversed(leavers)]
    leavers[1]["since"] = {"newly_open": ["imap"], "newly_shut": [], "new": False}
    assert order(sample.file({"x": sample.host(leavers)}))[0] == "partial"


@pytest.mark.parametrize("kind", sample.KINDS)
def test_everything_that_is_known_of_a_leaver_is_reported(kind):
    one = L(kind)
    one["residual"] = sample.residual(1)
    text = read(one).text

    for key in ("user", "id", "user_principal_name", "display_name", "left_at"):
        assert not one[key] or one[key] in text
    for role in one["directory_roles"] or ():
        assert role in text
    for entry in one["steps"].values():
        for key in ("written_at", "effective_by", "request_id", "note"):
            assert not entry[key] or entry[key] in text
        for error in filter(None, (entry["error"], one["error"])):
            assert all(value in text for value in error.values() if value)
        for facts in filter(None, (entry["before"], entry["after"])):
            assert all(value in text for value in facts.values() if isinstance(value, str))
    for needed in ("4711", "Offboard leavers", "sam.helpdesk", *map(sample.identifier, _IDENTITY)):
        assert needed in text
    for topic in one["residual"].values():
        assert all(line["text"] in text for line in topic["found"])


_IDENTITY = ("tenant contoso", "client contoso", "object contoso")

WORDS = {
    "unchanged": "was so already",
    "planned": "would be blocked",
    "verified": "blocked now",
    "accepted": "block sent, not confirmed",
    "not_applicable": "no such door",
    "not_due": "not due, nothing sent",
    "refused": "refused, nothing sent",
    "failed": "failed",
}


@pytest.mark.parametrize("status", WORDS)
def test_every_status_of_a_step_has_words(status):
    one = L("contained_now")
    one["steps"]["signin"]["status"] = status

    assert f"Sign-in {WORDS[status]} Found allowed" in read(one).text


def test_an_audit_says_what_is_open_not_what_would_be_changed():
    audit = read(L("open"), purpose="audit").text

    assert "Sign-in is open Found allowed" in audit
    assert "would be changed" not in audit
    assert "Sign-in would be blocked Found allowed" in read(L("open"), check_mode=True).text


def test_found_and_read_back_are_reported_in_words():
    one = L("contained_now")
    one["steps"]["protocols"]["before"] |= {"pop": False}
    text = read(one).text

    assert "Found changed 2026-08-22T16:04:00Z Sent 2026-11-20T16:04:05Z Read back changed 2026-11-20T16:04:05Z" in text
    assert "Found allowed" in text
    assert "Read back blocked" in text
    assert "not set: SMTP AUTH; off: POP3" in text
    assert "Read back off: all 12" in text
    assert "Read back" not in read(L("contained_before")).text


def test_roles_that_were_not_read_are_not_none():
    assert "Directory roles not read" in read(L("contained_now") | {"directory_roles": None}).text
    assert "Directory roles none" in read(L("contained_now")).text


def test_a_check_shut_nobody_out():
    assert "Shut out by localhost" in read(L("contained_now")).text
    assert "Read by localhost" in read(L("contained_now"), check_mode=True).text
    assert "Read by localhost" in read(L("contained_now"), purpose="audit").text


# --- timeline ---


def timeline(one):
    page = as_html(sample.file({"x": sample.host([one])}))
    found = re.search(r'<ol class="timeline".*?</ol>', page, re.DOTALL)
    return [tuple(PageReader(item).pieces) for item in re.findall(r"<li.*?</li>", found[0], re.DOTALL)] if found else []


def test_the_timeline_of_a_whole_offboarding():
    one = L("contained_now") | {"left_at": "2026-11-20T17:00:00+01:00"}

    assert timeline(one) == [
        ("Left", "2026-11-20T16:00:00Z"),
        ("Password reset", "2026-11-20T16:04:05Z", "4 min 5 s after leaving"),
        ("Signed out", "2026-11-20T16:04:07Z", "4 min 7 s after leaving"),
        ("Sign-in blocked", "2026-11-20T16:04:09Z", "4 min 9 s after leaving"),
        ("Protocols shut", "2026-11-20T16:04:11Z", "4 min 11 s after leaving"),
        ("Surely shut by", "2026-11-21T16:04:09Z", "1 d 4 min after leaving"),
    ]


def test_the_timeline_holds_only_what_is_known():
    assert timeline(L("unknown")) == []
    assert timeline(L("planned")) == []
    # Of who was shut out earlier, Microsoft keeps no moment for sign-in and protocols.
    assert [label for label, *_rest in timeline(L("contained_before"))] == [
        "Password reset",
        "Signed out",
        "Surely shut by: password, sessions",
    ]
    assert timeline(L("not_due")) == [("Leaves", "2026-12-31T22:59:59Z")]


def test_what_was_sent_and_not_seen_is_not_called_shut():
    labels = [label for label, *_rest in timeline(L("unconfirmed"))]

    assert labels == [
        "Password reset",
        "Signed out",
        "Block sent, not confirmed",
        "Protocols sent, not confirmed",
        "Surely shut by: password, sessions",
    ]
    # A sign-out that was done, of somebody whose sessions are open all the same.
    assert "Sign-out sent, not confirmed" in [label for label, *_rest in timeline(L("failed"))]


@pytest.mark.parametrize("kind", ["unconfirmed", "failed", "mailbox_unread", "contained_before", "open", "planned"])
def test_a_row_says_surely_shut_only_if_that_is_known_of_every_door(kind):
    assert not re.search(r"data-shut", as_html(sample.file({"x": sample.host([L(kind)])})))


def test_every_time_is_utc():
    page = PageReader(as_html(EVERYTHING))
    times = [value for tag, name, value in page.attributes if (tag, name) == ("time", "datetime")]

    assert len(times) > 100
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value) for value in times)
    assert "no moment at all" in read(L("contained_now") | {"left_at": "no moment at all"}).text


@pytest.mark.parametrize(
    ("seconds", "reported"),
    [(0, "0 s"), (59.9, "59 s"), (61, "1 min 1 s"), (3600, "1 h"), (86400 + 3661, "1 d 1 h"), (86405, "1 d 5 s")],
)
def test_how_long_is_reported_in_two_units(seconds, reported):
    assert span(datetime.timedelta(seconds=seconds)) == reported


# --- residual access, and changes ---


def test_residual_access_reports_found_none_and_not_looked_at():
    one = L("contained_now") | {"residual": sample.residual(0)}
    text = read(one).text

    assert "Mail forwarding : 2 The mailbox forwards to" in text
    assert "OAuth consents : not read. Needs the permission Directory.Read.All ." in text
    assert "Give the application the permission Directory.Read.All." in text
    assert "None: Directory roles, Owned applications with live secrets, Registered devices, Mailbox delegates," in text
    assert "2 residual" in text
    assert "Residual" not in read(L("contained_now")).text


def test_nothing_can_have_a_reason():
    one = L("contained_now")
    one["residual"] = {
        "forwarding": {"state": "none", "found": [], "note": "No mailbox.", "permission": "P", "error": None}
    }

    assert "None: Mail forwarding (No mailbox)." in read(one).text


@pytest.mark.parametrize("state", ["not_looked_at", None, "something else"])
@pytest.mark.parametrize("topic", sample.TOPICS)
def test_what_was_not_looked_at_is_never_none(topic, state):
    one = L("contained_now")
    one["residual"] = {topic: {"state": state, "found": [], "note": None, "permission": "P.Read", "error": None}}
    text = read(one).text

    assert "not read. Needs the permission P.Read" in text
    assert "None:" not in text


def test_changes_stand_out():
    one = L("open") | {"since": {"newly_open": ["imap", "signin"], "newly_shut": ["pop"], "new": True}}
    text = read(one).text

    assert "Newly open since the earlier evidence. Compared with earlier evidence. 1 leaver has doors" in text
    assert "#since" not in as_html(sample.file({"localhost": sample.host([one])}))
    assert "Newly open: IMAP, Sign-in." in text
    assert "Newly shut: POP3." in text
    assert "New: not in the earlier evidence." in text
    reported = read(L("open") | {"since": {"newly_open": [], "newly_shut": [], "new": False}}).text
    assert not any(word in reported for word in ("Newly", "newly shut", "New:"))


@pytest.mark.parametrize(
    ("changes", "files", "reported"),
    [
        (None, None, None),
        ({"newly_open": []}, ["monday.json"], "Compared with monday.json. No door of these leavers is newly open."),
        (
            {"newly_open": []},
            ["4.json", "3.json", "2.json", "1.json", "0.json"],
            "Compared with 4.json, 3.json, 2.json and 2 more. No door of these leavers is newly open.",
        ),
        (
            {"newly_open": ["imap"]},
            ["monday.json"],
            "Newly open since the earlier evidence. Compared with monday.json. 1 leaver has doors that were shut then.",
        ),
        # Files that were given and not used are not a comparison, and their silence is not "nothing".
        (
            {"newly_open": []},
            [],
            "Not comparable. No earlier evidence could be compared with, so this does not say whether a door is newly open.",
        ),
    ],
)
def test_a_comparison_is_told_with_its_files(changes, files, reported):
    compared_with = [
        {"file": name, "written_at": sample.moment(-1440), "purpose": "audit", "sha256": "0" * 64}
        for name in files or ()
    ]
    since = None if files is None else {"compared_with": compared_with, "not_comparable": []}
    text = of_audit(L("open") | {"since": changes}, since=since)

    if reported:
        assert reported in text
        assert all(f"{name} , an audit of {sample.moment(-1440)}" in text for name in files)
    else:
        assert "Compared" not in text
        assert "ewly" not in text


def of_audit(*leavers, **facts):
    """Return what the report of an audit in check mode says, as AWX runs it."""
    hosts = {"localhost": sample.host(list(leavers), **facts)}
    return PageReader(as_html(sample.file(hosts, purpose="audit", check_mode=True))).text


def test_what_a_comparison_found_is_told_by_leaver_and_by_file():
    since = sample.comparison()
    gone = L("open") | {"since": {"newly_open": [], "no_longer": "Sign-in is allowed again."}}
    shut = L("contained_now", 1) | {"since": {"newly_open": [], "shut_again": ["signin", "owa"], "no_longer": None}}
    text = of_audit(gone, shut, since=since)
    head, _head, rest = text.partition("Leavers and their doors")
    section = rest.partition("Since the earlier evidence")[2]

    assert (
        "Doors of 1 leaver had to be shut again. 1 leaver is no longer named or found. 2 files are not comparable."
        in head
    )
    assert "No longer named or found: Sign-in is allowed again." in rest
    assert "Had to be shut again: Sign-in, Outlook web." in rest
    for name, reason in (
        (gone["display_name"], "Sign-in is allowed again."),
        (shut["display_name"], "Sign-in, Outlook web"),
    ):
        assert re.search(rf"{re.escape(name)} \( \S+ \): {re.escape(reason)}", section)
    for file in since["not_comparable"]:
        assert f"{file['file']} : {file['reason']}" in section


def test_an_audit_tells_what_is_and_never_what_would_be():
    """Audits run in check mode in AWX; nothing would be changed without it."""
    text = of_audit(*(L(kind, number) for number, kind in enumerate(sample.KINDS)))

    assert "is open" in text
    assert "would" not in text
    assert "check mode" not in text.lower()
    assert "Audit. This run only read; nothing was changed." in text


def test_where_nobody_was_looked_at_no_number_says_otherwise():
    text = of_audit()

    assert text.count("No user was read") + text.count("no user was read") >= 2
    assert "0 of 0" not in text


# --- tenants, and what may be missing ---


def test_every_tenant_is_reported_with_its_identity():
    text = PageReader(as_html(sample.evidence(20))).text

    for name in ("contoso", "fabrikam"):
        assert all(sample.identifier(f"{what} {name}") in text for what in ("tenant", "client", "object"))
    assert "fabrikam Contained 0 of 1 Steps read Password, Sessions, Sign-in Read at" in text
    assert "tailspin Contained could not be read" in text
    assert "miles.schröder" not in text
    assert " · fabrikam" in text
    assert " · localhost" not in read(L("contained_now")).text


@pytest.mark.parametrize(
    "evidence", [{}, {"hosts": {}}, {"hosts": {"x": {}}}, {"hosts": {"x": {"leavers": [{}]}}}, sample.file({})]
)
def test_little_evidence_is_not_an_obstacle(evidence):
    page = PageReader(as_html(evidence))

    assert "contained" not in page.text.partition("Leavers and their doors")[0] or "not contained" in page.text
    assert ("ol", "id", "list") in page.attributes or "There are no leavers to show." in page.text


def paths(value):
    """Return every place in evidence."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, one in inner for path in [(key,), *((key, *rest) for rest in paths(one))]]


def without(value, path):
    changed = copy.deepcopy(value)
    place = changed
    for key in path[:-1]:
        place = place[key]
    if isinstance(place, list):
        place[path[-1]] = None if isinstance(place[path[-1]], str) else {}
    else:
        place[path[-1]] = None
    return changed


@pytest.mark.parametrize("kind", sample.KINDS)
def test_no_single_gap_breaks_the_report(kind):
    one = L(kind) | {
        "residual": sample.residual(1),
        "since": {"newly_open": ["imap"], "newly_shut": ["pop"], "new": True},
    }
    evidence = sample.file({"x": sample.host([one], error=sample.problem("a", "b", "c", "d"))})
    places = paths(evidence)

    assert len(places) > 60
    for path in places:
        assert as_html(without(evidence, path)).endswith("</html>\n"), path


def test_what_a_later_version_adds_is_shown_by_its_name():
    one = L("contained_now") | {
        "status": "strange",
        "residual": {"magic": {"state": "found", "found": [{"text": "a wand"}]}},
    }
    one["steps"]["signin"]["status"] = "odd"
    one["since"] = {"newly_open": ["trapdoor"]}
    text = read(one).text

    assert all(word in text for word in ("strange", "magic", "a wand", "odd", "trapdoor"))


def test_a_thousand_leavers_weigh_less_than_a_picture_each():
    few, many = (len(as_html(sample.evidence(count, residual_access=True))) for count in (100, 1000))

    assert (many - few) / 900 < 8_000
