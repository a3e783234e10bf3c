# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks the questions of `_topics` about leavers, and joins the answers.

"None" is reported only where every question of the topic was answered and every object was judged.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ._destinations import Organization, address_of
from ._doors import MAILBOX_MISSING, NO_MAILBOX
from ._errors import OffboardingError, internal_error
from ._service import Service
from ._tenant import Leaver, Tenant
from ._topics import (
    EXCHANGE_PERMISSION,
    TO_CLOSE,
    TOPICS,
    Answers,
    Forwarding,
    Item,
    Question,
    Scene,
    chosen_topics,
    named_targets,
)

NONE, FOUND, NOT_LOOKED_AT = "none", "found", "not_looked_at"

# Exchange's answers about mailboxes are long: this many at once are some dozens of megabytes.
_AT_ONCE = 500


def residual_access(tenant: Tenant, leavers: t.Sequence[Leaver], topics: t.Collection[str]) -> list[dict[str, Item]]:
    """Return each leaver's residual access by topic. A topic never fails: it is then reported as not read.

    :param leavers: leavers that are known to exist.
    """
    results: list[dict[str, Item]] = [{} for _leaver in leavers]
    for start in range(0, len(leavers), _AT_ONCE):
        shared = _SharedAnswers(tenant, leavers[start : start + _AT_ONCE])
        for topic in chosen_topics(topics):
            answers = [(question, shared.answers(question)) for question in TOPICS[topic]]
            scene = shared.scene(topic, [answer for _question, answer in answers])
            for index, leaver in enumerate(shared.leavers):
                own = [(question, answer[index]) for question, answer in answers]
                results[start + index][topic] = _tell(leaver, own, scene)
    return results


@dataclasses.dataclass(frozen=True)
class Finding:
    """An object in the answer to a question, and what is residual in it: nothing, if `items` is empty."""

    question: Question
    raw: Item
    items: tuple[Item, ...]


@dataclasses.dataclass(frozen=True)
class Findings:
    """The answers to the questions of some topics, about one leaver.

    :param errors: by kind of object, why not all of them are known.
    :param mailbox: false if Exchange Online has no mailbox of this leaver.
    """

    found: tuple[Finding, ...]
    errors: t.Mapping[str, OffboardingError]
    mailbox: bool = True


def findings(
    tenant: Tenant, leavers: t.Sequence[Leaver], topics: t.Collection[str], forwarding: Forwarding | None = None
) -> list[Findings]:
    """What `residual_access` judges, with the objects themselves, for the steps that close them. Nothing is raised.

    :param forwarding: which forwarding is to be closed as well.
    """
    results: list[Findings] = []
    for start in range(0, len(leavers), _AT_ONCE):
        shared = _SharedAnswers(tenant, leavers[start : start + _AT_ONCE])
        answers: list[tuple[Scene, Question, Answers]] = []
        for topic in (name for name in dict.fromkeys([*TO_CLOSE, *TOPICS]) if name in topics):
            own = [(question, shared.answers(question)) for question in TO_CLOSE.get(topic) or TOPICS[topic]]
            scene = shared.scene(topic, [answer for _question, answer in own], forwarding)
            answers += [(scene, question, answer) for question, answer in own]
        for index, leaver in enumerate(shared.leavers):
            results.append(_findings(leaver, [(scene, question, own[index]) for scene, question, own in answers]))
    return results


def _findings(
    leaver: Leaver, answers: t.Sequence[tuple[Scene, Question, list[Item] | OffboardingError | None]]
) -> Findings:
    found: list[Finding] = []
    errors: dict[str, OffboardingError] = {}
    for scene, question, answer in answers:
        if isinstance(answer, OffboardingError):
            errors.setdefault(question.kind, question.explain(answer, leaver.name))
        for raw in answer if isinstance(answer, list) else ():
            items: list[Item] = []
            error = _safely(lambda: _judge(question, raw, scene, items))  # noqa: B023 (called at once)
            if error:
                errors.setdefault(question.kind, question.explain(error, leaver.name))
            if items or not error:
                found.append(Finding(question, raw, tuple(items)))
    mailbox = not any(answer is None for _scene, _question, answer in answers)
    return Findings(tuple(found), errors, mailbox)


