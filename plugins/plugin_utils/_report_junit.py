# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence as JUnit XML, for test dashboards: one test per leaver and step."""

from __future__ import annotations

import re
import typing as t
import xml.etree.ElementTree as ET

from ..module_utils._doors import NOT_APPLICABLE, OPEN, STEPS, UNKNOWN, doors_of
from ..module_utils._errors import WRONG_PERSON
from ..module_utils._residual import FOUND, NOT_LOOKED_AT
from ..module_utils._times import parse_moment
from ._also import not_closed, rows
from ._containment import contained_in_words
from ._earlier import is_extra, newly_open
from ._exceptions import accepted_in_words, unmatched
from ._messages import Record, reason_of
from ._report_model import done_in_words, found_in_words, not_read_in_words
from ._results import DELETED, FAILED, NOT_DUE

_OF_TENANT = (
    "tenant_id",
    "tenant_name",
    "application_name",
    "client_id",
    "object_id",
    "read_at",
    "contain_within",
)


class _Case(t.NamedTuple):
    """One test: what was read and, unless it passed, `failure`, `error` or `skipped` with type and message."""

    name: str
    outcome: str | None = None
    type: str | None = None
    message: str | None = None
    details: t.Sequence[str] = ()


def as_junit(evidence: Record) -> str:
    """JUnit XML, as Jenkins, GitLab, Azure DevOps and others read it: a suite per host, a test per leaver and step.

    An open door is a failure, whatever the reason: refused, failed, or only read. A state that could not be read,
    of a door, a leaver or a whole tenant, is an error. A leaver who is not due or has no such door, and what was not
    looked at is skipped. Residual access is a test per topic.
    """
    suites = [(host, tenant, list(_cases(evidence, tenant))) for host, tenant in evidence["hosts"].items()]
    everything = [case for _host, _tenant, cases in suites for case in cases]
    started, written = (parse_moment(text) for text in (evidence["run"]["started_at"], evidence["written_at"]))
    took = max(0, int((written - started).total_seconds()))
    totals = _counts(everything, took)
    del totals["skipped"]  # not known here to the schema by which Jenkins' plugin xunit judges a file
    root = ET.Element("testsuites", {"name": f"m365.offboarding {evidence['purpose']}", **totals})
    for number, (host, tenant, cases) in enumerate(suites):
        suite = ET.SubElement(
            root,
            "testsuite",
            _attributes(
                name=host,
                id=number,
                package="m365.offboarding",
                hostname=host,
                # UTC: the format has no place for a zone.
                timestamp=started.strftime("%Y-%m-%dT%H:%M:%S"),
                **_counts(cases),
            ),
        )
        properties = ET.SubElement(suite, "properties")
        for name, value in _properties(evidence, tenant).items():
            ET.SubElement(properties, "property", _attributes(name=name, value=value))
        for case in cases:
            _add_case(suite, host, case)
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text.decode() + "\n"


def _counts(cases: t.Sequence[_Case], seconds: int = 0) -> dict[str, str]:
    outcomes = [case.outcome for case in cases]
    return _attributes(
        tests=len(cases),
        failures=outcomes.count("failure"),
        errors=outcomes.count("error"),
        skipped=outcomes.count("skipped"),
        time=seconds,
    )


