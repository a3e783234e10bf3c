# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""Evidence as one HTML file for people: a verdict, leavers × doors, and everything that is known of each leaver.

The file needs no network, and its Content-Security-Policy forbids all but its own style and script. Without script
everything can be read; with it, filtered and sorted.
"""

from __future__ import annotations

import base64
import collections
import dataclasses
import datetime
import functools
import hashlib
import pathlib
import typing as t

from ..module_utils._exchange import PROTOCOLS
from ..module_utils._leavers import STEPS
from ..module_utils._times import format_moment, parse_moment
from ._evidence import CONTAINED, FAILED, NOT_DUE, OPEN_DOORS, PARTIAL, REFUSED, UNCONFIRMED
from ._markup import Markup, e, joined, raw

Record = t.Mapping[str, t.Any]

DOORS = (*STEPS[:3], *PROTOCOLS)
# What is seen of a door. Shut is only said of what was read.
OPEN, UNSURE, UNSEEN, ABSENT, SHUT = "open", "unconfirmed", "unseen", "absent", "shut"

# The worst first.
_STATUSES = {
    FAILED: "Failed",
    REFUSED: "Refused",
    OPEN_DOORS: "Open",
    UNCONFIRMED: "Unconfirmed",
    NOT_DUE: "Not due",
    PARTIAL: "Partly looked at",
    CONTAINED: "Contained",
}
_ENTRIES = {
    "unchanged": "was so already",
    "planned": "would be changed",
    "verified": "written, read back",
    "accepted": "written, not seen yet",
    "not_applicable": "no such door here",
    "not_due": "not due, nothing sent",
    "refused": "refused, nothing sent",
    "failed": "failed",
}
_STEP_NAMES = {"password": "Password", "sessions": "Sessions", "signin": "Sign-in", "protocols": "Mailbox protocols"}
_DOOR_NAMES = {
    **_STEP_NAMES,
    "activesync": "ActiveSync",
    "owa": "Outlook web",
    "mapi": "MAPI",
    "ews": "EWS",
    "pop": "POP3",
    "imap": "IMAP",
    "smtp_auth": "SMTP AUTH",
    "outlook_mobile": "Outlook mobile",
    "owa_for_devices": "OWA for devices",
    "universal_outlook": "Universal Outlook",
    "mac_outlook": "Outlook for Mac",
    "new_outlook": "New Outlook",
}
_DOOR_STATES = {
    SHUT: "shut",
    OPEN: "open",
    UNSURE: "unconfirmed",
    UNSEEN: "not looked at",
    ABSENT: "no such door",
}
_TOPICS = {
    "forwarding": "Mail forwarding",
    "directory_roles": "Directory roles",
    "applications": "Owned applications with live secrets",
    "consents": "OAuth consents",
    "devices": "Registered devices",
    "delegates": "Mailbox delegates",
    "phones": "Phones with ActiveSync",
    "sign_in_methods": "Sign-in methods",
}


def html(evidence: Record) -> str:
    """The report as a whole HTML document."""
    report = _Report.of(evidence)
    style, script = _asset("_report.css"), _asset("_report.js")
    title = f"{_verdict(report)[0]} {report.told.get('written_at') or ''}".strip()
    head = e(
        "head",
        e("meta", charset="utf-8"),
        e("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        e("meta", name="viewport", content="width=device-width, initial-scale=1"),
        e("meta", name="color-scheme", content="light dark"),
        e("meta", name="referrer", content="no-referrer"),
        e("meta", name="robots", content="noindex"),
        e("title", title),
        raw("style", style),
    )
    body = e(
        "body",
        _SYMBOLS,
        _patterns(report),
        e("a", "Skip to the leavers", href="#leavers", class_="skip"),
        _header(report),
        e("main", _list(report), _provenance(report)),
        raw("script", script),
    )
    return f"<!doctype html>\n{e('html', head, body, lang='en')}\n"


def _asset(name: str) -> str:
    """A file that lies beside this one, without the licence that it begins with."""
    text = pathlib.Path(__file__).with_name(name).read_text(encoding="utf-8")
    return text.partition("*/")[2].strip()


def _policy(style: str, script: str) -> str:
    """https://www.w3.org/TR/CSP3/: nothing is loaded, nothing runs but what has these digests."""

    def digest(code: str) -> str:
        return base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()

    return (
        f"default-src 'none'; style-src 'sha256-{digest(style)}'; script-src 'sha256-{digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


# --- what there is to tell ---


@dataclasses.dataclass(frozen=True)
class _Leaver:
    """A result, and where it comes from."""

    told: Record
    place: str
    tenant: Record
    doors: t.Mapping[str, str]

    @property
    def status(self) -> str:
        return str(self.told.get("status"))

    @property
    def name(self) -> str:
        told = self.told
        return str(told.get("display_name") or told.get("user_principal_name") or told.get("user") or "Somebody")

    @property
    def steps(self) -> t.Mapping[str, Record]:
        return self.told.get("steps") or {}

    @property
    def newly_open(self) -> t.Sequence[str]:
        return (self.told.get("since") or {}).get("newly_open") or ()

    @property
    def residual(self) -> list[str]:
        """Topics in which something was found."""
        topics = self.told.get("residual") or {}
        return [topic for topic, one in topics.items() if one.get("state") == "found"]

    def having(self, *states: str) -> list[str]:
        return [door for door, state in self.doors.items() if state in states]


@dataclasses.dataclass(frozen=True)
class _Report:
    """An evidence file, its leavers sorted: those with newly open doors first, then the worst first."""

    told: Record
    tenants: t.Mapping[str, Record]
    leavers: t.Sequence[_Leaver]

    @classmethod
    def of(cls, evidence: Record) -> _Report:
        tenants = evidence.get("hosts") or {}
        leavers = [
            _Leaver(told, str(place), tenant, door_states(told))
            for place, tenant in tenants.items()
            for told in tenant.get("leavers") or ()
        ]
        order = list(_STATUSES)
        leavers.sort(key=lambda one: (not one.newly_open, order.index(one.status) if one.status in order else -1))
        return cls(evidence, tenants, leavers)

    @property
    def unreached(self) -> list[str]:
        return [str(place) for place, tenant in self.tenants.items() if tenant.get("error")]

    @property
    def complete(self) -> bool:
        return self.told.get("complete") is not False

    @property
    def writes(self) -> bool:
        """Whether this run may have changed something."""
        return self.told.get("purpose") != "audit" and not self.told.get("check_mode")

    @property
    def run(self) -> Record:
        return self.told.get("run") or {}


def door_states(result: Record) -> dict[str, str]:
    """Each door of a leaver: open, shut, unconfirmed, unseen or absent. Shut needs a look that said so."""
    return {door: _door_state(result, door) for door in DOORS}


def _door_state(result: Record, door: str) -> str:
    step = door if door in STEPS else "protocols"
    entry = (result.get("steps") or {}).get(step)
    if door in (result.get("open") or ()):
        return OPEN
    if door in (result.get("unconfirmed") or ()):
        return UNSURE
    if not result.get("id") or entry is None or {door, step} & set(result.get("not_looked_at") or ()):
        return UNSEEN
    if entry.get("status") == "not_applicable":
        return ABSENT
    seen = [facts for facts in (entry.get("before"), entry.get("after")) if facts is not None]
    if not seen:
        return UNSEEN
    # A tenant may not know the newest switches.
    return ABSENT if step == "protocols" and not any(door in facts for facts in seen) else SHUT


# --- the verdict ---


def _verdict(report: _Report) -> tuple[str, str | None]:
    """The verdict in one line, and what else keeps leavers from being contained."""
    total = len(report.leavers)
    rest: list[str] = []
    if total:
        told, *rest = _counted(report)
    else:
        told = "Nobody was looked at" if report.unreached else "No leavers"
    if not report.complete:
        told = f"So far: {told[0].lower()}{told[1:]}"
    if report.unreached:
        rest.append(f"{_number(len(report.unreached), 'tenant')} could not be looked at")
    more = _listed(rest)
    return f"{told}.", f"{more[0].upper()}{more[1:]}." if more else None


def _counted(report: _Report) -> list[str]:
    """A sentence with the worst, then the others."""
    total, counts = len(report.leavers), collections.Counter(map(_sort_of, report.leavers))
    contained = counts.pop(CONTAINED, 0)
    if contained == total:
        looked_at = " looked at" if report.unreached else ""
        return [f"All {total:,} leavers{looked_at} are contained" if total > 1 else "The leaver is contained"]
    worst, *rest = [f"{counts[sort]:,} {_SORTS[sort][counts[sort] > 1]}" for sort in _SORTS if counts[sort]]
    if total == 1:
        (sort,) = counts
        return [f"The leaver is not contained: {_SORTS[sort][2]}"]
    return [f"{contained or 'None'} of {total:,} leavers {'is' if contained == 1 else 'are'} contained; {worst}", *rest]


# What keeps somebody from being contained, in words for one, for several, and for the only one.
_SORTS = {
    OPEN: ("has open doors", "have open doors", "doors are open"),
    UNSURE: ("has unconfirmed doors", "have unconfirmed doors", "doors are unconfirmed"),
    FAILED: ("could not be looked at", "could not be looked at", "nobody could look"),
    NOT_DUE: ("is not due", "are not due", "the time has not come"),
    PARTIAL: ("was looked at in part", "were looked at in part", "not every door was looked at"),
}


def _sort_of(one: _Leaver) -> str:
    if one.status == CONTAINED:
        return CONTAINED
    if one.status == NOT_DUE:
        return NOT_DUE
    if one.having(OPEN):
        return OPEN
    if one.having(UNSURE):
        return UNSURE
    return PARTIAL if one.status == PARTIAL else FAILED


def _header(report: _Report) -> Markup:
    good = report.complete and not report.unreached and len(report.leavers) > 0
    good = good and all(one.status == CONTAINED for one in report.leavers)
    verdict, more = _verdict(report)
    return e(
        "header",
        e(
            "div",
            e("p", _kicker(report), class_="kicker"),
            e("div", _icon("shut" if good else "open", "big"), e("h1", verdict), class_="verdict"),
            e("p", more, class_="lead") if more else None,
            _banners(report),
            _facts(report),
            class_="page",
        ),
        class_="top good" if good else "top bad",
    )


def _kicker(report: _Report) -> str:
    purpose = {"offboard": "Offboarding", "audit": "Audit"}.get(str(report.told.get("purpose")), "Evidence")
    return f"{purpose} of Microsoft 365 leavers{', check mode' if report.told.get('check_mode') else ''}"


def _banners(report: _Report) -> Markup:
    """What the verdict alone does not say, and what must not be overlooked."""
    banners = []
    if not report.complete:
        text = (
            "The run was still going, or broke off, when this was written. It says nothing of leavers who are not here."
        )
        banners.append(_banner("warn", "Incomplete.", text))
    if report.told.get("check_mode"):
        banners.append(
            _banner("info", "Check mode.", "Nothing was changed; 'would be changed' is what a run would do.")
        )
    elif report.told.get("purpose") == "audit":
        banners.append(_banner("info", "Audit.", "Everything was only looked at, nothing was changed."))
    newly = [one for one in report.leavers if one.newly_open]
    if newly:
        text = f"{_number(len(newly), 'leaver')} {'has' if len(newly) == 1 else 'have'} doors that were shut then."
        banners.append(_banner("alarm", "Newly open since the earlier evidence.", f"{text} They come first."))
    for place in report.unreached:
        error = report.tenants[place]["error"]
        banners.append(_banner("alarm", f"{place} could not be looked at.", *_error_parts(error)))
    return joined(banners)


def _banner(kind: str, title: str, *text: t.Any) -> Markup:
    icon = {"info": "info", "warn": "unconfirmed", "alarm": "failed", "fine": "contained"}[kind]
    return e("p", _icon(icon), e("span", e("strong", title), " ", *text), class_=f"banner {kind}")


def _facts(report: _Report) -> Markup:
    run = report.run
    job = " ".join(filter(None, (run.get("job_id") and f"#{run['job_id']}", run.get("job_template"))))
    versions = [f"{name} {run[key]}" for key, name in _VERSIONS.items() if run.get(key)]
    pairs = [
        ("Run began", _time(run.get("started_at"))),
        ("Written", _time(report.told.get("written_at"))),
        ("Tenants" if len(report.tenants) != 1 else "Tenant", _tenants_in_short(report)),
        ("Job", job or None),
        ("Launched by", run.get("launched_by")),
        ("Made with", ", ".join(versions) or None),
    ]
    return _pairs(pairs, "facts")


_VERSIONS = {"collection": "m365.offboarding", "ansible": "ansible-core"}


def _tenants_in_short(report: _Report) -> t.Any:
    if len(report.tenants) == 1:
        (place,) = report.tenants
        return place
    return e("a", _number(len(report.tenants), "tenant"), href="#tenants") if report.tenants else None


# With more leavers than this, the browser draws only the rows that are seen.
_MANY = 100


# --- the list: a row per leaver, with the picture, and behind it everything else ---


def _list(report: _Report) -> Markup:
    counts = collections.Counter(one.status for one in report.leavers)
    kind = "list many" if len(report.leavers) > _MANY else "list"
    return e(
        "section",
        e("h2", "Leavers and their doors", id="leavers", tabindex="-1"),
        _bar(counts, len(report.leavers)),
        _tools(report, counts),
        _legend(),
        e(
            "div",
            _columns(report),
            e("ol", *(_row(report, one, index) for index, one in enumerate(report.leavers)), id="list", class_=kind),
            e("p", "Nobody matches.", id="nobody", class_="nobody", hidden=True),
            class_="table",
        )
        if report.leavers
        else e("p", "There is nobody to show.", class_="nobody"),
        class_="page",
        aria_labelledby="leavers",
    )


def _bar(counts: t.Mapping[str, int], total: int) -> Markup | None:
    """How many of which status, as one bar; the numbers stand below it."""
    if not total:
        return None
    rects, x = [], 0.0
    for status in _STATUSES:
        width = 1000 * counts[status] / total
        if width:
            rects.append(e("rect", x=f"{x:.2f}", width=f"{width:.2f}", height=10, class_=f"s-{status}"))
        x += width
    return e("svg", rects, class_="bar", viewBox="0 0 1000 10", preserveAspectRatio="none", aria_hidden="true")


def _tools(report: _Report, counts: t.Mapping[str, int]) -> Markup:
    chips = [_chip("status", status, name, counts[status], status) for status, name in _STATUSES.items()]
    newly = sum(1 for one in report.leavers if one.newly_open)
    residual = sum(1 for one in report.leavers if one.residual)
    chips.append(_chip("mark", "new", "Newly open", newly, "open"))
    chips.append(_chip("mark", "residual", "Residual access", residual, "residual"))
    orders = {"worst": "worst first", "name": "name", "left": "left, latest first", "shut": "surely shut, latest first"}
    if len(report.tenants) > 1:
        orders["tenant"] = "tenant"
    return e(
        "form",
        e("fieldset", e("legend", "Show", class_="hidden"), chips, class_="chips"),
        e(
            "div",
            e(
                "label",
                e("span", "Search"),
                e("input", type="search", id="search", placeholder="name, id, tenant, error", autocomplete="off"),
            ),
            e("label", e("span", "Sort by"), e("select", _options(orders), id="sort")),
            e("button", "Open all", type="button", id="all", aria_expanded="false"),
            e("output", id="shown", role="status"),
            class_="controls",
            id="controls",
            hidden=True,
        ),
        class_="tools",
        id="tools",
        role="search",
        aria_label="Filter and sort the leavers",
    )


def _options(orders: t.Mapping[str, str]) -> list[Markup]:
    return [e("option", name, value=value) for value, name in orders.items()]


def _chip(name: str, value: str, label: str, count: int, icon: str) -> Markup | None:
    """A number that is also a switch, once the script is there."""
    if not count:
        return None
    return e(
        "label",
        e("input", type="checkbox", name=name, value=value),
        _icon(icon),
        e("span", label),
        e("b", f"{count:,}"),
        class_=f"chip c-{value}",
    )


def _legend() -> Markup:
    items = [e("li", _use(f"d-{state}", "0 0 20 24", "door"), name) for state, name in _DOOR_STATES.items()]
    return e("ul", items, class_="legend", aria_label="How doors are drawn")


_PITCH, _GAP = 20, 8  # of the doors; the gap parts the account from its mailbox


def _x(index: int) -> int:
    return index * _PITCH + (_GAP if index >= len(STEPS) - 1 else 0)


_WIDTH = _x(len(DOORS))


def _columns(report: _Report) -> Markup:
    """The doors' names above their columns, and how many of each are open."""
    opened = collections.Counter(door for one in report.leavers for door in one.having(OPEN))
    names = [
        e("text", _DOOR_NAMES[door], transform=f"translate({_x(index) + 14} 106) rotate(-90)")
        for index, door in enumerate(DOORS)
    ]
    sums = [
        e("text", opened[door], x=_x(index) + 10, y=124, class_="sum" if opened[door] else "sum none")
        for index, door in enumerate(DOORS)
    ]
    label = "Open doors: " + (", ".join(f"{_DOOR_NAMES[d]} {opened[d]}" for d in DOORS if opened[d]) or "none")
    picture = e("svg", names, sums, class_="doors", viewBox=f"0 0 {_WIDTH} 130", role="img", aria_label=label)
    return e(
        "div",
        e("span", "Leaver", class_="who", aria_hidden="true"),
        e("span", "Status", class_="state", aria_hidden="true"),
        e("span", e("small", "open", aria_hidden="true"), picture, class_="picture"),
        e("span", "Left, surely shut by", class_="when", aria_hidden="true"),
        class_="columns",
    )


def _patterns(report: _Report) -> Markup:
    """Each combination of doors once; rows refer to it, so that a thousand leavers stay light."""
    patterns = dict.fromkeys(_pattern(one) for one in report.leavers)
    symbols = []
    for pattern in patterns:
        uses = [e("use", href=f"#d-{state}", x=_x(index)) for index, state in enumerate(pattern)]
        symbols.append(e("g", uses, id=_pattern_id(pattern)))
    return e("svg", e("defs", symbols), class_="hidden", aria_hidden="true", width=0, height=0)


def _pattern(one: _Leaver) -> tuple[str, ...]:
    return tuple(one.doors[door] for door in DOORS)


def _pattern_id(pattern: t.Iterable[str]) -> str:
    letters = {OPEN: "o", UNSURE: "u", UNSEEN: "n", ABSENT: "a", SHUT: "s"}
    return "p-" + "".join(letters[state] for state in pattern)


def _row(report: _Report, one: _Leaver, index: int) -> Markup:
    told = one.told
    shut_by = _surely_shut_by(one)
    many = len(report.tenants) > 1
    name = told.get("user_principal_name") or told.get("user")
    summary = e(
        "summary",
        e(
            "span",
            e("h3", e("bdi", one.name)),
            e("span", e("bdi", name), f" · {one.place}" if many else None, class_="upn"),
            class_="who",
        ),
        e("span", _status(one.status), _marks(one), class_="state"),
        e(
            "svg",
            e("use", href=f"#{_pattern_id(_pattern(one))}"),
            class_="doors",
            viewBox=f"0 0 {_WIDTH} 24",
            role="img",
            aria_label=_doors_in_words(one),
        ),
        e(
            "span",
            _moment_line("leaves" if one.status == NOT_DUE else "left", told.get("left_at")),
            _moment_line("shut by", shut_by),
            class_="when",
        ),
    )
    return e(
        "li",
        e("details", summary, _details(report, one), open=len(report.leavers) == 1),
        id=f"leaver-{index + 1}",
        data_status=one.status,
        data_marks=" ".join(["new"] * bool(one.newly_open) + ["residual"] * bool(one.residual)) or None,
        data_left=told.get("left_at"),
        data_shut=shut_by,
        data_tenant=one.place if many else None,
    )


@functools.lru_cache(maxsize=64)
def _status(status: str) -> Markup:
    known = status if status in _STATUSES else FAILED
    return e("span", _icon(known), _STATUSES.get(status, status), class_=f"pill c-{known}")


def _marks(one: _Leaver) -> Markup | None:
    marks = []
    if one.newly_open:
        marks.append(e("span", _icon("open"), "newly open", class_="c-new"))
    if one.residual:
        marks.append(e("span", _icon("residual"), f"{len(one.residual)} residual", class_="c-residual"))
    return e("span", marks, class_="marks") if marks else None


def _moment_line(label: str, moment: t.Any) -> Markup | None:
    return e("span", e("small", label), " ", _time(moment)) if moment else None


def _doors_in_words(one: _Leaver) -> str:
    """The picture for those who hear it, or see it far from its head: what is wrong by name, what is right by number."""
    told = [
        f"{_DOOR_STATES[state].capitalize()}: {_doors_in_short(doors)}."
        for state in (OPEN, UNSURE, UNSEEN)
        if (doors := one.having(state))
    ]
    shut, there = len(one.having(SHUT)), len(DOORS) - len(one.having(ABSENT))
    if shut:
        told.append(f"{shut} of {_number(there, 'door')} shut." if shut < there else f"Shut: {_number(there, 'door')}.")
    return " ".join(told)


def _doors_in_short(doors: t.Sequence[str]) -> str:
    """Names of doors; all protocols of a mailbox go by one name."""
    if len(doors) == len(DOORS):
        return f"all {len(DOORS)} doors"
    if set(PROTOCOLS) <= set(doors):
        doors = [*(door for door in doors if door not in PROTOCOLS), "protocols"]
    return _doors_named(doors)


# --- everything of one leaver ---


def _details(report: _Report, one: _Leaver) -> Markup:
    return e(
        "div",
        _errors(one),
        _since(one),
        e("p", _doors_in_words(one), class_="words"),
        _timeline(one),
        e("div", *(_step(name, one) for name in STEPS if name in one.steps), class_="steps"),
        _residual(one),
        _identity(report, one),
        class_="more",
    )


def _errors(one: _Leaver) -> list[Markup]:
    """Each error once: the same refusal stands in every step."""
    errors = [one.told.get("error"), *(entry.get("error") for entry in one.steps.values())]
    distinct = {str(error.get("message")): error for error in errors if error}
    return [_banner("alarm", "", *_error_parts(error)) for error in distinct.values()]


def _error_parts(error: Record) -> list[t.Any]:
    ids = [
        e("span", f"{label} ", e("code", error[key]))
        for label, key in (("Code", "code"), ("Microsoft's request id", "request_id"))
        if error.get(key)
    ]
    return [error.get("message"), " ", error.get("hint"), e("span", ids, class_="ids") if ids else None]


def _since(one: _Leaver) -> Markup | None:
    since = one.told.get("since")
    if not since:
        return None
    parts = []
    if since.get("newly_open"):
        parts.append(_banner("alarm", "Newly open:", f"{_doors_named(since['newly_open'])}."))
    if since.get("newly_shut"):
        parts.append(_banner("fine", "Newly shut:", f"{_doors_named(since['newly_shut'])}."))
    if since.get("new"):
        parts.append(_banner("info", "New:", "not in the earlier evidence."))
    return joined(parts)


def _doors_named(doors: t.Iterable[str]) -> str:
    return ", ".join(_DOOR_NAMES.get(door, door) for door in doors)


def _step(name: str, one: _Leaver) -> Markup:
    entry = one.steps[name]
    status, before, after = str(entry.get("status")), entry.get("before"), entry.get("after")
    pairs = [
        ("Found", _seen(name, before)),
        ("Sent", _time(entry.get("written_at"))),
        ("Read back", _seen(name, after) if after != before else None),
        ("Surely shut by", _time(entry.get("effective_by"))),
        ("Request id", e("code", entry["request_id"]) if entry.get("request_id") else None),
        ("Error", e("code", entry["error"].get("code")) if entry.get("error") else None),
        ("Note", entry.get("note")),
    ]
    kind = {"failed": "bad", "refused": "bad", "accepted": "warn", "planned": "info", "not_due": "info"}.get(
        status, "fine"
    )
    return e(
        "section",
        e("h4", _STEP_NAMES[name]),
        e("p", _ENTRIES.get(status, status), class_=f"did {kind}"),
        _pairs(pairs),
    )


def _seen(step: str, facts: Record | None) -> t.Any:
    """The facts of a step, in words."""
    if facts is None:
        return None
    if step == "password":
        return _fact("changed", facts.get("last_password_change_date_time"))
    if step == "sessions":
        return _fact("valid from", facts.get("sign_in_sessions_valid_from_date_time"))
    if step == "signin":
        return {True: "allowed", False: "blocked"}.get(facts.get("account_enabled"), "not told")
    sides = {"on": True, "not set": None, "off": False}
    told = {side: [door for door, on in facts.items() if on is value] for side, value in sides.items()}
    return "; ".join(
        f"{side}: all {len(doors)}" if len(doors) == len(facts) else f"{side}: {_doors_named(doors)}"
        for side, doors in told.items()
        if doors
    )


def _fact(label: str, moment: t.Any) -> t.Any:
    return joined(f"{label} ", _time(moment)) if moment else "not told"


# --- the timeline ---


@dataclasses.dataclass(frozen=True)
class _Event:
    moment: str
    label: str
    kind: str  # past, sent (not confirmed), sure


def _timeline(one: _Leaver) -> Markup | None:
    """Only what is known: who was shut out earlier has no moment for sign-in and protocols."""
    events = sorted(_events(one), key=lambda event: _parsed(event.moment) or _EPOCH)
    if not events:
        return None
    left = _parsed(one.told.get("left_at")) if one.status != NOT_DUE else None
    items = []
    for event in events:
        moment = _parsed(event.moment)
        late = (moment - left).total_seconds() if moment and left else 0
        after = e("small", f"{_span(late)} after leaving") if late > 0 else None
        items.append(e("li", e("span", event.label), _time(event.moment), after, class_=event.kind))
    return e("ol", items, class_="timeline", aria_label="Timeline")


_EPOCH = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)
_DONE = {
    "password": "Password reset",
    "sessions": "Signed out",
    "signin": "Sign-in blocked",
    "protocols": "Protocols shut",
}
_SENT = {
    "password": "Reset sent, not confirmed",
    "sessions": "Sign-out sent, not confirmed",
    "signin": "Block sent, not confirmed",
    "protocols": "Protocols sent, not confirmed",
}


