# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""Evidence as one HTML file for people: a verdict, leavers by doors, and everything that is known of each leaver.

The file needs no network, and its Content-Security-Policy forbids all but its own style and script. Without script
everything can be read; with it, filtered and sorted.
"""

from __future__ import annotations

import base64
import collections
import functools
import hashlib
import pathlib
import typing as t

from ..module_utils._doors import STEPS
from ..module_utils._times import format_moment
from ._drawings import columns, door, icon, row, rows, symbols
from ._markup import Markup, e, joined, raw
from ._report_words import (
    DOOR_NAMES,
    DOOR_STATES,
    DOORS,
    OPEN,
    STATUSES,
    STEP_NAMES,
    Leaver,
    Record,
    Report,
    doors_in_words,
    doors_named,
    number,
    parsed,
    surely_shut_by,
    timeline,
    verdict,
)
from ._results import CONTAINED, FAILED, NOT_DUE, UNCONFIRMED
from ._sentences import person_in_words

_ENTRIES = {
    "unchanged": "was so already",
    "pending": "not reached yet",
    "planned": "would be changed",
    "verified": "written, read back",
    "accepted": "written, not seen yet",
    "not_applicable": "no such door here",
    "not_due": "not due, nothing sent",
    "refused": "refused, nothing sent",
    "failed": "failed",
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
    "memberships": "Group memberships",
}


def html(evidence: Record) -> str:
    """The report as a whole HTML document."""
    report = Report.of(evidence)
    style, script = _asset("_report.css"), _asset("_report.js")
    title = f"{verdict(report)[0]} {report.told.get('written_at') or ''}".strip()
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
        symbols(),
        rows(report.leavers),
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


# --- the head ---


def _header(report: Report) -> Markup:
    good = report.complete and not report.unreached and len(report.leavers) > 0
    good = good and all(one.status == CONTAINED for one in report.leavers)
    told, more = verdict(report)
    return e(
        "header",
        e(
            "div",
            e("p", _kicker(report), class_="kicker"),
            e("div", icon("shut" if good else "open", "big"), e("h1", told), class_="verdict"),
            e("p", more, class_="lead") if more else None,
            _banners(report),
            _facts(report),
            class_="page",
        ),
        class_="top good" if good else "top bad",
    )


def _kicker(report: Report) -> str:
    purpose = {"offboard": "Offboarding", "audit": "Audit"}.get(str(report.told.get("purpose")), "Evidence")
    return f"{purpose} of Microsoft 365 leavers{', check mode' if report.told.get('check_mode') else ''}"


def _banners(report: Report) -> Markup:
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
        text = f"{number(len(newly), 'leaver')} {'has' if len(newly) == 1 else 'have'} doors that were shut then."
        banners.append(_banner("alarm", "Newly open since the earlier evidence.", f"{text} They come first."))
    for place in report.unreached:
        error = report.tenants[place]["error"]
        banners.append(_banner("alarm", f"{place} could not be looked at.", *_error_parts(error)))
    return joined(banners)


def _banner(kind: str, title: str, *text: t.Any) -> Markup:
    drawing = {"info": "info", "warn": "unconfirmed", "alarm": "failed", "fine": "contained"}[kind]
    return e("p", icon(drawing), e("span", e("strong", title), " ", *text), class_=f"banner {kind}")


def _facts(report: Report) -> Markup:
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


def _tenants_in_short(report: Report) -> t.Any:
    if len(report.tenants) == 1:
        (place,) = report.tenants
        return place
    return e("a", number(len(report.tenants), "tenant"), href="#tenants") if report.tenants else None


# With more leavers than this, the browser draws only the rows that are seen.
_MANY = 100


# --- the list: a row per leaver, with the picture, and behind it everything else ---


def _list(report: Report) -> Markup:
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
    for status in STATUSES:
        width = 1000 * counts[status] / total
        if width:
            rects.append(e("rect", x=f"{x:.2f}", width=f"{width:.2f}", height=10, class_=f"s-{status}"))
        x += width
    return e("svg", rects, class_="bar", viewBox="0 0 1000 10", preserveAspectRatio="none", aria_hidden="true")


def _tools(report: Report, counts: t.Mapping[str, int]) -> Markup:
    chips = [_chip("status", status, name, counts[status], status) for status, name in STATUSES.items()]
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


def _chip(name: str, value: str, label: str, count: int, drawing: str) -> Markup | None:
    """A number that is also a switch, once the script is there."""
    if not count:
        return None
    return e(
        "label",
        e("input", type="checkbox", name=name, value=value),
        icon(drawing),
        e("span", label),
        e("b", f"{count:,}"),
        class_=f"chip c-{value}",
    )


def _legend() -> Markup:
    items = [e("li", door(state), name) for state, name in DOOR_STATES.items()]
    return e("ul", items, class_="legend", aria_label="How doors are drawn")


def _columns(report: Report) -> Markup:
    """The doors' names above their columns, and how many of each are open."""
    opened = collections.Counter(name for one in report.leavers for name in one.having(OPEN))
    told = ", ".join(f"{DOOR_NAMES[name]} {opened[name]}" for name in DOORS if opened[name])
    picture = columns(DOOR_NAMES, opened, f"Open doors: {told or 'none'}")
    return e(
        "div",
        e("span", "Leaver", class_="who", aria_hidden="true"),
        e("span", "Status", class_="state", aria_hidden="true"),
        e("span", e("small", "open", aria_hidden="true"), picture, class_="picture"),
        e("span", "Left, surely shut by", class_="when", aria_hidden="true"),
        class_="columns",
    )


