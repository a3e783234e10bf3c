# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The topics of residual access: what outlives a blocked account, or opens again with it. Reads only.

A topic is made of questions. A question is asked about all leavers at once, and judges each object of an answer: what is
found in it, nothing, or, with `ValueError`, that the object does not say.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ._destinations import INSIDE, OUTSIDE, UNKNOWN, Organization, Target, parse_target
from ._errors import OffboardingError, ServiceError, shorten
from ._service import Call, mapping
from ._tenant import Leaver, Tenant
from ._times import format_moment, moment_or_none
from ._user_input import same_name

Item = dict[str, t.Any]
# Per leaver: the objects, an error, or `None` for a user without a mailbox.
Answers = list[t.Union[list[Item], OffboardingError, None]]  # noqa: UP007 (ansible-test takes the bar for an operation)

EXCHANGE_PERMISSION = "Exchange.ManageAsApp"
_NAMELESS = "without a name"


@dataclasses.dataclass(frozen=True)
class Forwarding:
    """Which forwarding is to be closed in addition to what leaves, or may leave, the organization.

    :param internal: all that stays inside.
    :param addresses: what goes to these addresses, in lower case.
    """

    internal: bool = False
    addresses: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Scene:
    """What a judgement needs in addition to the object.

    :param now: Microsoft's time.
    :param organization: where mail goes; only where forwarding is judged.
    :param forwarding: the forwarding to close in addition to forwarding outside.
    """

    now: datetime.datetime
    organization: Organization = dataclasses.field(default_factory=Organization)
    forwarding: Forwarding = dataclasses.field(default_factory=Forwarding)

    def whereabouts(self, target: Target, place: str | OffboardingError) -> str:
        """What a message about a target adds: nothing, if it certainly leads outside."""
        if place == UNKNOWN and target.recipient:
            return " (possibly outside: there is no such recipient)"
        if not isinstance(place, OffboardingError):
            return ""
        if place is self.organization.domains:
            return " (possibly outside: the accepted domains could not be read)"
        return " (possibly outside: the recipient could not be looked up)"

    def closes(self, target: Target) -> str | OffboardingError | None:
        """Where a target leads that is to be closed; `None` for one that may stay."""
        place = self.organization.place(target)
        if self.forwarding.internal:
            return UNKNOWN if isinstance(place, OffboardingError) else place
        address = self.organization.address_of(target)
        named = isinstance(address, str) and address.lower() in self.forwarding.addresses
        return INSIDE if named and place == INSIDE else None if place == INSIDE else place


@dataclasses.dataclass(frozen=True)
class Question:
    """One question that is asked about all leavers.

    :param kind: the kind of its objects in records of the steps that close them. Two questions may be about one kind.
    :param what: completes "Could not read ... of jane@contoso.com".
    :param permission: the least that is needed.
    :param sufficient: permissions of which any one is enough; empty if only the answer shows whether it is.
    :param forbidden: what to do about a 403, where the permission alone does not say it.
    """

    what: str
    permission: str
    read: t.Callable[[Tenant, t.Sequence[Leaver]], Answers]
    judge: t.Callable[[Item, Scene], t.Iterator[Item]]
    sufficient: frozenset[str] = frozenset()
    of_mailbox: bool = False
    kind: str = ""
    forbidden: str | None = None

    def explain(self, error: OffboardingError, name: str) -> OffboardingError:
        explained = error.with_context(f"Could not read {self.what} of {name}")
        if isinstance(error, ServiceError) and error.status == 403 and self.forbidden:
            explained.hint = self.forbidden
        elif isinstance(error, ServiceError) and error.status == 403 and self.permission != EXCHANGE_PERMISSION:
            explained.hint = f"It needs the permission {self.permission}, with an administrator's consent."
        return explained


# --- how each question is asked ---


def _listed(call: str) -> t.Callable[[Tenant, t.Sequence[Leaver]], Answers]:
    """Ask Graph for a list of each user, by the name of the method that makes the call."""

    def read(tenant: Tenant, leavers: t.Sequence[Leaver]) -> Answers:
        make: t.Callable[[str], Call] = getattr(tenant.graph, call)
        return list(tenant.graph.read_lists([make(leaver.known.id) for leaver in leavers]))

    return read