def _events(one: _Leaver) -> t.Iterator[_Event]:
    if one.told.get("left_at"):
        yield _Event(one.told["left_at"], "Leaves" if one.status == NOT_DUE else "Left", "past")
    for step, entry in one.steps.items():
        shut = _is_shut(one, step)
        moment = _shut_at(step, entry) if shut else entry.get("written_at")
        if moment:
            yield _Event(moment, (_DONE if shut else _SENT)[step], "past" if shut else "sent")
    sure = _sure_moments(one)
    if sure:
        names = "" if _surely_shut_by(one) else f": {', '.join(_STEP_NAMES[step].lower() for step in sure)}"
        yield _Event(max(sure.values(), key=_sortable), f"Surely shut by{names}", "sure")


def _is_shut(one: _Leaver, step: str) -> bool:
    own = [one.doors[door] for door in (PROTOCOLS if step == "protocols" else (step,))]
    return SHUT in own and set(own) <= {SHUT, ABSENT}


def _shut_at(step: str, entry: Record) -> str | None:
    """Microsoft's moment where it keeps one, otherwise that of our write."""
    facts = entry.get("after") or {}
    kept = {"password": "last_password_change_date_time", "sessions": "sign_in_sessions_valid_from_date_time"}
    moment: str | None = (facts.get(kept[step]) if step in kept else None) or entry.get("written_at")
    return moment


