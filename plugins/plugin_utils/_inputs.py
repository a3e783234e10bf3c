# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables that the playbooks and roles know, and the refusal of those that would be ignored.

Ansible ignores a variable that no task uses, so a typo in ``leavers_file`` or ``left_at`` would go unnoticed. It also
cuts ``-e "leavers=jane@contoso.com, john@contoso.com"`` at the blank, and lets an extra variable win over what a role registers.
"""

from __future__ import annotations

import difflib
import functools
import pathlib
import re
import typing as t

ROLES = ("offboard_employee", "restore_employee")
_CREDENTIALS = tuple(
    f"m365_{name}"
    for name in (
        "tenant_id",
        "client_id",
        "client_secret",
        "certificate_path",
        "certificate_password",
        "federated_token_file",
        "managed_identity",
        "access_token",
        "exchange_access_token",
        "cloud",
    )
)
# The names of the role's variables in the playbooks "offboard" and "audit".
SOURCES = {
    "leavers": "leavers",
    "leavers_file": "leavers_file",
    "leavers_column": "leavers_column",
    "leavers_group": "group",
    "leavers_filter": "filter",
    "leavers_blocked": "blocked",
    "left_before": "left_before",
    "left_at": "left_at",
    "since": "since",
    "contain_within": "contain_within",
    "reason": "reason",
    "ticket": "ticket",
    "approved_by": "approved_by",
    "exceptions": "exceptions",
    "exceptions_file": "exceptions_file",
    "allow_empty": "allow_empty",
}
# What each playbook accepts besides the variables of its role.
PLAYBOOKS: dict[str, tuple[str, ...]] = {
    "offboard": (*SOURCES, "target_hosts", *_CREDENTIALS),
    "audit": (*SOURCES, "target_hosts", *_CREDENTIALS),
    "restore": ("leavers", "evidence", "target_hosts", *_CREDENTIALS),
    "verify_evidence": ("evidence", "expected"),
}
# Prefixes of our variables.
_BEGINNING = re.compile(r"leaver|left|since|targethost|m365|offboardemployee|restoreemployee|allowempty|exception")
# Common wrong names and the right ones: only letters are compared.
_SYNONYMS = {
    "user": "leavers",
    "users": "leavers",
    "employee": "leavers",
    "employees": "leavers",
    "userfile": "leavers_file",
    "usersfile": "leavers_file",
    "csv": "leavers_file",
    "csvfile": "leavers_file",
    "leaveat": "left_at",
    "leavesat": "left_at",
    "leavingat": "left_at",
    "leavedate": "left_at",
    "leavingdate": "left_at",
    "lastday": "left_at",
    "upn": "leavers",
    "userprincipalname": "leavers",
    "enddate": "left_at",
    "host": "target_hosts",
    "hosts": "target_hosts",
    "target": "target_hosts",
    "targets": "target_hosts",
}
# Given elsewhere, and dangerous to ignore: the run would write instead of only reading, or write to a protected account.
_ELSEWHERE = {
    "check": "the option --check",
    "checkmode": "the option --check",
    "dryrun": "the option --check",
    "limit": "the option --limit",
    "protectedusers": "the environment variable M365_PROTECTED_USERS",
    "m365protectedusers": "the environment variable M365_PROTECTED_USERS",
    "offboardemployeeprotectedusers": "the environment variable M365_PROTECTED_USERS",
    "restoreemployeeprotectedusers": "the environment variable M365_PROTECTED_USERS",
}
# Common in surveys and inventories, and harmless if a playbook ignores them.
_OF_MANY = ("reason", "ticket", "approved_by")
# What set_stats of these roles hands to the next node of a workflow, as an extra variable.
_HANDED_ON = re.compile(r"m365_(offboarding|restoration)(_\d+)?$")


def refused(
    role: str,
    playbook: str | None,
    *,
    extra: t.Mapping[str, t.Any],
    repeated: t.Iterable[str],
    seen: t.Iterable[str],
    begun: t.Collection[str],
) -> list[str]:
    """Why the run must not begin: a sentence for each variable that would be ignored, or would replace what the role reads.

    :param playbook: the collection's playbook that runs, None in a play of somebody else's.
    :param extra: the extra variables.
    :param repeated: the names of extra variables that were given twice, with different values.
    :param seen: the names of all variables of this host.
    :param begun: the roles that have run for this host before and left variables of their own.
    """
    sentences = []
    if "_raw_params" in extra:
        sentences.append(_cut(str(extra["_raw_params"])))
    inputs = PLAYBOOKS.get(playbook or "", ())
    for name in sorted(set(repeated) & set(inputs)):
        sentences.append(_twice(name))
    for name in sorted({*extra, *seen}):
        sentence = _complaint(name, role, playbook, given=name in extra, begun=begun)
        if sentence:
            sentences.append(sentence)
    return sentences


class Refused(ValueError):
    """Why a run must not begin, in sentences, the last of them that nothing was sent.

    :param has_sent: whether the run had sent something before it was refused.
    """

    def __init__(self, reasons: str, *, has_sent: bool = False) -> None:
        if not has_sent and "nothing was sent" not in reasons.lower():
            reasons = f"{reasons}{'' if reasons.endswith(('.', '?')) else '.'} Nothing was sent."
        super().__init__(reasons)


def handed_on(kind: str, names: t.Iterable[str]) -> list[str]:
    """The variables that AWX made of the `set_stats` of earlier jobs in a workflow: `offboarding` or `restoration`."""
    return [name for name in names if (found := _HANDED_ON.match(name)) and found.group(1) == kind]


def _twice(name: str) -> str:
    return f"{name} was given twice, with different values: give it once."


def _cut(remainder: str) -> str:
    return (
        f"An extra variable was cut at a space; {remainder!r} was left over and belongs to no variable. Quote the value inside the "
        "option, as in -e \"leavers='jane@contoso.com, john@contoso.com'\", or write JSON, as in "
        '-e \'{"leavers": ["jane@contoso.com", "john@contoso.com"]}\'.'
    )


def _complaint(name: str, role: str, playbook: str | None, *, given: bool, begun: t.Collection[str]) -> str | None:
    for ours in ROLES:
        if name.startswith(f"__{ours}_") or name == f"{ours}_result":
            internal = given or (name.startswith("__") and ours not in begun and name not in constants(ours))
            return f"{name} is set by the role {ours} itself and must not be given." if internal else None
        if name.startswith(f"{ours}_") and (ours == role or given):
            return None if name in options(ours) else _unknown(name, options(ours), _ELSEWHERE.get(_letters(name)))
    if playbook is None or name in PLAYBOOKS[playbook] or name in _OF_MANY or _HANDED_ON.match(name):
        return None
    if any(name in others for others in PLAYBOOKS.values()):
        return f"The playbook {playbook} does not take {name}." if given else None
    known = [*PLAYBOOKS[playbook], *options(role)]
    suggestion = _suggestion(name, known, given=given)
    if not suggestion:
        return None
    return _unknown(name, known, suggestion)


def _suggestion(name: str, known: t.Sequence[str], *, given: bool) -> str | None:
    """The variable that `name` probably stands for.

    An inventory has variables of other roles too: there, only near-certain matches are reported.
    """
    letters = _letters(name)
    if given:
        if letters in _ELSEWHERE:
            return _ELSEWHERE[letters]
        if letters in _SYNONYMS and _SYNONYMS[letters] in known:
            return _SYNONYMS[letters]
        by_bare_letters = {_letters(one.partition("_employee_")[2] or one): one for one in reversed(known)}
        bare = difflib.get_close_matches(
            re.sub(r"^(offboard|restore)(?!ing)", "", letters), by_bare_letters, n=1, cutoff=0.85
        )
        if bare:
            return by_bare_letters[bare[0]]
    begins = bool(_BEGINNING.match(letters))
    by_letters = {_letters(one): one for one in known}
    if not given and not begins:
        return by_letters.get(letters)
    cutoff = 0.5 if given and begins else 0.8
    close = difflib.get_close_matches(letters, by_letters, n=1, cutoff=cutoff)
    if close:
        return by_letters[close[0]]
    return known[0] if given and begins else None


def _unknown(name: str, known: t.Iterable[str], right_name: str | None = None) -> str:
    nearest = [right_name] if right_name else difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    suggestion = f"; did you mean {nearest[0]}?" if nearest else "."
    return f"The variable {name} is not known, and would be ignored{suggestion}"


@functools.cache
def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


@functools.cache
def options(role: str) -> frozenset[str]:
    """The variables in the argument specification of a role."""
    text = pathlib.Path(specification(role)).read_text(encoding="utf-8")
    return frozenset(re.findall(rf"^ +({role}_\w+):", text, re.MULTILINE))


@functools.cache
def constants(role: str) -> frozenset[str]:
    """The internal variables that a role always has, from its file of variables."""
    path = _folder(role) / "vars" / "main.yml"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return frozenset(re.findall(rf"^(__{role}_\w+):", text, re.MULTILINE))


def specification(role: str) -> str:
    """The path of a role's argument specification."""
    return str(_folder(role) / "meta" / "argument_specs.yml")


def _folder(role: str) -> pathlib.Path:
    return pathlib.Path(__file__).resolve().parents[2] / "roles" / role
