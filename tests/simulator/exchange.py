# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Exchange Online's admin interface: `InvokeCommand`, its batches, and the list of cmdlets one may run.

Undocumented for third parties. Sources: public reports of live answers, CIPP, Exchange docs for the cmdlets.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from . import roles
from .apps import MANAGE_AS_APP
from .cas_mailbox import CasMailbox, Result
from .exchange_batch import ExchangeBatch
from .exchange_changes import Changes
from .exchange_errors import NO_WARNINGS, BareRefusal, ExchangeError, bad_request
from .exchange_recipients import Reader, Recipients
from .exchange_rules import InboxRules
from .tokens import RESOURCES, TokenProblem
from .wire import Answer, Call, UnreadableBody

if TYPE_CHECKING:
    from .directory import Directory
    from .tokens import Tokens

_LIMIT = 30000
Writer = Callable[[Call, dict[str, Any]], Result]


class Exchange:
    """The Exchange listener."""

    def __init__(self, directory: Directory, tokens: Tokens, serve: Callable[[Call], Answer]) -> None:
        self.directory = directory
        self.tokens = tokens
        self.cas = CasMailbox(directory)
        self.recipients = Recipients(directory, self.cas)
        self.rules = InboxRules(directory, self.cas)
        self.changes = Changes(directory, self.cas)
        self.batch = ExchangeBatch(directory, serve, self.is_here)
        self.remaining = _LIMIT

    # What the server asks of a service ---------------------------------------------------------------------------

    def describe(self, call: Call) -> None:
        """Find out the app, the cmdlet and the mailbox, for journal and faults."""
        try:
            call.app = self.tokens.check(call.headers.get("authorization"), "exchange")
        except TokenProblem as problem:
            call.note["token"] = problem.kind
        if call.method != "POST" or not call.target.lower().endswith("/invokecommand"):
            return
        try:
            name, parameters = _command(call.json())
        except (UnreadableBody, ExchangeError):
            return
        call.cmdlet = name
        call.writes = not name.lower().startswith(("get-", "test-"))
        given = {key.lower(): value for key, value in parameters.items()}
        identity = given.get("mailbox") or given.get("identity")
        if isinstance(identity, str) and identity:
            call.identity = identity
            found = self.cas.matches(identity)
            owner = found[0] if len(found) == 1 else self.changes.owner_of_phone(identity)
            if owner is None and not found:
                named = self.directory.users.get(identity.lower()) or self.directory.by_upn(identity)
                owner = named
            call.user = owner.id if owner else None

    def answer(self, call: Call) -> Answer:
        try:
            answer = self._answer(call)
        except BareRefusal as refusal:
            answer = refusal.answer()
        except ExchangeError as error:
            answer = Answer(error.status, error.body())
        if call.cmdlet:
            answer.delay += self.directory.exchange_call_delay
        if answer.body is not None:
            answer.headers.setdefault("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true")
        self.remaining = self.remaining - 1 if self.remaining > 1 else _LIMIT
        reset = self.directory.now() + timedelta(minutes=5)
        answer.headers |= {
            "request-id": call.request_id,
            "client-request-id": call.client_request_id,
            "Rate-Limit-Limit": str(_LIMIT),
            "Rate-Limit-Remaining": str(self.remaining),
            "Rate-Limit-Reset": reset.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "X-Concurrencycount": "1",
            "X-Combinedapponlyconcurrencycount": "1",
            "OrganizationStatus": "1",
            "OData-Version": "4.0",
        }
        if call.method == "HEAD":
            answer.body, answer.raw = None, b""
        return answer

    # Routing -----------------------------------------------------------------------------------------------------

    def _answer(self, call: Call) -> Answer:
        parts = [unquote(part, errors="replace") for part in call.target.split("/") if part]
        if len(parts) != 4 or parts[0].lower() != "adminapi" or parts[1].lower() not in ("beta", "v1.0", "v2.0"):
            raise BareRefusal(404)
        version, tenant, name = parts[1].lower(), parts[2], parts[3].lower()
        if self.directory.exchange_redirect:
            location = f"https://{self.directory.exchange_redirect}{call.target}"
            raise BareRefusal(302, headers={"Location": location})
        if call.method == "OPTIONS":
            return Answer(200, headers={"Allow": "GET, POST, OPTIONS"})
        self._authorised(call, tenant)
        if version == "v2.0":
            # The documented interface wants its own permission, and has no CASMailbox (Exchange admin API docs).
            raise BareRefusal(401)
        if name == "exomodulefile":
            return self._cmdlets(call)
        if name in ("invokecommand", "$batch") and version == "v1.0":
            raise BareRefusal(405, headers={"Allow": ""})
        if name == "$batch":
            if call.method != "POST":
                raise BareRefusal(405, headers={"Allow": "POST"})
            return self.batch.answer(call)
        if name == "invokecommand":
            if call.method != "POST":
                raise BareRefusal(405, headers={"Allow": "POST"})
            return self._invoke(call)
        raise BareRefusal(404)

    def is_here(self, url: str) -> str | None:
        """The path and query of an absolute address of this service, or None."""
        parts = urlsplit(url)
        base = f"{parts.scheme}://{parts.netloc}".lower()
        if self.tokens.bases.get(base) != "exchange" and base != RESOURCES["exchange"][0]:
            return None
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def _authorised(self, call: Call, tenant: str) -> None:
        if "token" in call.note or call.app is None:
            raise BareRefusal(
                401, headers={"WWW-Authenticate": 'Bearer client_id="00000002-0000-0ff1-ce00-000000000000"'}
            )
        if MANAGE_AS_APP not in call.app.exchange:
            raise BareRefusal(401)
        if tenant.lower() != self.directory.tenant_id:
            if self.directory.is_tenant(tenant):
                raise bad_request("The tenant identifier in the request is not valid: a GUID is expected.")
            raise BareRefusal(401)
        if not self._allowed(call):
            raise BareRefusal(403, nul=True)

    def _allowed(self, call: Call) -> frozenset[str]:
        """The cmdlets that this caller may run."""
        return roles.cmdlets(call.app.roles, call.app.exchange_roles) if call.app else frozenset()

    # EXOModuleFile -------------------------------------------------------------------------------------------------

    def _cmdlets(self, call: Call) -> Answer:
        """What this caller may run; the module asks it with the header `CommandName: *` (CIPP, -AvailableCmdlets)."""
        if call.method != "GET":
            raise BareRefusal(405, headers={"Allow": "GET"})
        version = parse_qs(call.query).get("Version") or parse_qs(call.query).get("version")
        if not version or not call.headers.get("commandname"):
            raise bad_request("The query option 'Version' and the header 'CommandName' are required.")
        names = sorted(self._allowed(call))
        context = f"{call.origin}/adminapi/v1.0/{self.directory.tenant_id}/$metadata#EXOModuleFile"
        return Answer(200, {"@odata.context": context, "value": [{"exportedCmdlets": ",".join(names)}]})

    # InvokeCommand -------------------------------------------------------------------------------------------------

    def _invoke(self, call: Call) -> Answer:
        kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise BareRefusal(415)
        try:
            name, parameters = _command(call.json())
        except UnreadableBody:
            raise bad_request("The request body is not valid JSON.") from None
        if name.lower() not in {allowed.lower() for allowed in self._allowed(call)}:
            # One and the same answer for what there is not, and what this caller may not run.
            raise BareRefusal(403, nul=True)
        write = self._writer(name.lower())
        if write is not None:
            result = write(call, parameters)
        else:
            read = self._reader(name.lower())
            size = min(_page_size(call), self.directory.exchange_page_size)
            result = read(parameters, _select(call.query), size, _skip(call.query))
            if self.directory.exchange_empty_first_page and "skiptoken" not in call.query:
                result.value, result.next_skip = [], 0
        base = f"{call.origin}/adminapi/beta/{self.directory.tenant_id}"
        body: dict[str, Any] = {"@odata.context": f"{base}/$metadata#Collection(Exchange.GenericHashTable)"}
        body |= {**NO_WARNINGS, "@adminapi.warnings": result.warnings}
        if result.next_skip is not None:
            body["@odata.nextLink"] = f"{base}/InvokeCommand?$skiptoken={result.next_skip}"
        body["value"] = result.value
        headers = {"X-Warnings": json.dumps(result.warnings)} if result.warnings else {}
        return Answer(200, body, headers)

    def _writer(self, name: str) -> Writer | None:
        return {
            "set-casmailbox": self.cas.set,
            "set-mailbox": self.changes.set_mailbox,
            "enable-inboxrule": self.rules.enable,
            "disable-inboxrule": self.rules.disable,
            "clear-mobiledevice": self.changes.clear_phone,
            "remove-mobiledevice": self.changes.remove_phone,
        }.get(name)

    def _reader(self, name: str) -> Reader:
        if name == "get-casmailbox":
            return self.cas.get
        return self.rules.get if name == "get-inboxrule" else self.recipients.reader(name)