def _sure_moments(one: _Leaver) -> dict[str, str]:
    """Of the steps whose doors are shut: when Microsoft says that they surely are."""
    steps = {step: entry.get("effective_by") for step, entry in one.steps.items() if _is_shut(one, step)}
    return {step: moment for step, moment in steps.items() if moment}


def _surely_shut_by(one: _Leaver) -> str | None:
    """When the last door is surely shut, if that is known of all of them."""
    sure = _sure_moments(one)
    shut = [step for step in one.steps if _is_shut(one, step)]
    if one.status not in (CONTAINED, PARTIAL) or not sure or len(sure) < len(shut):
        return None
    return max(sure.values(), key=_sortable)


# --- residual access, identity, tenants ---


def _residual(one: _Leaver) -> Markup | None:
    topics = one.told.get("residual")
    if not topics:
        return None
    order = [*(topic for topic in _TOPICS if topic in topics), *(topic for topic in topics if topic not in _TOPICS)]
    shown = {state: [topic for topic in order if topics[topic].get("state") == state] for state in _RESIDUAL}
    items = [_RESIDUAL[state](topic, topics[topic]) for state in ("found", "not_looked_at") for topic in shown[state]]
    if shown["none"]:
        names = ", ".join(_topic(topic) for topic in shown["none"])
        items.append(e("li", _icon(CONTAINED), e("span", e("strong", "None: "), f"{names}."), class_="none"))
    return e("section", e("h4", "Residual access"), e("ul", items, class_="topics"), class_="residual")


