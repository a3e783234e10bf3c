# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The content of reports, in words, independent of their format."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import typing as t

from ..module_utils._doors import PROTOCOLS, STEPS, UNKNOWN
from ..module_utils._times import moment_or_none
from ._also import not_closed, rows
from ._evidence import containment_summary
from ._messages import Record, listed, span, what_was_done
from ._results import (
    ACCEPTED,
    CONTAINED,
    DELETED,
    FAILED,
    NOT_DUE,
    OPEN_DOORS,
    PARTIAL,
    REFUSED,
    UNCONFIRMED,
    not_shut,
    shut_at,
)
from ._table import sent_in_words

DOORS = (*STEPS[:3], *PROTOCOLS)
# The state of a door, or `ACCEPTED`. Only a door that was read is shut.
OPEN, UNSURE, UNSEEN, ABSENT, SHUT = "open", "unconfirmed", "unseen", "absent", "shut"

# The worst first.
STATUSES = {
    FAILED: "Failed",
    REFUSED: "Refused",
    OPEN_DOORS: "Open",
    UNCONFIRMED: "Unconfirmed",
    NOT_DUE: "Not due",
    ACCEPTED: "Accepted",
    DELETED: "Deleted",
    PARTIAL: "Not all doors read",
    CONTAINED: "Contained",
}
STEP_NAMES = {"password": "Password", "sessions": "Sessions", "signin": "Sign-in", "protocols": "Mailbox protocols"}
DOOR_NAMES = {
    **STEP_NAMES,
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
DOOR_STATES = {
    SHUT: "shut",
    OPEN: "open",
    UNSURE: "unconfirmed",
    ACCEPTED: "accepted",
    UNSEEN: "not read",
    ABSENT: "no such door",
}


@dataclasses.dataclass(frozen=True)
class ReportedLeaver:
    """A result and its source."""

    record: Record
    place: str
    tenant: Record
    doors: t.Mapping[str, str]

    @property
    def status(self) -> str:
        return str(self.record.get("status"))

    @property
    def name(self) -> str:
        reported = self.record
        return str(
            reported.get("display_name") or reported.get("user_principal_name") or reported.get("user") or "Somebody"
        )

    @property
    def account(self) -> t.Any:
        """The user principal name, or the requested name if no user was found."""
        return self.record.get("user_principal_name") or self.record.get("user")

    @property
    def steps(self) -> t.Mapping[str, Record]:
        return _mappings(self.record.get("steps"))

    @property
    def since(self) -> Record:
        return self.record.get("since") or {}

    @property
    def newly_open(self) -> t.Sequence[str]:
        return self.since.get("newly_open") or ()

    @property
    def shut_again(self) -> t.Sequence[str]:
        return self.since.get("shut_again") or ()

    @property
    def no_longer(self) -> str | None:
        """Why only the earlier evidence knows this leaver: nobody named them this time, and no search found them."""
        return self.since.get("no_longer")

    @property
    def errors(self) -> list[Record]:
        """Each error once: every step has the same refusal."""
        errors = [self.record.get("error"), *(entry.get("error") for entry in self.steps.values())]
        return list({str(error.get("message")): error for error in errors if error}.values())

    @property
    def reasons(self) -> list[Record]:
        """Why doors are open or unconfirmed, without what an error already says."""
        said = {" ".join(filter(None, (error.get("message"), error.get("hint")))) for error in self.errors}
        return [entry for entry in self.record.get("reasons") or () if entry["reason"] not in said]

    @property
    def accepted(self) -> t.Sequence[Record]:
        """The accepted exceptions of this leaver."""
        return self.record.get("accepted") or ()

    @property
    def topics(self) -> t.Mapping[str, Record]:
        return _mappings(self.record.get("residual"))

    @property
    def residual(self) -> list[str]:
        """Topics in which something was found."""
        return [topic for topic, one in self.topics.items() if one.get("state") == "found"]

    def topics_with(self, state: str) -> list[tuple[str, Record]]:
        """Names and entries of the topics in this state. A state that this version does not know is treated as not read."""
        known = [topic for topic in _TOPICS if topic in self.topics]
        order = [*known, *(topic for topic in self.topics if topic not in _TOPICS)]
        states = {topic: self.topics[topic].get("state") for topic in order}
        return [
            (_TOPICS.get(topic, topic), self.topics[topic])
            for topic in order
            if states[topic] == state or (state == "not_looked_at" and states[topic] not in ("found", "none"))
        ]

    @property
    def also(self) -> list[str]:
        """What was closed besides the doors, a line each, or why not."""
        return [*(line.strip() for line in rows(self.record)), *not_closed(self.record)]

    def having(self, *states: str) -> list[str]:
        return [door for door, state in self.doors.items() if state in states]


@dataclasses.dataclass(frozen=True)
class Report:
    """An evidence file, its leavers sorted: those with newly open doors first, then the worst first."""

    record: Record
    tenants: t.Mapping[str, Record]
    leavers: t.Sequence[ReportedLeaver]

    @classmethod
    def of(cls, evidence: Record) -> Report:
        tenants = _mappings(evidence.get("hosts"))
        leavers = [
            ReportedLeaver(reported, place, tenant, seen_doors(reported))
            for place, tenant in tenants.items()
            for reported in tenant.get("leavers") or ()
        ]
        order = list(STATUSES)
        leavers.sort(key=lambda one: (not one.newly_open, order.index(one.status) if one.status in order else -1))
        return cls(evidence, tenants, leavers)

    @property
    def good(self) -> bool:
        """Whether leavers were read, all are contained, and nothing is missing."""
        contained = all(one.status == CONTAINED for one in self.leavers)
        return self.complete and not self.unreached and len(self.leavers) > 0 and contained

    @property
    def comparisons(self) -> list[tuple[str, Record]]:
        """By tenant, the earlier evidence that it was compared with, or could not be; none where the run was given none."""
        return [(place, tenant["since"]) for place, tenant in self.tenants.items() if tenant.get("since")]

    @property
    def compared_with(self) -> list[Record]:
        """The files that were compared with, each once."""
        files = [one for _place, since in self.comparisons for one in since.get("compared_with") or ()]
        return list({str(one.get("file")): one for one in files}.values())

    @property
    def not_comparable(self) -> list[tuple[str, str, list[str]]]:
        """The files that could not be compared with: the path, the reason, and the tenants that it is about."""
        found: dict[tuple[str, str], list[str]] = {}
        for place, since in self.comparisons:
            for one in since.get("not_comparable") or ():
                found.setdefault((str(one.get("file")), str(one.get("reason"))), []).append(place)
        return [(file, reason, places) for (file, reason), places in found.items()]

    @property
    def counts(self) -> t.Mapping[str, int]:
        """How many leavers have which status."""
        return collections.Counter(one.status for one in self.leavers)

    @property
    def opened(self) -> t.Mapping[str, int]:
        """How many leavers have which door open."""
        return collections.Counter(name for one in self.leavers for name in one.having(OPEN))

    @property
    def patterns(self) -> list[tuple[str, ...]]:
        """Each combination of states of doors that some leaver has."""
        return list(dict.fromkeys(tuple(one.doors.values()) for one in self.leavers))

    @property
    def unreached(self) -> list[str]:
        return [place for place, tenant in self.tenants.items() if tenant.get("error")]

    @property
    def complete(self) -> bool:
        return self.record.get("complete") is not False

    @property
    def is_dry_run(self) -> bool:
        """Whether the run shows what would be done. An audit changes nothing with and without check mode."""
        return self.record.get("purpose") != "audit" and bool(self.record.get("check_mode"))

    @property
    def writes(self) -> bool:
        """Whether this run may have changed something."""
        return self.record.get("purpose") != "audit" and not self.record.get("check_mode")

    @property
    def late(self) -> list[ReportedLeaver]:
        """Leavers who were not contained within the period."""
        return [one for one in self.leavers if (one.record.get("containment") or {}).get("within") is False]

    @property
    def only_tenant(self) -> str | None:
        """The name of the first tenant, with that of its host in the inventory behind it."""
        for place, tenant in self.tenants.items():
            return f"{tenant['tenant_name']} ({place})" if tenant.get("tenant_name") else place
        return None

    @property
    def chain(self) -> t.Sequence[Record]:
        """The earlier evidence that the run was given."""
        return self.record.get("chain") or ()

    @property
    def run(self) -> Record:
        return self.record.get("run") or {}


def _mappings(value: t.Any) -> dict[str, Record]:
    """Mappings by name, empty ones for what is missing: evidence may have been written by another version, or by hand."""
    return {str(name): inner or {} for name, inner in (value or {}).items()}


# --- doors ---


def seen_doors(result: Record) -> dict[str, str]:
    """Each door of a leaver: open, shut, unconfirmed, accepted, unseen or absent. Shut needs a read that proves it."""
    known = {door: UNSURE if state == UNKNOWN else state for door, state in not_shut(result).items()}
    return {door: known.get(door) or _seen(result, door) for door in DOORS}


def _seen(result: Record, door: str) -> str:
    step = door if door in STEPS else "protocols"
    entry = (result.get("steps") or {}).get(step)
    if (
        result.get("status") == DELETED
        or not result.get("id")
        or entry is None
        or {door, step} & set(result.get("not_looked_at") or ())
    ):
        return UNSEEN
    if entry.get("status") == "not_applicable":
        return ABSENT
    seen = [facts for facts in (entry.get("before"), entry.get("after")) if facts is not None]
    if not seen:
        return UNSEEN
    # A tenant may not have the newest switches.
    return ABSENT if step == "protocols" and not any(door in facts for facts in seen) else SHUT


def _is_shut(one: ReportedLeaver, step: str) -> bool:
    own = [one.doors[door] for door in (PROTOCOLS if step == "protocols" else (step,))]
    return SHUT in own and set(own) <= {SHUT, ABSENT}


def doors_in_words(one: ReportedLeaver) -> str:
    """The chart as text, for screen readers: open doors by name, shut ones by number."""
    reported = [
        f"{DOOR_STATES[state].capitalize()}: {_doors_in_short(doors)}."
        for state in (OPEN, UNSURE, ACCEPTED, UNSEEN)
        if (doors := one.having(state))
    ]
    shut, there = len(one.having(SHUT)), len(DOORS) - len(one.having(ABSENT))
    if shut:
        reported.append(
            f"{shut} of {number(there, 'door')} shut." if shut < there else f"Shut: {number(there, 'door')}."
        )
    return " ".join(reported)


def compared_in_words(report: Report) -> tuple[str, str, str] | None:
    """What came of a comparison: the kind of banner, what stands out, and the rest; `None` where there was none."""
    newly = sum(1 for one in report.leavers if one.newly_open)
    if not (report.comparisons or newly):
        return None
    files = [str(one.get("file")) for one in report.compared_with]
    compared = f"Compared with {_in_short(files) or 'earlier evidence'}."
    again = sum(1 for one in report.leavers if one.shut_again)
    extra = sum(1 for one in report.leavers if one.no_longer)
    useless = len({file for file, _reason, _places in report.not_comparable})
    rest = [f"Doors of {number(again, 'leaver')} had to be shut again."] if again else []
    rest += [f"{number(extra, 'leaver')} {'is' if extra == 1 else 'are'} no longer named or found."] if extra else []
    rest += [f"{number(useless, 'file')} {'is' if useless == 1 else 'are'} not comparable."] if useless else []
    if newly:
        kind, title = "alarm", "Newly open since the earlier evidence."
        have = "has" if newly == 1 else "have"
        rest[:0] = [compared, f"{number(newly, 'leaver')} {have} doors that were shut then. They come first."]
    elif files:
        kind, title = "info", compared
        rest.insert(0, "No door of these leavers is newly open.")
    else:
        kind, title = "warn", "Not comparable."
        rest.insert(0, "No earlier evidence could be compared with, so this does not say whether a door is newly open.")
    return kind, title, " ".join(rest)


def _in_short(files: t.Sequence[str]) -> str:
    """Names of files, the first few of many."""
    return ", ".join(files[:_FILES]) + (f" and {len(files) - _FILES} more" if len(files) > _FILES else "")


# Of more files than these, a line names only the first.
_FILES = 3


def opened_in_words(report: Report) -> str:
    """How many of which door are open, in the order of the doors."""
    opened = report.opened
    return ", ".join(f"{DOOR_NAMES[door]} {opened[door]}" for door in DOORS if opened[door]) or "none"


def protocols_in_words(facts: t.Mapping[str, bool | None]) -> str:
    """Which switches of a mailbox are on, not set and off, as in "on: all 12"."""
    sides = {"on": True, "not set": None, "off": False}
    reported = {side: [door for door, on in facts.items() if on is value] for side, value in sides.items()}
    return "; ".join(
        f"{side}: all {len(doors)}" if len(doors) == len(facts) else f"{side}: {doors_named(doors)}"
        for side, doors in reported.items()
        if doors
    )


def _doors_in_short(doors: t.Sequence[str]) -> str:
    """Names of doors; all protocols of a mailbox go by one name."""
    if len(doors) == len(DOORS):
        return f"all {len(DOORS)} doors"
    if set(PROTOCOLS) <= set(doors):
        doors = [*(door for door in doors if door not in PROTOCOLS), "protocols"]
    return doors_named(doors)


def doors_named(doors: t.Iterable[str]) -> str:
    return ", ".join(DOOR_NAMES.get(door, str(door)) for door in doors)


# --- the verdict ---


def verdict(report: Report) -> tuple[str, str | None]:
    """The verdict in one line, with what an offboarding did not send, and the other reasons why leavers are not contained."""
    total = len(report.leavers)
    rest: list[str] = []
    if total:
        reported, *rest = _counted(report)
    else:
        reported = "No user was read"
    if not report.complete:
        reported = f"So far: {reported[0].lower()}{reported[1:]}"
    if report.unreached:
        rest.append(f"{number(len(report.unreached), 'tenant')} could not be read")
    sent = _sent(report)
    reported += f". {sent[0].upper()}{sent[1:]}" if sent else ""
    more = listed(rest)
    return f"{reported}.", f"{more[0].upper()}{more[1:]}." if more else None


def _sent(report: Report) -> str:
    """What a complete offboarding did not send, empty if that goes without saying."""
    if not report.complete or report.record.get("purpose") != "offboard":
        return ""
    if not report.leavers:
        return "nothing was sent" if report.unreached else ""
    return sent_in_words((one.record for one in report.leavers), check_mode=report.is_dry_run)


def _counted(report: Report) -> list[str]:
    """A sentence with the worst, then the others."""
    total, counts = len(report.leavers), collections.Counter(map(_sort_of, report.leavers))
    contained = counts.pop(CONTAINED, 0)
    if contained == total:
        looked_at = " that were read" if report.unreached else ""
        return [f"All {total:,} leavers{looked_at} are contained" if total > 1 else "The leaver is contained"]
    worst, *rest = [f"{counts[sort]:,} {_SORTS[sort][counts[sort] > 1]}" for sort in _SORTS if counts[sort]]
    if total == 1:
        (sort,) = counts
        return [f"The leaver is not contained: {_SORTS[sort][2]}"]
    return [f"{contained or 'None'} of {total:,} leavers {'is' if contained == 1 else 'are'} contained; {worst}", *rest]


# Why a leaver is not contained, in words for one, for several, and for the only one.
_SORTS = {
    OPEN: ("has open doors", "have open doors", "doors are open"),
    UNSURE: ("has unconfirmed doors", "have unconfirmed doors", "doors are unconfirmed"),
    FAILED: ("could not be read", "could not be read", "the doors could not be read"),
    NOT_DUE: ("is not due", "are not due", "the leave date is in the future"),
    ACCEPTED: ("is accepted", "are accepted", "the open doors are accepted"),
    DELETED: ("was deleted", "were deleted", "the account was deleted"),
    PARTIAL: ("was read in part", "were read in part", "not all doors were read"),
}


def _sort_of(one: ReportedLeaver) -> str:
    if one.status == CONTAINED:
        return CONTAINED
    if one.status in (NOT_DUE, ACCEPTED, DELETED):
        return one.status
    if one.having(OPEN):
        return OPEN
    if one.having(UNSURE):
        return UNSURE
    return PARTIAL if one.status == PARTIAL else FAILED


# --- who asked for it, and what was done ---


def done_in_words(evidence: Record, step: str, entry: Record, *, extra: t.Any) -> str:
    """What a step did for a leaver, as `what_was_done` says it.

    :param extra: whether the leaver is known only from the earlier evidence, and is looked at whatever the run does for others.
    """
    purpose = "audit" if extra else str(evidence.get("purpose"))
    check_mode = bool(evidence.get("check_mode"))
    return what_was_done(step, str(entry.get("status")), purpose=purpose, check_mode=check_mode)


def found_in_words(entry: Record) -> list[str]:
    """What was found in a topic of residual access, and the note, which says what was not read."""
    return [*(one["text"] for one in entry["found"]), *filter(None, [entry["note"]])]


def not_read_in_words(entry: Record) -> str:
    """Why a topic of residual access was not looked at."""
    reason = f": {entry['error']['message']}" if entry["error"] else ""
    return f"not read, needs {entry['permission']}{reason}"


def asked_in_words(report: Report) -> list[tuple[str, str | None]]:
    """The users who started and approved the run, as pairs of a label and a text, `None` if not known."""
    run = report.run
    job = " ".join(filter(None, (run.get("job_id") and f"#{run['job_id']}", run.get("job_template"))))
    workflow = run.get("workflow_job_id")
    # AWX does not pass the approver to its jobs.
    keeps = f"see the approval in workflow job #{workflow}" if workflow else None
    return [
        ("Job", job or None),
        ("Workflow job", f"#{workflow}" if workflow else None),
        ("Launched by", run.get("launched_by")),
        ("Run by (operating system)", run.get("os_user")),
        ("Approved by (as given)" if run.get("approved_by") else "Approved by", run.get("approved_by") or keeps),
        ("Ticket", run.get("ticket")),
        ("Reason", run.get("reason")),
    ]


# --- time to contain ---


def times_in_words(tenants: t.Collection[Record]) -> list[tuple[str, str]]:
    """Median and worst time to contain of all leavers, and how many kept to the period, as pairs of a label and a text."""
    leavers = [one for tenant in tenants for one in tenant.get("leavers") or ()]
    periods = {tenant["contain_within"] for tenant in tenants if tenant.get("contain_within")}
    whole = containment_summary(leavers)
    pairs = []
    for name, label in (("last_write", "Left to last write"), ("surely_shut", "Left to surely shut")):
        spread = whole[name]
        if spread["known"]:
            median, worst = (
                span(datetime.timedelta(seconds=spread[f"{fact}_seconds"])) for fact in ("median", "worst")
            )
            pairs.append((label, f"median {median}, worst {worst} (known of {spread['known']:,} of {len(leavers):,})"))
    if periods:
        reported = f"{whole['within']:,} within, {whole['beyond']:,} beyond, {whole['not_known']:,} not known"
        pairs.append((f"Period of {' and '.join(sorted(periods))}", reported))
    return pairs


# --- the timeline ---


@dataclasses.dataclass(frozen=True)
class Event:
    """`kind` is past, sent (and not confirmed) or sure; `after` is the time since leaving, as text."""

    moment: str
    label: str
    kind: str
    after: str | None = None


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


def timeline(one: ReportedLeaver) -> list[Event]:
    """Only what is known: who was shut out earlier has no moment for sign-in and protocols."""
    left = moment_or_none(one.record.get("left_at")) if one.status != NOT_DUE else None
    events = sorted(_events(one), key=lambda event: _sortable(event.moment))
    return [dataclasses.replace(event, after=_after(left, moment_or_none(event.moment))) for event in events]


def _after(left: datetime.datetime | None, moment: datetime.datetime | None) -> str | None:
    return f"{span(moment - left)} after leaving" if left and moment and moment > left else None


def _events(one: ReportedLeaver) -> t.Iterator[Event]:
    if one.record.get("left_at"):
        yield Event(one.record["left_at"], "Leaves" if one.status == NOT_DUE else "Left", "past")
    for step, entry in one.steps.items():
        shut = _is_shut(one, step)
        moment = shut_at(step, entry) if shut else entry.get("written_at")
        if moment:
            yield Event(moment, (_DONE if shut else _SENT)[step], "past" if shut else "sent")
    sure = _sure_moments(one)
    if sure:
        names = "" if surely_shut_by(one) else f": {', '.join(STEP_NAMES[step].lower() for step in sure)}"
        yield Event(max(sure.values(), key=_sortable), f"Surely shut by{names}", "sure")


def _sure_moments(one: ReportedLeaver) -> dict[str, str]:
    """When the shut doors of each step are certainly shut according to Microsoft."""
    steps = {step: entry.get("effective_by") for step, entry in one.steps.items() if _is_shut(one, step)}
    return {step: moment for step, moment in steps.items() if moment}


def surely_shut_by(one: ReportedLeaver) -> str | None:
    """When the last door is certainly shut, if that is known for all of them."""
    sure = _sure_moments(one)
    shut = [step for step in one.steps if _is_shut(one, step)]
    if one.status not in (CONTAINED, PARTIAL) or not sure or len(sure) < len(shut):
        return None
    return max(sure.values(), key=_sortable)


# --- moments and numbers ---


_EPOCH = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)


def _sortable(value: str) -> datetime.datetime:
    return moment_or_none(value) or _EPOCH


def number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
