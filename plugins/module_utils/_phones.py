# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Phones as objects of a step: their partnerships with a mailbox, which are blocked, and account-only wipes."""

from __future__ import annotations

import typing as t

from ._residual import Finding
from ._service import Call
from ._tenant import Leaver, Tenant, Thing
from ._topics import is_wiped, phone_id, phone_name
from ._user_input import OBJECT_ID

PHONE, WIPE = PHONE_KINDS = ("phone", "phone_wipe")
PHONE_PERMISSION = "Exchange.ManageAsApp"

WIPE_NOTE = (
    "An account-only wipe deletes the data of this mailbox from the phone when the phone next connects. "
    "This cannot be undone."
)
_WIPED = "A wipe of a phone cannot be undone: the user must set up the account on the phone again."
_GONE = "The phone no longer has a partnership with this mailbox."


def phone_thing(finding: Finding) -> Thing:
    """A phone partnership, or a requested wipe.

    :raises ValueError: the answer does not say which phone it is, or whether the mailbox blocks it.
    """
    row = finding.raw
    name = phone_name(row)
    if finding.question.kind == WIPE:
        guid = str(row.get("guid") or "")
        if not OBJECT_ID.match(guid):
            raise ValueError("the id of a phone")
        return Thing(
            f"wipe {guid.lower()}", WIPE, name, {"name": name, "wipe_requested": is_wiped(row)}, raw={"guid": guid}
        )
    identity = phone_id(row)
    if not identity or "kept_out" not in row:
        raise ValueError("whether the mailbox blocks a phone" if identity else "the id of a phone")
    facts = {
        "name": name,
        "operating_system": row.get("deviceos"),
        "client": row.get("clienttype"),
        "access_state": row.get("deviceaccessstate"),
        "blocked": row["kept_out"],
    }
    return Thing(identity, PHONE, name, facts)


def is_kept_out(finding: Finding) -> bool:
    """Whether the mailbox's own list blocks a phone, whatever the organization's rules say."""
    return finding.raw.get("kept_out") is True


def phone_closed(one: Thing) -> dict[str, t.Any]:
    """The facts after the write."""
    return {**(one.facts or {}), ("blocked" if one.kind == PHONE else "wipe_requested"): True}


def close_phone(tenant: Tenant, leaver: Leaver, one: Thing) -> Call:
    if one.kind == WIPE:
        return tenant.exchange.wipe_account(one.raw["guid"])
    return tenant.exchange.block_phone(leaver.known.id, one.key, True)


def reopen_phone(tenant: Tenant, leaver: Leaver, one: Thing) -> Call:
    return tenant.exchange.block_phone(leaver.known.id, one.key, False)


def phone_unfit(one: Thing) -> str | None:
    """Why a phone of the evidence cannot be unblocked."""
    if one.kind == WIPE:
        return _WIPED
    return None if one.facts else _GONE
