# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence as CSV (RFC 4180), for spreadsheets: one row per leaver."""

from __future__ import annotations

import csv
import io
import re
import typing as t

from ..module_utils._doors import STEPS
from ..module_utils._residual import FOUND, NOT_LOOKED_AT
from ..module_utils._topics import TOPICS
from ._also import not_closed, rows
from ._earlier import is_extra, newly_open
from ._exceptions import accepted_in_words, unmatched
from ._messages import NOT_DONE, Record, errors_of, reason_of, reasons_of
from ._report_model import done_in_words, found_in_words, not_read_in_words
from ._results import FAILED

# Without a byte order mark, Excel assumes the legacy encoding of Windows and garbles names.
_BYTE_ORDER_MARK = "\ufeff"


def as_csv(evidence: Record) -> str:
    """One row per leaver, and one per tenant that could not be read; RFC 4180, UTF-8 with a byte order mark."""
    text = io.StringIO(newline="")
    text.write(_BYTE_ORDER_MARK)
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for host, tenant in evidence["hosts"].items():
        where = {"host": host, **_of_run(evidence, tenant)}
        if tenant["error"]:
            writer.writerow(_cells({**where, "status": FAILED, "contained": False, **_reported([tenant["error"]])}))
        for one in tenant["leavers"]:
            writer.writerow(_cells({**where, **_columns(one, evidence)}))
        for line in unmatched(tenant.get("exceptions") or ()):
            writer.writerow(_cells({**where, "status": "exception", "notes": line}))
    return text.getvalue()


_FACTS = ("user", "user_principal_name", "display_name", "id", "left_at", "status", "contained")
_DOORS = ("open", "unconfirmed", "not_looked_at")
_OF_STEP = ("status", "done", "written_at", "effective_by")
_OF_TENANT = ("tenant_id", "tenant_name", "application_name")
_OF_CONTAINMENT = ("last_write_at", "surely_shut_by", "seconds_to_last_write", "seconds_to_surely_shut", "within")
_SPREAD = tuple(
    f"{fact}_to_{name}" for name in ("last_write", "surely_shut") for fact in ("median_seconds", "worst_seconds")
)
_OF_FILE = ("purpose", "check_mode", "complete", "written_at")
_ASKED = ("launched_by", "os_user", "approved_by", "reason", "ticket")
_OF_JOB = ("started_at", "job_id", "job_template", "workflow_job_id", *_ASKED)
_OF_PERSON = ("department", "job_title", "manager", "user_type", "created", "hired", "password_changed")
_COLUMNS = (
    "host",
    *_OF_TENANT,
    *_FACTS,
    *_DOORS,
    *(f"{step}_{fact}" for step in STEPS for fact in _OF_STEP),
    "notes",
    "error",
    "request_ids",
    *(f"residual_{topic}" for topic in TOPICS),
    "also",
    "newly_open",
    *(f"person_{fact}" for fact in _OF_PERSON),
    *_OF_CONTAINMENT,
    "contain_within",
    *_SPREAD,
    "beyond",
    *(f"run_{fact}" for fact in (*_OF_FILE, *_OF_JOB)),
    "accepted",
    "mailbox_type",
)


def _of_run(evidence: Record, tenant: Record) -> dict[str, t.Any]:
    """The columns about the run and the tenant in each row, so that rows of several files can be distinguished in one sheet."""
    times = tenant.get("containment") or {}
    return {
        **{fact: tenant.get(fact) for fact in (*_OF_TENANT, "contain_within")},
        **{
            f"{fact}_to_{name}": (times.get(name) or {}).get(fact)
            for name in ("last_write", "surely_shut")
            for fact in ("median_seconds", "worst_seconds")
        },
        "beyond": times.get("beyond") if tenant.get("contain_within") else None,
        **{f"run_{fact}": evidence[fact] for fact in _OF_FILE},
        **{f"run_{fact}": evidence["run"].get(fact) for fact in _OF_JOB},
    }