def _topic(topic: str) -> str:
    return _TOPICS.get(topic, topic)


def _found(topic: str, told: Record) -> Markup:
    lines = [e("li", one.get("text")) for one in told.get("found") or ()]
    return e(
        "li",
        _icon("residual"),
        e("div", e("strong", _topic(topic)), f": {len(lines)}", e("ul", lines), _remark(told)),
        class_="found",
    )


def _not_looked_at(topic: str, told: Record) -> Markup:
    needed = [" Needs the permission ", e("code", told["permission"]), "."] if told.get("permission") else None
    return e(
        "li",
        _icon(UNCONFIRMED),
        e("div", e("strong", _topic(topic)), ": not looked at.", needed, _remark(told)),
        class_="unseen",
    )


_RESIDUAL: dict[str, t.Any] = {"found": _found, "not_looked_at": _not_looked_at, "none": None}


def _remark(told: Record) -> list[t.Any]:
    parts: list[t.Any] = [e("span", told["note"], class_="aside")] if told.get("note") else []
    return [*parts, *([e("span", _error_parts(told["error"]), class_="aside")] if told.get("error") else [])]


def _identity(report: _Report, one: _Leaver) -> Markup:
    told, run = one.told, report.run
    roles = told.get("directory_roles")
    job = [f"job {run['job_id']}" if run.get("job_id") else None, run.get("job_template")]
    job.append(f"launched by {run['launched_by']}" if run.get("launched_by") else None)
    pairs = [
        ("Asked for as", e("bdi", told.get("user"))),
        ("Object id", e("code", told["id"]) if told.get("id") else "nobody was found"),
        ("Directory roles", "not read" if roles is None else ", ".join(map(str, roles)) or "none"),
        ("Shut out by" if report.writes else "Looked at by", _automation(one.place, one.tenant)),
        ("Run", ", ".join(filter(None, job)) or None),
    ]
    return _pairs(pairs, "identity")


