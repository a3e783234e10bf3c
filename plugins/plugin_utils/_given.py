# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables that a run is given: from the command line, converted by the argument specification of a role."""

from __future__ import annotations

import typing as t

from ansible import context
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.splitter import parse_kv, split_args
from ansible.utils.vars import load_extra_vars

from ._inputs import ROLES, SOURCES, refused

_RULES = ("type", "elements", "choices", "default")


def typed(
    role: str,
    given: t.Mapping[str, t.Any],
    sources: t.Mapping[str, t.Any],
    spec: t.Mapping[str, t.Any],
    complaints: list[str],
    *,
    raw: t.Collection[str],
) -> dict[str, t.Any]:
    """The variables of a role, converted to their types, by their names without the role's.

    A value that cannot be converted is a complaint, and is treated as not given.

    :param given: the role's variables, without its name.
    :param sources: the playbook's own variables (`SOURCES`), which win over those of the role unless they are empty.
    :param spec: the role's argument specification.
    :param raw: variables that are not converted: a name or a path with a comma is not a list.
    """
    own = {SOURCES[name]: name for name, value in sources.items() if value is not None and value != ""}
    values = {**given, **{option: sources[name] for option, name in own.items()}}
    found: dict[str, t.Any] = {}
    for option, rules in spec.items():
        name = option.removeprefix(f"{role}_")
        value = values.get(name)
        if name in raw:
            found[name] = rules.get("default") if value is None else value
            continue
        shown = own.get(name, option)
        arguments = {} if value is None or (value == "" and rules["type"] == "bool") else {shown: value}
        validator = ArgumentSpecValidator({shown: {key: rules[key] for key in _RULES if key in rules}})
        validated = validator.validate(arguments)
        if validated.error_messages:
            complaints += [str(one) for one in validated.error_messages]
            validated = validator.validate({})
        found[name] = validated.validated_parameters.get(shown)
    return found


def complaints(role: str, playbook: str | None, known: t.Mapping[str, t.Any], loader: t.Any) -> list[str]:
    """The result of `refused` for this run, with the variables of the command line.

    :param known: the variables of this host.
    :param loader: Ansible's loader of files.
    """
    return refused(
        role,
        playbook,
        extra=load_extra_vars(loader),
        repeated=_repeated(loader),
        seen=list(known),
        # Registered by the roles themselves, and refused as extra variables.
        begun=[one for one in ROLES if f"__{one}_request" in known],
    )


def _repeated(loader: t.Any) -> set[str]:
    """The extra variables that the command line gives twice, with different values; files are left out."""
    first: dict[str, t.Any] = {}
    repeated = set()
    for option in context.CLIARGS.get("extra_vars") or ():
        for name, value in _given(str(option), loader):
            if name in first and first[name] != value:
                repeated.add(name)
            first[name] = value
    return repeated


def _given(option: str, loader: t.Any) -> t.Iterator[tuple[str, t.Any]]:
    if option[:1] in ("[", "{"):
        values = loader.load(option)
        yield from values.items() if isinstance(values, dict) else ()
    elif option[:1] != "@":
        for part in split_args(option):
            yield from parse_kv(part).items()