def _rows(cmdlet: str, by: str = "Identity") -> t.Callable[[Tenant, t.Sequence[Leaver]], Answers]:
    """Ask Exchange for what a cmdlet says of each mailbox."""

    def read(tenant: Tenant, leavers: t.Sequence[Leaver]) -> Answers:
        return tenant.exchange.read_rows(cmdlet, [leaver.known.id for leaver in leavers], by=by)

    return read


def _phones(tenant: Tenant, leavers: t.Sequence[Leaver]) -> Answers:
    """Phones, each with whether the mailbox blocks it.

    A blocked phone shows that only after it has connected again; the mailbox's list shows it at once.
    """
    answers = _rows("Get-MobileDevice", "Mailbox")(tenant, leavers)
    unread = [
        leaver
        for leaver, answer in zip(leavers, answers, strict=True)
        if answer and isinstance(answer, list) and not leaver.mailbox_read
    ]
    read = {leaver.known.id: leaver for leaver in tenant.read_mailboxes(unread)} if unread else {}
    for leaver, answer in zip(leavers, answers, strict=True):
        mailbox = read.get(leaver.known.id, leaver).mailbox
        blocked = mailbox.blocked_phones if mailbox else None
        for phone in answer if isinstance(answer, list) and blocked is not None else ():
            phone["kept_out"] = bool(phone_id(phone)) and phone_id(phone).lower() in (blocked or ())
    return answers


def phone_id(row: Item) -> str:
    """The id of a phone within its mailbox; empty if the answer has none."""
    value = row.get("deviceid")
    return value.strip() if isinstance(value, str) else ""


def phone_name(row: Item) -> str | None:
    """The name for people; `Get-MobileDevice` and `Get-MobileDeviceStatistics` use different keys."""
    names = ("friendlyname", "devicefriendlyname", "devicemodel", "devicetype", "deviceid")
    return next(filter(None, (_text(row.get(name)) for name in names)), None)


def _is_blocked(row: Item) -> bool:
    return _text(row.get("deviceaccessstate")).lower() == "blocked"


def _recipients(tenant: Tenant, leavers: t.Sequence[Leaver]) -> Answers:
    return tenant.exchange.read_recipients([leaver.known.id for leaver in leavers])


def _held_roles(tenant: Tenant, leavers: t.Sequence[Leaver]) -> Answers:
    """Directory roles; those that were read already are not read again."""
    unread = [leaver for leaver in leavers if leaver.roles is None and leaver.roles_error is None]
    read = {leaver.known.id: leaver for leaver in [*leavers, *tenant.read_roles(unread)]}
    held = [read[leaver.known.id] for leaver in leavers]
    return [leaver.roles_error or [{"name": role} for role in leaver.roles or ()] for leaver in held]


def _devices(tenant: Tenant, leavers: t.Sequence[Leaver]) -> Answers:
    """The devices that each user has registered or owns, each once: most are both."""
    graph = tenant.graph
    calls = [graph.registered_devices(one.known.id) for one in leavers] + [
        graph.owned_devices(one.known.id) for one in leavers
    ]
    lists = graph.read_lists(calls)
    answers: Answers = []
    for registered, owned in zip(lists[: len(leavers)], lists[len(leavers) :], strict=True):
        if isinstance(registered, OffboardingError) or isinstance(owned, OffboardingError):
            answers.append(registered if isinstance(registered, OffboardingError) else owned)
        else:
            known = {one.get("id") for one in registered}
            answers.append(registered + [one for one in owned if one.get("id") not in known or not one.get("id")])
    return answers


def _own_app_roles(tenant: Tenant, leavers: t.Sequence[Leaver]) -> Answers:
    """App role assignments, without those of the user's groups, which are in the same list."""
    answers = _listed("app_roles")(tenant, leavers)
    return [
        [one for one in answer if not one.get("principalId") or same_name(one["principalId"], leaver.known.id)]
        if isinstance(answer, list)
        else answer
        for leaver, answer in zip(leavers, answers, strict=True)
    ]