def _automation(place: str, tenant: Record) -> Markup:
    parts: list[t.Any] = [place]
    for label, key in (("tenant", "tenant_id"), ("application", "client_id"), ("object", "object_id")):
        if tenant.get(key):
            parts += [f", {label} ", e("code", tenant[key])]
    return joined(parts)


def _provenance(report: _Report) -> Markup | None:
    if not report.tenants:
        return None
    return e(
        "section",
        e("h2", "Tenants and who looked", id="tenants"),
        e("div", *(_tenant(str(place), tenant) for place, tenant in report.tenants.items()), class_="tenants"),
        e(
            "p",
            "A door counts as shut only if it was read back as shut after the last step. 'Surely shut by' is when "
            "Microsoft says that the change has taken effect everywhere. All times are UTC.",
            class_="small",
        ),
        class_="page",
        aria_labelledby="tenants",
    )


def _tenant(place: str, tenant: Record) -> Markup:
    leavers = tenant.get("leavers") or ()
    contained = sum(1 for one in leavers if one.get("status") == CONTAINED)
    steps = [_STEP_NAMES.get(step, step) for step in tenant.get("steps") or ()]
    pairs = [
        ("Contained", f"{contained:,} of {len(leavers):,}" if not tenant.get("error") else "could not be looked at"),
        ("Looked at", ", ".join(steps) or None),
        ("Tenant", e("code", tenant["tenant_id"]) if tenant.get("tenant_id") else None),
        ("Application", e("code", tenant["client_id"]) if tenant.get("client_id") else None),
        ("Its object id", e("code", tenant["object_id"]) if tenant.get("object_id") else None),
        ("Error", e("span", _error_parts(tenant["error"])) if tenant.get("error") else None),
    ]
    return e("section", e("h3", place), _pairs(pairs))