def _columns(one: Record, evidence: Record) -> dict[str, t.Any]:
    steps = {
        step: {**entry, "done": done_in_words(evidence, step, entry, extra=is_extra(one))}
        for step, entry in one["steps"].items()
    }
    written = [f"{step} {entry['request_id']}" for step, entry in one["steps"].items() if entry["request_id"]]
    return {
        **{fact: one[fact] for fact in _FACTS},
        **{fact: ", ".join(one[fact]) for fact in _DOORS},
        **{f"{step}_done": NOT_DONE for step in STEPS if step not in steps},
        **{f"{step}_{fact}": entry[fact] for step, entry in steps.items() for fact in _OF_STEP},
        "notes": " ".join(_notes(one)),
        **_reported(errors_of(one), written, reasons_of(one)),
        **{f"residual_{topic}": _residual_cell(entry) for topic, entry in one["residual"].items()},
        "also": " ".join([*(f"{line.strip()}." for line in rows(one)), *not_closed(one)]),
        "newly_open": ", ".join(newly_open(one)),
        **_person_cells(one.get("person") or {}),
        **{fact: (one.get("containment") or {}).get(fact) for fact in _OF_CONTAINMENT},
        "accepted": "; ".join(map(accepted_in_words, one.get("accepted") or ())),
        "mailbox_type": one.get("mailbox_type"),
    }


def _person_cells(person: Record) -> dict[str, t.Any]:
    manager = person.get("manager") or {}
    cells = {
        **{fact: person.get(fact) for fact in ("department", "job_title", "user_type")},
        "manager": manager.get("display_name") or manager.get("user_principal_name"),
        "created": person.get("created_date_time"),
        "hired": person.get("employee_hire_date"),
        "password_changed": person.get("last_password_change_date_time"),
    }
    return {f"person_{fact}": cell for fact, cell in cells.items()}


def _notes(one: Record) -> list[str]:
    return list(dict.fromkeys(entry["note"] for entry in one["steps"].values() if entry["note"]))


def _reported(
    errors: t.Sequence[Record], request_ids: t.Sequence[str] = (), reasons: t.Sequence[str] = ()
) -> dict[str, str]:
    """What errors say, and Microsoft's ids of requests: of the writes by step, of errors by code.

    :param reasons: further reasons for doors that are not shut.
    """
    of_errors = [f"{error['code']} {error['request_id']}" for error in errors if error["request_id"]]
    return {
        "error": " ".join([*map(reason_of, errors), *reasons]),
        "request_ids": ", ".join([*request_ids, *of_errors]),
    }


def _residual_cell(entry: Record) -> str:
    if entry["state"] == FOUND:
        return f"found: {'; '.join(found_in_words(entry))}"
    return not_read_in_words(entry) if entry["state"] == NOT_LOOKED_AT else str(entry["state"])


def _cells(row: Record) -> dict[str, str]:
    return {column: _cell(value) for column, value in row.items()}


def _cell(value: t.Any) -> str:
    """A value as the text of a cell, on one line, that no spreadsheet takes for a formula.

    Spreadsheets calculate a cell that begins with `=`, `+`, `-` or `@`, blanks before it or not, and names come
    from anyone who may edit them. Such a cell gets an apostrophe before that character: then it is text. So does what
    follows a semicolon, where a spreadsheet that separates cells by semicolons would begin one. Control characters,
    tabs and line breaks among them, become blanks.
    https://owasp.org/www-community/attacks/CSV_Injection
    """
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return _FORMULA.sub(r"\1'\2", _CONTROL.sub(" ", _SURROGATE.sub("\ufffd", text)))


# Half of a surrogate pair has no encoding.
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# The four in every width and size that Unicode has, and the real minus.
_TRIGGERS = "=\u207c\u208c\ufe66\uff1d+\u207a\u208a\ufb29\ufe62\uff0b@\ufe6b\uff20\u207b\u208b\u2212\ufe63\uff0d-"
# Blanks, quotes and all that does not show: a spreadsheet may skip anything but letters and digits before a formula.
_FORMULA = re.compile(rf"((?:^|;)[^\w;]*?)([{_TRIGGERS}])")