def _named_consents(tenant: Tenant, leavers: t.Sequence[Leaver]) -> Answers:
    """Consents, and the names of their applications, each read once; if that fails, the id is shown."""
    answers = _listed("consents")(tenant, leavers)
    grants = [grant for answer in answers if isinstance(answer, list) for grant in answer]
    clients = list(dict.fromkeys(str(grant["clientId"]) for grant in grants if grant.get("clientId")))
    outcomes = tenant.graph.send([tenant.graph.service_principal(client) for client in clients])
    names = {
        client: mapping(outcome.body).get("displayName")
        for client, outcome in zip(clients, outcomes, strict=True)
        if not isinstance(outcome, OffboardingError)
    }
    for grant in grants:
        grant["clientName"] = names.get(str(grant.get("clientId")))
    return answers


# --- what an object says ---


def _text(value: t.Any, otherwise: str = "") -> str:
    """A foreign value for one of our messages."""
    return shorten(" ".join(str(value).split())) if value not in (None, "", [], {}) else otherwise


def _flag(value: t.Any) -> bool:
    """Whether a switch is on; PowerShell's come as `true`, as text, or as an object."""
    if isinstance(value, dict):
        value = value.get("IsPresent")
    return value is True or str(value).lower() == "true"


def _texts(value: t.Any) -> list[str]:
    """A list that comes as one, or alone."""
    values = value if isinstance(value, list) else [value]
    return [text for text in map(_text, values) if text]


FORWARDING_PROPERTIES = _SMTP, _RECIPIENT = "ForwardingSmtpAddress", "ForwardingAddress"


def forwarding_target(row: Item, name: str) -> Target | None:
    """Where a mailbox forwards to by one of its two properties, `None` for nowhere.

    An SMTP address is outside by intent; the other one is a recipient of the directory, perhaps a contact outside.
    https://learn.microsoft.com/exchange/recipients-in-exchange-online/manage-user-mailboxes/configure-email-forwarding
    """
    value = row.get(name.lower())
    text = _text(value)
    if not text:
        return None
    if name == _RECIPIENT:
        return Target(text, recipient=value.strip() if isinstance(value, str) else text)
    return dataclasses.replace(
        parse_target(value), shown=text.partition(":")[2] if text.lower().startswith("smtp:") else text
    )


def _mailbox_forwards(row: Item, scene: Scene) -> t.Iterator[Item]:
    kept = " and keeps a copy" if keeps_copy(row) else ""
    for name in (_SMTP, _RECIPIENT):
        target = forwarding_target(row, name)
        place = scene.closes(target) if target else None
        if target and place:
            what = "the recipient " if name == _RECIPIENT else ""
            text = f"The mailbox forwards to {what}{target.shown}{kept}{scene.whereabouts(target, place)}."
            yield {"text": text, "kind": "mailbox", "name": None, "to": [target.shown]}
    for name in (_SMTP, _RECIPIENT):
        if name.lower() not in row:
            raise ValueError(name)


def keeps_copy(row: Item) -> bool:
    return _flag(row.get("delivertomailboxandforward"))


_RULE_ACTIONS = ("forwardTo", "forwardAsAttachmentTo", "redirectTo")


def _rule_forwards(rule: Item, scene: Scene) -> t.Iterator[Item]:
    if rule.get("isEnabled") is False:
        return
    actions = rule.get("actions")
    if not isinstance(actions, dict) and (actions is not None or "actions" not in rule):
        raise ValueError("what an inbox rule does")
    out: list[tuple[Target, str | OffboardingError]] = []
    for name in _RULE_ACTIONS:
        recipients = mapping(actions).get(name)
        if not isinstance(recipients, list) and recipients is not None:
            raise ValueError(f"the recipients in {name} of an inbox rule")
        for target in map(_graph_target, recipients or ()):
            place = scene.closes(target)
            out += [(target, place)] if place else []
    if out:
        name = _text(rule.get("displayName"))
        targets = [target.shown for target, _place in out]
        whereabouts = next(filter(None, (scene.whereabouts(target, place) for target, place in out)), "")
        text = f"Inbox rule {name or _NAMELESS} forwards to {', '.join(targets)}{whereabouts}."
        yield {"text": text, "kind": "inbox_rule", "name": name or None, "to": targets}


def _graph_target(recipient: t.Any) -> Target:
    """Graph gives the SMTP address of most recipients, and Exchange's own of some."""
    address = mapping(mapping(recipient).get("emailAddress")).get("address")
    return dataclasses.replace(parse_target(address), shown=_text(address, "an unknown address"))


# --- the same two questions, for the steps that close what they find ---