class _SharedAnswers:
    """Asks each question once, about the leavers that it concerns."""

    def __init__(self, tenant: Tenant, leavers: t.Sequence[Leaver]) -> None:
        self._tenant = tenant
        self.leavers = leavers
        self._answers: dict[t.Callable[..., Answers], Answers] = {}
        self._with_mailbox = {index for index, leaver in enumerate(leavers) if leaver.mailbox}
        self._without_mailbox = {
            index for index, leaver in enumerate(leavers) if leaver.lacks_mailbox and not leaver.awaits_mailbox
        }

    def answers(self, question: Question) -> Answers:
        """One per leaver. Two questions that read the same are asked once."""
        if question.read not in self._answers:
            self._answers[question.read] = self._ask(question)
        return self._answers[question.read]

    def scene(self, topic: str, answers: t.Sequence[Answers], forwarding: Forwarding | None = None) -> Scene:
        """What the judgement of a topic needs, once for all leavers.

        :param answers: what the questions of the topic were answered with.
        """
        now = self._tenant.graph.now or datetime.datetime.now(datetime.timezone.utc)
        if topic != "forwarding" or len(self._without_mailbox) == len(self.leavers):
            return Scene(now)
        names = list({target.recipient.lower(): target.recipient for target in named_targets(answers)}.values())
        error = self._missing(TOPICS[topic][0])
        if error is None:
            found = _safely(lambda: self._organization(names))
            if not isinstance(found, OffboardingError):
                return Scene(now, found, forwarding or Forwarding())
            error = found
        return Scene(now, Organization(error, dict.fromkeys(map(str.lower, names), error)), forwarding or Forwarding())

    def _organization(self, names: t.Sequence[str]) -> Organization:
        """Its domains, and where mail to these recipients of its directory goes."""
        exchange = self._tenant.exchange
        domains = exchange.accepted_domains
        recipients = {
            name.lower(): address_of(row) if isinstance(row, dict) else row
            for name, row in zip(names, exchange.find_recipients(names), strict=True)
        }
        return Organization(domains, recipients)

    def _ask(self, question: Question) -> Answers:
        answers: Answers = [None] * len(self.leavers)
        passed_over = self._without_mailbox if question.of_mailbox else ()
        concerned = [index for index in range(len(self.leavers)) if index not in passed_over]
        if concerned:
            read = self._read(question, [self.leavers[index] for index in concerned])
            for index, answer in zip(concerned, read, strict=True):
                answers[index] = self._agreed(index, answer) if question.of_mailbox else answer
        return answers

    def _read(self, question: Question, leavers: t.Sequence[Leaver]) -> Answers:
        error = self._missing(question)
        if error is None:
            read = _safely(lambda: question.read(self._tenant, leavers))
            if not isinstance(read, OffboardingError):
                return read
            error = read
        return [error for _leaver in leavers]

    def _agreed(self, index: int, answer: list[Item] | OffboardingError | None) -> list[Item] | OffboardingError | None:
        """The answer, or an error if the mailbox exists for one cmdlet and not for another."""
        if answer is None and index in self._with_mailbox:
            return OffboardingError(
                "Exchange Online reports that there is no such mailbox, although it returned the mailbox before."
            )
        if answer is None and dataclasses.replace(self.leavers[index], mailbox_read=True, mailbox=None).awaits_mailbox:
            return OffboardingError(MAILBOX_MISSING)
        if not isinstance(answer, OffboardingError):
            (self._without_mailbox if answer is None else self._with_mailbox).add(index)
        return answer

    def _missing(self, question: Question) -> OffboardingError | None:
        """The error if the token shows that the question would be refused; then it is not asked."""
        service: Service = self._tenant.exchange if question.permission == EXCHANGE_PERMISSION else self._tenant.graph
        granted = service.permissions
        if granted is None or (granted and not question.sufficient) or not granted.isdisjoint(question.sufficient):
            return None
        return OffboardingError(
            f"The application lacks the permission {question.permission}.",
            code="missing_permission",
            hint="Grant it with an administrator's consent, or leave this topic out.",
        )


Result = t.TypeVar("Result")


def _safely(work: t.Callable[[], Result]) -> Result | OffboardingError:
    """Run `work` and return its result or the error: a topic that fails must not hide the doors."""
    try:
        return work()
    except Exception as exc:
        return exc if isinstance(exc, OffboardingError) else internal_error(exc)


def _tell(
    leaver: Leaver, answers: t.Sequence[tuple[Question, list[Item] | OffboardingError | None]], scene: Scene
) -> Item:
    found: list[Item] = []
    errors: dict[Question, OffboardingError] = {}
    notes = [NO_MAILBOX] if any(answer is None for _question, answer in answers) else []
    for question, answer in answers:
        if isinstance(answer, OffboardingError):
            errors[question] = answer
        for item in answer if isinstance(answer, list) else ():
            error = _safely(lambda: _judge(question, item, scene, found))  # noqa: B023 (called at once)
            if error:
                errors.setdefault(question, error)
    if errors and (found or len(errors) < len(answers)):
        notes.append(f"Not read: {', '.join(question.what for question in errors)}.")
    explained = [question.explain(error, leaver.name) for question, error in errors.items()]
    return {
        "state": FOUND if found else NOT_LOOKED_AT if errors else NONE,
        "found": found,
        "note": " ".join(notes) or None,
        "permission": " and ".join(dict.fromkeys(question.permission for question, _answer in answers)),
        "error": explained[0].as_record() if explained else None,
    }


def _judge(question: Question, item: Item, scene: Scene, found: list[Item]) -> OffboardingError | None:
    """Add the findings of an object to `found`, up to the first gap."""
    try:
        for one in question.judge(item, scene):
            found.append(one)  # one by one: findings before a gap are kept
    except ValueError as exc:
        return OffboardingError(
            f"Microsoft's answer does not show {exc}.",
            code="limited_information",
            hint=f"It needs the permission {question.permission}.",
        )
    return None