def _properties(evidence: Record, tenant: Record) -> dict[str, t.Any]:
    times = tenant.get("containment") or {}
    facts = {
        **{name: tenant.get(name) for name in _OF_TENANT},
        **{
            f"{fact}_to_{name}": (times.get(name) or {}).get(fact)
            for name in ("last_write", "surely_shut")
            for fact in ("known", "median_seconds", "worst_seconds")
        },
        **({"beyond": times.get("beyond")} if tenant.get("contain_within") else {}),
        "purpose": evidence["purpose"],
        "check_mode": evidence["check_mode"],
        "complete": evidence["complete"],
        **evidence["run"],
        "written_at": evidence["written_at"],
        "earlier_evidence": " ".join(f"{link['sha256']} {link['file']}" for link in evidence.get("chain") or ())
        or None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _add_case(suite: ET.Element, host: str, case: _Case) -> None:
    # Some dashboards show only a test's name, so it includes the user.
    element = ET.SubElement(suite, "testcase", _attributes(classname=host, name=case.name, time=0))
    text = _legal("\n".join(case.details))
    if case.outcome == "skipped":  # nothing but a message is allowed here by some
        ET.SubElement(element, "skipped", _attributes(message=case.message))
    elif case.outcome:
        ET.SubElement(element, case.outcome, _attributes(type=case.type, message=case.message)).text = text
    elif text:
        ET.SubElement(element, "system-out").text = text


def _attributes(**values: t.Any) -> dict[str, str]:
    return {
        name: _legal(str(value).lower() if isinstance(value, bool) else str(value)) for name, value in values.items()
    }


# https://www.w3.org/TR/xml/#charsets
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _legal(text: str) -> str:
    """The text with U+FFFD for each character that no XML document may hold, escaped or not."""
    return _ILLEGAL.sub("\ufffd", text)


def _cases(evidence: Record, tenant: Record) -> t.Iterator[_Case]:
    if not evidence["complete"]:
        yield _Case("the run", "error", "incomplete", "The run had not come to its end when this was written.")
    if tenant["error"]:
        yield _Case("the tenant", "error", tenant["error"]["code"], reason_of(tenant["error"]), _ids(tenant["error"]))
    for one in tenant["leavers"]:
        name = one["user_principal_name"] or one["user"]
        if one["error"] and one["error"]["code"] in WRONG_PERSON:
            # The doors of this account say nothing about the requested person.
            yield _Case(f"{name}: person", "error", one["error"]["code"], reason_of(one["error"]), _ids(one["error"]))
        for step in STEPS:
            yield _of_step(f"{name}: {step}", one, step, evidence)
        unseen = [door for door in one["not_looked_at"] if door not in STEPS]
        if unseen:
            yield _skipped(f"{name}: other protocols", f"Not read: {', '.join(unseen)}")
        if tenant.get("contain_within"):
            yield _of_period(f"{name}: contained within {tenant['contain_within']}", one)
        for topic, entry in (one.get("also") or {}).items():
            yield _of_closing(f"{name}: close {topic}", {"also": {topic: entry}}, entry)
        for topic, entry in one["residual"].items():
            yield _of_topic(f"{name}: residual {topic}", one, entry)
    for number, line in enumerate(unmatched(tenant.get("exceptions") or ()), 1):
        yield _skipped(f"exception {number} without effect", line)


def _accepted(one: Record, step: str) -> str:
    """The accepted doors of a step, empty if none."""
    entries = [(entry, doors_of(step, entry["doors"])) for entry in one.get("accepted") or ()]
    reported = [accepted_in_words({**entry, "doors": doors}) for entry, doors in entries if doors]
    return f"Accepted {'; '.join(reported)}" if reported else ""


def _skipped(name: str, message: str) -> _Case:
    return _Case(name, "skipped", None, message)


def _of_period(name: str, one: Record) -> _Case:
    within, reported = (one.get("containment") or {}).get("within"), contained_in_words(one)
    if within is None:
        return _skipped(name, reported)
    return _Case(name, details=[reported]) if within else _Case(name, "failure", "late", reported)


def _of_step(name: str, one: Record, step: str, evidence: Record) -> _Case:
    entry = one["steps"].get(step)
    if not entry:
        return _skipped(name, "Not read")
    if one["status"] == NOT_DUE:
        return _skipped(name, f"Not due: leaves at {one['left_at']}")
    if one["status"] == DELETED:
        return _skipped(name, reason_of(one["error"]))
    states = dict.fromkeys(one["open"], OPEN) | dict.fromkeys(one["unconfirmed"], UNKNOWN)
    doors = doors_of(step, states)
    opened = [door for door, state in doors.items() if state == OPEN]
    error = entry["error"] or (one["error"] if doors or not one["id"] else None)
    reasons = [reason_of(error)] if error else []
    reasons += [
        entry["reason"]
        for entry in one.get("reasons", ())
        if not doors.keys().isdisjoint(entry["doors"]) and entry["reason"] not in reasons
    ]
    reason = f". {' '.join(reasons)}" if reasons else ""
    details = [f"done: {done_in_words(evidence, step, entry, extra=is_extra(one))}", *_details(one, entry, error)]
    if opened:
        newly = [door for door in opened if door in newly_open(one)]
        since = f" (newly: {', '.join(newly)})" if newly else ""
        return _Case(name, "failure", "open", f"Open: {', '.join(opened)}{since}{reason}", details)
    accepted = _accepted(one, step)
    if accepted and not doors:
        return _skipped(name, accepted)
    if doors:
        return _Case(name, "error", "unconfirmed", f"Not known to be shut: {', '.join(doors)}{reason}", details)
    if not one["id"]:
        return _Case(name, "error", error["code"] if error else FAILED, reason_of(error) if error else FAILED, details)
    if entry["status"] == NOT_APPLICABLE:
        return _skipped(name, entry["note"] or "No such door here")
    return _Case(name, details=details)


def _of_closing(name: str, alone: Record, entry: Record) -> _Case:
    """What was closed besides the doors; `alone` is a result with this topic only."""
    (row,), complaints = rows(alone), not_closed(alone)
    if complaints:
        # Sent and not seen, or not reached: the state is not known.
        unsure = entry["status"] in ("accepted", "pending")
        return _Case(name, "error" if unsure else "failure", entry["status"], complaints[0], _ids(entry["error"]))
    if entry["status"] in ("planned", "not_due", "not_applicable"):
        return _skipped(name, row.strip())
    return _Case(name, details=[row.strip()])


def _of_topic(name: str, one: Record, entry: Record) -> _Case:
    if entry["state"] == NOT_LOOKED_AT:
        return _skipped(name, not_read_in_words(entry))
    if entry["state"] != FOUND:
        return _Case(name)
    found = found_in_words(entry)
    if one["status"] == NOT_DUE:
        return _skipped(name, f"Not due: leaves at {one['left_at']}. Found: {'; '.join(found)}")
    return _Case(name, "failure", "residual", f"Found: {'; '.join(found)}", found)


def _details(one: Record, entry: Record, error: Record | None) -> t.Iterator[str]:
    facts = {
        "status": entry["status"],
        "object id": one["id"],
        "left at": one["left_at"],
        "written at": entry["written_at"],
        "surely shut by": entry["effective_by"],
        "request id": entry["request_id"],
        "note": entry["note"],
        "error": reason_of(entry["error"]) if entry["error"] else None,
    }
    yield from (f"{name}: {value}" for name, value in facts.items() if value)
    yield from _ids(error)


def _ids(error: Record | None) -> list[str]:
    return [f"request id of the error: {error['request_id']}"] if error and error["request_id"] else []