def _forwardings(tenant: Tenant, leavers: t.Sequence[Leaver]) -> Answers:
    """The two properties that forward, one object each: either may be closed while the other one stays."""
    return [
        [{"property": name, "row": row} for row in answer for name in (_SMTP, _RECIPIENT)]
        if isinstance(answer, list)
        else answer
        for answer in _recipients(tenant, leavers)
    ]


def _fail(error: OffboardingError) -> t.NoReturn:
    raise error


def _forwarding(item: Item, scene: Scene) -> t.Iterator[Item]:
    name, row = item["property"], item["row"]
    if name.lower() not in row:
        raise ValueError(name)
    target = forwarding_target(row, name)
    place = scene.closes(target) if target else None
    if isinstance(place, OffboardingError):
        _fail(place)
    if target and place:
        yield {"where": place, "address": scene.organization.address_of(target)}


def _exchange_rules(tenant: Tenant, leavers: t.Sequence[Leaver]) -> Answers:
    """Hidden rules too: attackers hide forwarding there, and only `Get-InboxRule` shows them."""
    ids = [leaver.known.id for leaver in leavers]
    return tenant.exchange.read_rows("Get-InboxRule", ids, by="Mailbox", IncludeHidden=True)


# Get-InboxRule leaves out what a rule does not do.
RULE_TARGETS = ("forwardto", "forwardasattachmentto", "redirectto")
# Exchange's own rules, which it does not let a cmdlet describe.
_SYSTEM_RULES = ("junk e-mail rule", "microsoft.exchange.oof.", "delegate rule -")


def rule_identity(row: Item) -> str:
    """The permanent id of a rule within its mailbox: a number of 64 bits, as text.

    :raises ValueError: the row has none.
    """
    value = row.get("ruleidentity")
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    text = text if text.isascii() and text.isdigit() else str(row.get("identity") or "").rpartition("\\")[2]
    if not (text.isascii() and text.isdigit()):
        raise ValueError("the id of an inbox rule")
    return text


def rule_targets(row: Item) -> list[Target]:
    values = [row.get(name) for name in RULE_TARGETS]
    listed = [one for value in values if value for one in (value if isinstance(value, list) else [value])]
    return [dataclasses.replace(one, shown=_text(one.shown)) for one in map(parse_target, listed)]


def _exchange_rule(row: Item, scene: Scene) -> t.Iterator[Item]:
    rule_identity(row)
    if row.get("enabled") is False:
        return
    places = [place for place in map(scene.closes, rule_targets(row)) if place]
    surely = [place for place in places if isinstance(place, str)]
    errors = [place for place in places if isinstance(place, OffboardingError)]
    if errors and OUTSIDE not in surely:
        raise errors[0]
    # A rule that a cmdlet cannot describe may forward as well.
    own = str(row.get("name") or "").strip().lower().startswith(_SYSTEM_RULES)
    surely += [] if _flag(row.get("supportedbytask")) or own else [UNKNOWN]
    if surely:
        yield {"where": min(surely, key=(OUTSIDE, UNKNOWN, INSIDE).index)}


def named_targets(answers: t.Sequence[Answers]) -> t.Iterator[Target]:
    """The targets in the topic forwarding that are given by the name of a recipient."""
    for answer in answers:
        for item in (one for own in answer if isinstance(own, list) for one in own):
            targets: list[Target | None] = [forwarding_target(mapping(item.get("row", item)), _RECIPIENT)]
            for name in _RULE_ACTIONS:
                listed = mapping(item.get("actions")).get(name)
                targets += map(_graph_target, listed if isinstance(listed, list) else ())
            targets += rule_targets(item)
            yield from (target for target in targets if target and target.recipient)


def _held_role(role: Item, _scene: Scene) -> t.Iterator[Item]:
    yield {"text": f"Holds the directory role {role['name']}.", "name": role["name"]}


