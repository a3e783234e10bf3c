# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remote control for tests in other processes: `/_tenant/...` on the Entra listener. No real service answers there.

| request | does |
|---|---|
| GET /_tenant/journal[?writes=true&user=ID&listener=graph] | the journal, as a list |
| DELETE /_tenant/journal | empties it |
| POST /_tenant/reset | everything as on the first day |
| GET /_tenant/people | who lives here: key, id, UPN, kind |
| GET, PATCH /_tenant/users/{key, id, UPN} | a user: `properties`, `mailbox`, `mailbox_delay`, `manager`, `roles`, `groups`, `residual` |
| PATCH /_tenant/users/{key, id, UPN} `{"mailbox_type": "RoomMailbox"}` | what Get-Mailbox says that a mailbox is |
| DELETE /_tenant/users/{key, id, UPN} | into the bin |
| POST /_tenant/crowd `{"count": 100, "group": "leavers"}` | adds ordinary people, to a group where one is named |
| GET /_tenant/groups, PATCH /_tenant/groups/{key, id, name} | the groups; `display_name`, `mail`, `visibility`, `groups` of one |
| POST /_tenant/synchronise | Active Directory wins, as at the next cycle of Entra Connect |
| GET, PATCH /_tenant/settings | the switches of the directory, and `delay` |
| GET, POST, DELETE /_tenant/faults | fault rules (a list of objects), `{"limit_writes": 10, "per": 2}` |
| GET /_tenant/apps/{name}, PATCH, PUT | credentials of an app; its permissions and roles; PUT makes one with exactly these |
| GET /_tenant/certificates/{name} | writes the app's certificate files, answers with their paths |
| GET /_tenant/federated-token/{name} | a token for a federated app |
| GET /_tenant/secrets | everything that must not leak |
| GET /_tenant/crashes | tracebacks of the simulator itself |
| POST /_tenant/expire-tokens | makes all tokens issued so far too old |
| GET, POST /_tenant/tenants `{"domain": "fabrikam.com"}` | the tenants behind these ports; adds one |