def _row(report: Report, one: Leaver, index: int) -> Markup:
    told = one.told
    shut_by = surely_shut_by(one)
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
        row(one, doors_in_words(one)),
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
    known = status if status in STATUSES else FAILED
    return e("span", icon(known), STATUSES.get(status, status), class_=f"pill c-{known}")


def _marks(one: Leaver) -> Markup | None:
    marks = []
    if one.newly_open:
        marks.append(e("span", icon("open"), "newly open", class_="c-new"))
    if one.residual:
        marks.append(e("span", icon("residual"), f"{len(one.residual)} residual", class_="c-residual"))
    return e("span", marks, class_="marks") if marks else None


def _moment_line(label: str, moment: t.Any) -> Markup | None:
    return e("span", e("small", label), " ", _time(moment)) if moment else None


# --- everything of one leaver ---


def _details(report: Report, one: Leaver) -> Markup:
    return e(
        "div",
        _errors(one),
        _since(one),
        e("p", e("bdi", person), class_="words") if (person := person_in_words(one.told)) else None,
        e("p", doors_in_words(one), class_="words"),
        _timeline(one),
        e("div", *(_step(name, one) for name in STEPS if name in one.steps), class_="steps"),
        _also(one),
        _residual(one),
        _identity(report, one),
        class_="more",
    )


def _errors(one: Leaver) -> list[Markup]:
    """Each error once: the same refusal stands in every step."""
    errors = [one.told.get("error"), *(entry.get("error") for entry in one.steps.values())]
    distinct = {str(error.get("message")): error for error in errors if error}
    banners = [_banner("alarm", "", *_error_parts(error)) for error in distinct.values()]
    said = {" ".join(filter(None, (error.get("message"), error.get("hint")))) for error in distinct.values()}
    reasons = [entry for entry in one.told.get("reasons") or () if entry["reason"] not in said]
    return [*banners, *(_banner("alarm", f"{doors_named(entry['doors'])}:", entry["reason"]) for entry in reasons)]


def _error_parts(error: Record) -> list[t.Any]:
    ids = [
        e("span", f"{label} ", e("code", error[key]))
        for label, key in (("Code", "code"), ("Microsoft's request id", "request_id"))
        if error.get(key)
    ]
    return [error.get("message"), " ", error.get("hint"), e("span", ids, class_="ids") if ids else None]


def _since(one: Leaver) -> Markup | None:
    since = one.told.get("since")
    if not since:
        return None
    parts = []
    if since.get("newly_open"):
        parts.append(_banner("alarm", "Newly open:", f"{doors_named(since['newly_open'])}."))
    if since.get("newly_shut"):
        parts.append(_banner("fine", "Newly shut:", f"{doors_named(since['newly_shut'])}."))
    if since.get("new"):
        parts.append(_banner("info", "New:", "not in the earlier evidence."))
    return joined(parts)