def _live_application(application: Item, scene: Scene) -> t.Iterator[Item]:
    """https://learn.microsoft.com/graph/api/resources/application; of one that may not be read, `appId` is null too."""
    secrets, certificates = application.get("passwordCredentials"), application.get("keyCredentials")
    if not application.get("appId") or not isinstance(secrets, list) or not isinstance(certificates, list):
        raise ValueError("the credentials of an owned application")
    ends = {name: _live(credentials, scene) for name, credentials in (("s", secrets), ("c", certificates))}
    if ends["s"] or ends["c"]:
        name = _text(application.get("displayName"))
        known = [end for end in [*ends["s"], *ends["c"]] if end]
        until = format_moment(max(known)) if len(known) == len(ends["s"]) + len(ends["c"]) else None
        counts = " and ".join(
            f"{len(ends[key])} live {what}{'s' if len(ends[key]) > 1 else ''}"
            for key, what in (("s", "secret"), ("c", "certificate"))
            if ends[key]
        )
        yield {
            "text": f"Owns the application {name or _NAMELESS} with {counts}, "
            + (f"valid until {until}." if until else "expiry unknown."),
            "name": name or None,
            "id": _text(application.get("id")) or None,
            "app_id": _text(application.get("appId")),
            "secrets": len(ends["s"]),
            "certificates": len(ends["c"]),
            "until": until,
        }


def _live(credentials: t.Sequence[t.Any], scene: Scene) -> list[datetime.datetime | None]:
    """The expiry of credentials that have not expired by Microsoft's clock; `None` if the expiry is not known."""
    ends = [moment_or_none(mapping(credential).get("endDateTime")) for credential in credentials]
    return [end for end in ends if end is None or end > scene.now]


def _consent(grant: Item, _scene: Scene) -> t.Iterator[Item]:
    client = _text(grant.get("clientId"), "an unknown application")
    name = _text(grant.get("clientName"))
    scopes = _text(grant.get("scope")).split()
    yield {
        "text": f"{name or client} may act on behalf of the user: {' '.join(scopes) or 'scopes unknown'}.",
        "name": name or None,
        "client_id": client,
        "scopes": scopes,
    }


def _app_role(assignment: Item, _scene: Scene) -> t.Iterator[Item]:
    """https://learn.microsoft.com/graph/api/resources/approleassignment"""
    name = _text(assignment.get("resourceDisplayName"))
    resource = _text(assignment.get("resourceId"), "an unknown application")
    yield {
        "text": f"Is assigned to the application {name or resource}.",
        "name": name or None,
        "resource_id": resource,
        "app_role_id": _text(assignment.get("appRoleId")) or None,
    }


# What a membership is of, by type.
GROUP, DIRECTORY_ROLE = "#microsoft.graph.group", "#microsoft.graph.directoryrole"


def _membership(holder: Item, _scene: Scene) -> t.Iterator[Item]:
    """A group with assigned membership. A rule determines the members of a dynamic one.

    https://learn.microsoft.com/graph/api/resources/group. Directory roles are a topic of their own.
    """
    what = str(holder.get("@odata.type")).lower()
    if not what.startswith("#microsoft.graph."):
        raise ValueError("what the user is a member of")
    if what != GROUP:
        return
    kinds = holder.get("groupTypes")
    if not isinstance(kinds, list):
        raise ValueError("the type of a group")
    if "DynamicMembership" not in kinds:
        name = _text(holder.get("displayName"))
        yield {
            "text": f"Is a member of the group {name or _text(holder.get('id'), _NAMELESS)}.",
            "name": name or None,
            "id": _text(holder.get("id")) or None,
        }


def _enabled_device(device: Item, _scene: Scene) -> t.Iterator[Item]:
    enabled = device.get("accountEnabled")
    if not isinstance(enabled, bool):
        raise ValueError("whether a registered device is enabled")
    if enabled:
        name, system = _text(device.get("displayName")), _text(device.get("operatingSystem"))
        seen = format_moment(moment_or_none(device.get("approximateLastSignInDateTime")))
        yield {
            "text": f"Device {name or _NAMELESS}{f' ({system})' if system else ''} is enabled"
            + (f", last seen {seen}." if seen else "."),
            "name": name or None,
            "id": _text(device.get("id")) or None,
            "operating_system": system or None,
            "last_seen": seen,
        }


_SELF = ("nt authority\\self", "s-1-5-10")


def _is_own(row: Item, *names: str) -> bool:
    """Whether an entry is for the mailbox's owner, was inherited from the organization, or denies access."""
    who = [_text(row.get(name)).lower() for name in names]
    denies = _flag(row.get("deny")) or _text(row.get("accesscontroltype")).lower() == "deny"
    return denies or _flag(row.get("isinherited")) or any(name in _SELF for name in who)