def _command(body: Any) -> tuple[str, dict[str, Any]]:
    """Cmdlet and parameters; `Parameters` must be an object, not null (CIPP)."""
    command = body.get("CmdletInput") if isinstance(body, dict) else None
    if not isinstance(command, dict):
        raise bad_request("CmdletInput is missing.")
    name, parameters = command.get("CmdletName"), command.get("Parameters")
    if not isinstance(name, str) or not name:
        raise bad_request("CmdletName is missing.")
    if not isinstance(parameters, dict):
        raise bad_request("Parameters must be an object.")
    return name, parameters


def _select(query: str) -> frozenset[str] | None:
    values = parse_qs(query).get("$select")
    return frozenset(name.strip().lower() for name in values[0].split(",")) if values else None


def _skip(query: str) -> int:
    text = (parse_qs(query).get("$skiptoken") or ["0"])[0]
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise bad_request("Expired or Invalid pagination request. Default Expiry time is 00:30:00")
    return int(text)


def _page_size(call: Call) -> int:
    """`Prefer: odata.maxpagesize=1000`; 1000 at most."""
    for part in call.headers.get("prefer", "").replace(",", ";").split(";"):
        name, _ignored, value = part.replace(" ", "").partition("=")
        if name.lower() == "odata.maxpagesize" and value.isascii() and value.isdigit() and len(value) < 9:
            return min(max(int(value), 1), 1000)
    return 1000