def _step(name: str, one: Leaver) -> Markup:
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
    kind = {
        "failed": "bad",
        "refused": "bad",
        "accepted": "warn",
        "planned": "info",
        "pending": "info",
        "not_due": "info",
    }.get(status, "fine")
    return e(
        "section",
        e("h4", STEP_NAMES[name]),
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
        enabled = facts.get("account_enabled")
        return "not told" if enabled is None else "allowed" if enabled else "blocked"
    sides = {"on": True, "not set": None, "off": False}
    told = {side: [door for door, on in facts.items() if on is value] for side, value in sides.items()}
    return "; ".join(
        f"{side}: all {len(doors)}" if len(doors) == len(facts) else f"{side}: {doors_named(doors)}"
        for side, doors in told.items()
        if doors
    )


def _fact(label: str, moment: t.Any) -> t.Any:
    return joined(f"{label} ", _time(moment)) if moment else "not told"


def _timeline(one: Leaver) -> Markup | None:
    items = [
        e(
            "li",
            e("span", event.label),
            _time(event.moment),
            e("small", event.after) if event.after else None,
            class_=event.kind,
        )
        for event in timeline(one)
    ]
    return e("ol", items, class_="timeline", aria_label="Timeline") if items else None


# --- residual access, identity, tenants ---


def _also(one: Leaver) -> Markup | None:
    lines = [e("li", line) for line in one.also]
    return e("section", e("h4", "Closed besides the doors"), e("ul", lines)) if lines else None


def _residual(one: Leaver) -> Markup | None:
    """What was found, what nobody looked at, and in one line where there is nothing. What is not told is not nothing."""
    topics = one.topics
    if not topics:
        return None
    order = [*(topic for topic in _TOPICS if topic in topics), *(topic for topic in topics if topic not in _TOPICS)]
    states = {topic: topics[topic].get("state") for topic in order}
    items = [_found(topic, topics[topic]) for topic in order if states[topic] == "found"]
    items += [_not_looked_at(topic, topics[topic]) for topic in order if states[topic] not in ("found", "none")]
    none = [_none(topic, topics[topic]) for topic in order if states[topic] == "none"]
    if none:
        told = e("span", e("strong", "None: "), f"{', '.join(none)}.")
        items.append(e("li", icon(CONTAINED), told, class_="none"))
    return e("section", e("h4", "Residual access"), e("ul", items, class_="topics"))


def _none(topic: str, told: Record) -> str:
    note = str(told.get("note") or "").rstrip(".")
    return f"{_topic(topic)} ({note})" if note else _topic(topic)


def _topic(topic: str) -> str:
    return _TOPICS.get(topic, topic)


def _found(topic: str, told: Record) -> Markup:
    lines = [e("li", one.get("text")) for one in told.get("found") or ()]
    return e(
        "li",
        icon("residual"),
        e("div", e("strong", _topic(topic)), f": {len(lines)}", e("ul", lines), _remark(told)),
        class_="found",
    )


def _not_looked_at(topic: str, told: Record) -> Markup:
    needed = [" Needs the permission ", e("code", told["permission"]), "."] if told.get("permission") else None
    return e(
        "li",
        icon(UNCONFIRMED),
        e("div", e("strong", _topic(topic)), ": not looked at.", needed, _remark(told)),
        class_="unseen",
    )


def _remark(told: Record) -> list[t.Any]:
    parts: list[t.Any] = [e("span", told["note"], class_="aside")] if told.get("note") else []
    return [*parts, *([e("span", _error_parts(told["error"]), class_="aside")] if told.get("error") else [])]


def _identity(report: Report, one: Leaver) -> Markup:
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


def _provenance(report: Report) -> Markup | None:
    if not report.tenants:
        return None
    return e(
        "section",
        e("h2", "Tenants and who looked", id="tenants"),
        e("div", *(_tenant(place, tenant) for place, tenant in report.tenants.items()), class_="tenants"),
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
    steps = [STEP_NAMES.get(step, str(step)) for step in tenant.get("steps") or ()]
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
    moment = parsed(value)
    if moment is None:
        return value or None
    text = format_moment(moment)
    return e("time", text, datetime=text)


# --- drawings ---