def _may_open(row: Item, _scene: Scene) -> t.Iterator[Item]:
    """https://learn.microsoft.com/powershell/module/exchangepowershell/get-mailboxpermission"""
    if not _text(row.get("user")):
        raise ValueError("who may open the mailbox")
    if not _is_own(row, "user", "usersid"):
        yield _delegate("mailbox", _text(row.get("user")), _texts(row.get("accessrights")), "has access to the mailbox")


def _may_send_as(row: Item, _scene: Scene) -> t.Iterator[Item]:
    """https://learn.microsoft.com/powershell/module/exchangepowershell/get-recipientpermission"""
    if not _text(row.get("trustee")):
        raise ValueError("who may send as the user")
    if not _is_own(row, "trustee", "trusteesidstring"):
        yield _delegate("send_as", _text(row.get("trustee")), _texts(row.get("accessrights")), "may send as the user")


def _may_send_for(row: Item, _scene: Scene) -> t.Iterator[Item]:
    if "grantsendonbehalfto" not in row:
        raise ValueError("GrantSendOnBehalfTo")
    for who in _texts(row["grantsendonbehalfto"]):
        yield _delegate("send_on_behalf", who, [], "may send on behalf of the user")


def _delegate(kind: str, who: str, rights: list[str], may: str) -> Item:
    listed = f" ({', '.join(rights)})" if kind == "mailbox" and rights else ""
    return {"text": f"{who} {may}{listed}.", "kind": kind, "name": who, "rights": rights}


def _phone(row: Item, _scene: Scene) -> t.Iterator[Item]:
    """https://learn.microsoft.com/powershell/module/exchangepowershell/get-mobiledevice"""
    if _is_blocked(row) or row.get("kept_out"):
        return
    name = phone_name(row)
    system, state = _text(row.get("deviceos")), _text(row.get("deviceaccessstate"))
    facts = ", ".join(filter(None, (system, _text(row.get("clienttype")), state)))
    yield {
        "text": f"Phone {name or _NAMELESS}{f' ({facts})' if facts else ''} has a partnership with the mailbox.",
        "name": name,
        "id": _text(row.get("deviceid")) or None,
        "operating_system": system or None,
        "client": _text(row.get("clienttype")) or None,
        "access_state": state or None,
    }
    if "kept_out" not in row:
        raise ValueError("whether the mailbox blocks a phone")


def _unwiped(row: Item, _scene: Scene) -> t.Iterator[Item]:
    """https://learn.microsoft.com/powershell/module/exchangepowershell/get-mobiledevicestatistics"""
    if not is_wiped(row):
        yield {}


def is_wiped(row: Item) -> bool:
    """Whether an account-only wipe, or one of the whole phone, was requested already."""
    return any(_text(row.get(name)) for name in ("accountonlydevicewiperequesttime", "devicewiperequesttime"))


# https://learn.microsoft.com/graph/api/resources/passwordauthenticationmethod: its id is the same everywhere.
_PASSWORD_METHOD = "28c10230-6103-485e-b985-444c60001490"  # noqa: S105 (names the kind, holds none)
_METHODS = {
    "fido2": "passkey",
    "microsoftAuthenticator": "Microsoft Authenticator",
    "windowsHelloForBusiness": "Windows Hello for Business",
    "softwareOath": "software token",
    "temporaryAccessPass": "Temporary Access Pass",
    "platformCredential": "platform credential",
    "email": "e-mail address",
}


def method_kind(method: Item) -> str:
    """Such as `fido2`, empty if the method has no type; a kind may be unknown to this version."""
    return _text(method.get("@odata.type")).rpartition(".")[2].removesuffix("AuthenticationMethod")


def _method(method: Item, _scene: Scene) -> t.Iterator[Item]:
    kind = method_kind(method)
    if kind == "password" or method.get("id") == _PASSWORD_METHOD:
        return
    name = _text(method.get("displayName"))
    label = _METHODS.get(kind, kind) or "unknown kind"
    yield {
        "text": f"A sign-in method is registered: {label}{f' ({name})' if name else ''}.",
        "kind": kind or None,
        "name": name or None,
        "id": _text(method.get("id")) or None,
    }


# --- the table of topics ---