`/_tenant/of/{tenant id or domain}/...` is the same for another tenant behind these ports.
"""

from __future__ import annotations

import time
from dataclasses import fields
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from . import people
from .directory import Settings
from .faults import Fault
from .wire import Answer, Call, UnreadableBody

if TYPE_CHECKING:
    from .directory import Group, User
    from .server import Tenant


class Control:
    """The remote control."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant

    async def answer(self, call: Call) -> Answer:
        parts = [unquote(part) for part in call.target.split("/") if part][1:]
        if len(parts) > 1 and parts[0] == "of":
            other = self.tenant.of(parts[1])
            if other is None:
                return Answer(404, {"error": f"no tenant {parts[1]!r}"})
            return await Control(other).perform(call, parts[2:])
        return await self.perform(call, parts)

    async def perform(self, call: Call, parts: list[str]) -> Answer:
        """What the path behind `/_tenant/` says."""
        name, rest = (parts[0].replace("-", "_"), parts[1:]) if parts else ("", [])
        action = getattr(self, f"_{call.method.lower()}_{name}", None)
        if action is None:
            return Answer(404, {"error": f"no {call.method} of {name!r}"})
        try:
            body = call.json() if call.has_body else {}
            result = action(*rest, body=body, query={key: values[0] for key, values in parse_qs(call.query).items()})
        except (LookupError, TypeError, ValueError, AttributeError, UnreadableBody) as error:
            return Answer(400, {"error": f"{type(error).__name__}: {error}"}, {"Content-Type": "application/json"})
        return Answer(200, result if result is not None else {}, {"Content-Type": "application/json"})

    # Journal -----------------------------------------------------------------------------------------------------

    def _get_journal(self, *, query: dict[str, str], **_ignored: Any) -> list[dict[str, Any]]:
        entries = list(self.tenant.journal)
        if query.get("writes") == "true":
            entries = [entry for entry in entries if entry.writes]
        for name in ("user", "listener", "method", "cmdlet"):
            if name in query:
                entries = [entry for entry in entries if getattr(entry, name) == query[name]]
        return [entry.as_dict() for entry in entries]

    def _delete_journal(self, **_ignored: Any) -> None:
        self.tenant.journal.clear()

    def _post_reset(self, **_ignored: Any) -> None:
        self.tenant.reset()

    # People ------------------------------------------------------------------------------------------------------

    def _get_people(self, **_ignored: Any) -> list[dict[str, Any]]:
        found = []
        for key, kind in people.PEOPLE.items():
            user = self.tenant.directory.user(key)
            found.append({"key": key, "id": user.id, "user_principal_name": user.upn, "kind": kind})
        return found

    def _get_users(self, name: str, **_ignored: Any) -> dict[str, Any]:
        return _state(self.tenant.directory.user(name))

    def _patch_users(self, name: str, *, body: dict[str, Any], **_ignored: Any) -> dict[str, Any]:
        user = self.tenant.directory.user(name)
        user.update(body.get("properties") or {})
        if body.get("mailbox"):
            if user.mailbox is None:
                raise LookupError(f"{name} has no mailbox")
            user.mailbox.update(body["mailbox"])
        if body.get("mailbox_type"):
            if user.mailbox is None:
                raise LookupError(f"{name} has no mailbox")
            user.mailbox.kind = str(body["mailbox_type"])
        if "mailbox_delay" in body:  # seconds until Exchange knows the mailbox
            user.mailbox_back = time.monotonic() + float(body["mailbox_delay"])
        if "manager" in body:
            user.manager = body["manager"] and self.tenant.directory.user(body["manager"]).key
        user.roles = set(body.get("roles", user.roles))
        if "groups" in body:
            user.groups = {self.tenant.directory.group(group).id for group in body["groups"]}
        user.residual.change(body.get("residual") or {})
        return _state(user)

    def _delete_users(self, name: str, **_ignored: Any) -> None:
        self.tenant.directory.delete(self.tenant.directory.user(name))

    def _get_groups(self, **_ignored: Any) -> list[dict[str, Any]]:
        return [_group(group) for group in self.tenant.directory.groups.values()]

    def _patch_groups(self, name: str, *, body: dict[str, Any], **_ignored: Any) -> dict[str, Any]:
        group = self.tenant.directory.group(name)
        unknown = sorted(set(body) - {"display_name", "mail", "visibility", "groups"})
        if unknown:
            raise LookupError(f"{', '.join(unknown)} of a group cannot be changed")
        inside = {self.tenant.directory.group(other).id for other in body.get("groups", group.groups)}
        group.display_name = body.get("display_name", group.display_name)
        group.mail, group.visibility = body.get("mail", group.mail), body.get("visibility", group.visibility)
        group.groups = inside
        return _group(group)

    def _post_synchronise(self, **_ignored: Any) -> None:
        self.tenant.directory.synchronise()

    def _post_crowd(self, *, body: dict[str, Any], **_ignored: Any) -> list[dict[str, str]]:
        crowd = self.tenant.directory.add_crowd(int(body["count"]), body.get("group"))
        return [{"key": user.key, "id": user.id, "user_principal_name": user.upn} for user in crowd]

    # Switches ------------------------------------------------------------------------------------------------------

    def _get_settings(self, **_ignored: Any) -> dict[str, Any]:
        directory = self.tenant.directory
        return {
            "delay": self.tenant.delay,
            **{field.name: getattr(directory, field.name) for field in fields(Settings)},
        }

    def _patch_settings(self, *, body: dict[str, Any], **_ignored: Any) -> dict[str, Any]:
        known = self._get_settings()
        unknown = sorted(set(body) - set(known))
        if unknown:
            raise LookupError(f"there is no setting {', '.join(unknown)}")
        for name, value in body.items():
            setattr(self.tenant if name == "delay" else self.tenant.directory, name, value)
        return self._get_settings()

    def _get_faults(self, **_ignored: Any) -> list[dict[str, Any]]:
        return [{"name": rule.name, "seen": rule.seen, "struck": rule.struck} for rule in self.tenant.faults.rules]

    def _post_faults(self, *, body: Any, **_ignored: Any) -> None:
        if isinstance(body, dict) and "limit_writes" in body:
            self.tenant.faults.limit_writes(body["limit_writes"], body["per"], body.get("retry_after"))
            return
        self.tenant.faults.add(*(Fault.from_dict(rule) for rule in (body if isinstance(body, list) else [body])))

    def _delete_faults(self, **_ignored: Any) -> None:
        self.tenant.faults.clear()

    # Credentials ---------------------------------------------------------------------------------------------------

    def _get_apps(self, name: str, **_ignored: Any) -> dict[str, Any]:
        app = self.tenant.app(name)
        return {
            "name": app.name,
            "client_id": app.client_id,
            "object_id": app.object_id,
            "client_secret": app.client_secret,
            "graph": sorted(app.graph),
            "exchange": sorted(app.exchange),
            "roles": sorted(app.roles),
            "exchange_roles": sorted(app.exchange_roles),
            "enabled": app.enabled,
            "environment": self.tenant.environment_of(name),
        }

    def _patch_apps(self, name: str, *, body: dict[str, Any], **_ignored: Any) -> dict[str, Any]:
        app = self.tenant.app(name)
        for key, value in body.items():
            if key in ("graph", "exchange", "roles", "exchange_roles"):
                setattr(app, key, frozenset(value))
            elif key in ("enabled", "secret_expired"):
                setattr(app, key, bool(value))
            else:
                raise LookupError(f"{key} of an app cannot be changed")
        return self._get_apps(name)

    def _put_apps(self, name: str, *, body: dict[str, Any], **_ignored: Any) -> dict[str, Any]:
        self.tenant.add_app(name, **body)
        return self._get_apps(name)

    def _get_certificates(self, name: str = "certificate", **_ignored: Any) -> dict[str, str]:
        return self.tenant.certificate_files(name)

    def _get_federated_token(self, name: str = "federated", **_ignored: Any) -> dict[str, str]:
        return {"token": self.tenant.federated_token(name)}

    def _get_secrets(self, **_ignored: Any) -> list[str]:
        return self.tenant.issued_secrets()

    def _get_crashes(self, **_ignored: Any) -> list[str]:
        return self.tenant.crashes

    def _post_expire_tokens(self, **_ignored: Any) -> None:
        self.tenant.tokens.expire_all()

    # Tenants -------------------------------------------------------------------------------------------------------

    def _get_tenants(self, **_ignored: Any) -> list[dict[str, Any]]:
        return [_tenant(tenant) for tenant in self.tenant.all_tenants]

    def _post_tenants(self, *, body: dict[str, Any], **_ignored: Any) -> dict[str, Any]:
        return _tenant(self.tenant.neighbour(str(body["domain"])))


def _tenant(tenant: Tenant) -> dict[str, Any]:
    return {
        "tenant_id": tenant.tenant_id,
        "domain": tenant.directory.domain,
        "environment": tenant.environment_of("offboarding"),
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "key": group.key,
        "id": group.id,
        "display_name": group.display_name,
        "mail": group.mail,
        "visibility": group.visibility,
        "groups": sorted(group.groups),
    }


def _state(user: User) -> dict[str, Any]:
    return {
        "key": user.key,
        "id": user.id,
        "properties": user.properties,
        "mailbox": user.mailbox.settings if user.mailbox else None,
        "passwords": user.passwords,
        "manager": user.manager,
        "roles": sorted(user.roles),
        "groups": sorted(user.groups),
        "residual": user.residual.as_dict(),
        "sessions_alive": user.sessions_alive,
    }