# --- small things ---


def _pairs(pairs: t.Iterable[tuple[str, t.Any]], class_: str | None = None) -> Markup:
    return e("dl", *(e("div", e("dt", name), e("dd", value)) for name, value in pairs if value), class_=class_)


def _time(value: t.Any) -> t.Any:
    """A moment as ISO 8601 in UTC; what is none is shown as it is."""
    moment = _parsed(value)
    if moment is None:
        return value or None
    text = format_moment(moment)
    return e("time", text, datetime=text)


def _parsed(value: t.Any) -> datetime.datetime | None:
    try:
        return parse_moment(str(value)) if value else None
    except ValueError:
        return None


def _sortable(value: str) -> datetime.datetime:
    return _parsed(value) or _EPOCH


def _span(seconds: float) -> str:
    """How long, in the two largest units."""
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    told, rest = [], int(seconds)
    for name, size in units:
        if rest >= size or (name == "s" and not told):
            told.append(f"{rest // size} {name}")
            rest %= size
    return " ".join(told[:2])


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _listed(parts: t.Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


# --- drawings ---


@functools.lru_cache(maxsize=64)
def _icon(name: str, class_: str = "icon") -> Markup:
    return _use(f"i-{name}", "0 0 24 24", class_)


def _use(name: str, box: str, class_: str) -> Markup:
    return e("svg", e("use", href=f"#{name}"), class_=class_, viewBox=box, aria_hidden="true")


# Doors are 20 x 24, icons 24 x 24. Each state has a shape of its own, not only a colour.
_DOOR_LEAF = "M5 4.5a1 1 0 0 1 1-1h8a1 1 0 0 1 1 1v16H5z"
_QUESTION = "M7.4 9.4a2.6 2.6 0 1 1 3.9 2.3c-.9.5-1.3 1-1.3 2"
_DOOR_SHAPES = {
    SHUT: [e("path", d=f"{_DOOR_LEAF}M11.4 12a1.1 1.1 0 1 0 2.2 0a1.1 1.1 0 1 0-2.2 0z", fill_rule="evenodd")],
    OPEN: [
        e("rect", x=1, y=1, width=18, height=22, rx=4),
        e("path", d="M5.5 19.5V5h9v14.5", class_="frame"),
        e("path", d="M5.5 4.6l5 2.4v14l-5-2.4z", class_="leaf"),
    ],
    UNSURE: [
        e("rect", x=1.75, y=1.75, width=16.5, height=20.5, rx=4),
        e("path", d=_QUESTION),
        e("circle", cx=10, cy=16.6, r=1.1),
    ],
    UNSEEN: [e("path", d=f"{_DOOR_LEAF}")],
    ABSENT: [e("path", d="M7.5 12h5")],
}
_CIRCLE = "M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18z"
_ICONS = {
    FAILED: ["M8.3 3h7.4L21 8.3v7.4L15.7 21H8.3L3 15.7V8.3z", "M9 9l6 6M15 9l-6 6"],
    REFUSED: [_CIRCLE, "M7.5 12h9"],
    OPEN_DOORS: ["M2.5 21h3M18.5 21h3M5.5 21V3h13v18", "M5.5 3l7 3.2V23l-7-2z"],
    UNCONFIRMED: [_CIRCLE, "M9.4 9.6a2.6 2.6 0 1 1 3.9 2.3c-.9.5-1.3.9-1.3 1.7M12 16.6v.1"],
    NOT_DUE: [_CIRCLE, "M12 7v5.2l3.4 2"],
    PARTIAL: [_CIRCLE, "M12 3a9 9 0 0 1 0 18z"],
    CONTAINED: [_CIRCLE, "M8 12.4l2.8 2.8 5.2-5.6"],
    "shut": ["M2.5 21h19M5.5 21V3h13v18", "M9 12.2l2.4 2.4 4.2-4.6"],
    "residual": ["M8 8a4 4 0 1 0 0 8a4 4 0 1 0 0-8z", "M12 12h9.5v4M17.5 12v3"],
    "info": [_CIRCLE, "M12 11v5.5M12 7.6v.1"],
}
_FILLED = (OPEN_DOORS, PARTIAL)
_SYMBOLS = e(
    "svg",
    e(
        "defs",
        [e("g", shapes, id=f"d-{state}", class_=f"d-{state}") for state, shapes in _DOOR_SHAPES.items()],
        [
            e(
                "g",
                [
                    e("path", d=d, class_="filled" if index and name in _FILLED else None)
                    for index, d in enumerate(paths)
                ],
                id=f"i-{name}",
                class_="i",
            )
            for name, paths in _ICONS.items()
        ],
    ),
    class_="hidden",
    width=0,
    height=0,
    aria_hidden="true",
)