_MAY_READ_DIRECTORY = {"Directory.Read.All", "Directory.ReadWrite.All"}

TOPICS: dict[str, tuple[Question, ...]] = {
    "forwarding": (
        Question("forwarding", EXCHANGE_PERMISSION, _recipients, _mailbox_forwards, of_mailbox=True, kind="mailbox"),
        # Exchange may have granted it for some mailboxes, which no token shows
        # (https://learn.microsoft.com/exchange/permissions-exo/application-rbac): only the answer shows it.
        Question(
            "inbox rules",
            "MailboxSettings.Read",
            _listed("inbox_rules"),
            _rule_forwards,
            of_mailbox=True,
            kind="inbox_rule",
        ),
    ),
    "directory_roles": (Question("directory roles", "User.Read.All", _held_roles, _held_role),),
    "applications": (
        Question(
            "owned applications",
            "Application.Read.All",
            _listed("owned_applications"),
            _live_application,
            frozenset({"Application.Read.All", "Application.ReadWrite.All", *_MAY_READ_DIRECTORY}),
        ),
    ),
    "consents": (
        Question(
            "consents",
            "Directory.Read.All",
            _named_consents,
            _consent,
            frozenset(
                {"DelegatedPermissionGrant.Read.All", "DelegatedPermissionGrant.ReadWrite.All", *_MAY_READ_DIRECTORY}
            ),
            kind="consent",
        ),
        Question(
            "app role assignments",
            "Directory.Read.All",
            _own_app_roles,
            _app_role,
            frozenset({"AppRoleAssignment.ReadWrite.All", *_MAY_READ_DIRECTORY}),
            kind="app_role",
        ),
    ),
    # With User.Read.All alone, devices come without the deciding property: only the answer shows it.
    "devices": (Question("registered devices", "Device.Read.All", _devices, _enabled_device, kind="device"),),
    "delegates": (
        Question(
            "mailbox permissions", EXCHANGE_PERMISSION, _rows("Get-MailboxPermission"), _may_open, of_mailbox=True
        ),
        Question(
            "send-as permissions", EXCHANGE_PERMISSION, _rows("Get-RecipientPermission"), _may_send_as, of_mailbox=True
        ),
        Question("send-on-behalf permissions", EXCHANGE_PERMISSION, _recipients, _may_send_for, of_mailbox=True),
    ),
    "phones": (Question("phones", EXCHANGE_PERMISSION, _phones, _phone, of_mailbox=True, kind="phone"),),
    "sign_in_methods": (
        Question(
            "sign-in methods",
            "UserAuthenticationMethod.Read.All",
            _listed("sign_in_methods"),
            _method,
            frozenset({"UserAuthenticationMethod.Read.All", "UserAuthenticationMethod.ReadWrite.All"}),
            kind="method",
        ),
    ),
    # With User.Read.All alone, groups come without the deciding properties: only the answer shows it.
    "memberships": (
        Question("group memberships", "GroupMember.Read.All", _listed("memberships"), _membership, kind="membership"),
    ),
}


# What `findings` asks instead, where the audit's questions do not lead to what is written. No role that only reads may
# run Get-InboxRule, so the audit asks Graph; but Graph does not show hidden rules.
TO_CLOSE: dict[str, tuple[Question, ...]] = {
    "forwarding": (
        Question(
            "mailbox forwarding",
            EXCHANGE_PERMISSION,
            _forwardings,
            _forwarding,
            of_mailbox=True,
            kind="mailbox_forwarding",
        ),
        Question(
            "inbox rules",
            EXCHANGE_PERMISSION,
            _exchange_rules,
            _exchange_rule,
            of_mailbox=True,
            kind="inbox_rule",
            forbidden="Get-InboxRule needs the Exchange role Mail Recipients or User Options, or the Entra role Exchange "
            "Administrator: view-only roles cannot run it.",
        ),
    ),
    "phone_wipes": (
        Question(
            "wipes of phones",
            EXCHANGE_PERMISSION,
            _rows("Get-MobileDeviceStatistics", "Mailbox"),
            _unwiped,
            of_mailbox=True,
            kind="phone_wipe",
        ),
    ),
}


def chosen_topics(names: t.Collection[str]) -> tuple[str, ...]:
    """The selected topics, in their order."""
    return tuple(name for name in TOPICS if name in names or "all" in names)
