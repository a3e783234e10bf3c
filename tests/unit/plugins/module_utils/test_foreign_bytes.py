# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever comes over the wire, the parsers end in a value or in one of our own errors."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.m365.offboarding.plugins.module_utils._credentials import Token, entra_error
from ansible_collections.m365.offboarding.plugins.module_utils._destinations import Organization
from ansible_collections.m365.offboarding.plugins.module_utils._doors import Mailbox
from ansible_collections.m365.offboarding.plugins.module_utils._errors import (
    CredentialError,
    OffboardingError,
    OptionError,
)
from ansible_collections.m365.offboarding.plugins.module_utils._exchange import Exchange, _mailbox, _own_row, _Reading
from ansible_collections.m365.offboarding.plugins.module_utils._graph import Graph, User, _List, listed, single
from ansible_collections.m365.offboarding.plugins.module_utils._http import Response
from ansible_collections.m365.offboarding.plugins.module_utils._residual import _findings, _tell
from ansible_collections.m365.offboarding.plugins.module_utils._retry import http_date, retry_after
from ansible_collections.m365.offboarding.plugins.module_utils._service import Answer, Call, retryable
from ansible_collections.m365.offboarding.plugins.module_utils._tenant import Leaver
from ansible_collections.m365.offboarding.plugins.module_utils._topics import (
    FORWARDING_PROPERTIES,
    TO_CLOSE,
    TOPICS,
    Forwarding,
    Scene,
)
from ansible_collections.m365.offboarding.plugins.module_utils._user_input import (
    RequestedUser,
    names_nobody,
    parse_users,
)
from ansible_collections.m365.offboarding.plugins.modules.exo_mailbox_forwarding import SwitchForwarding
from ansible_collections.m365.offboarding.plugins.modules.m365_user_devices import SwitchDevices
from fakes import residual
from fakes.clock import NOW
from fakes.people import SWITCHES, mailbox, person

JANE = person("jane.doe")
LIMITS = settings(
    derandomize=True, max_examples=120, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
statuses = st.integers(100, 599)


def shaped(*names: str):
    """Return objects that have some of these keys, with anything behind them."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, anything))


@pytest.fixture(scope="module")
def graph():
    return Graph.__new__(Graph)


@pytest.fixture(scope="module")
def exchange():
    return Exchange.__new__(Exchange)


errors = st.fixed_dictionaries({"error": shaped("code", "message", "innerError", "innererror", "details") | anything})


@LIMITS
@given(body=errors | anything, status=statuses)
@example(body={"error": {"code": 5, "message": ["x"], "innerError": "y"}}, status=400)
@example(body={"error": {"innererror": {"request-id": {"a": 1}}}}, status=400)
@example(body={"error": {"message": "\n"}}, status=500)
def test_errors_of_graph(graph, body, status):
    answer = Answer(status, {}, body, None)

    error = graph.explain(answer)

    assert isinstance(error, OffboardingError)
    assert json.dumps(error.as_record())
    assert str(error)
    assert retryable(answer, writes=True) in (True, False)


@LIMITS
@given(body=errors | anything, status=statuses)
@example(body={"error": {"details": [None]}}, status=500)
@example(body={"error": {"details": [{"message": "|||"}]}}, status=404)
@example(body={"error": {"details": {"message": "a|b|c"}}}, status=404)
@example(body={"error": {"details": [{"message": "{" * 5000}]}}, status=400)
@example(body={"error": {"details": [{"message": '{"ClassName": 5, "Message": []}'}]}}, status=400)
@example(body={"@adminapi.errors": {"a": "b"}}, status=200)
@example(body={"error": {"innererror": {"internalexception": {"message": "\n"}}}}, status=404)
def test_errors_of_exchange(exchange, body, status):
    answer = Answer(status, {}, body, None)

    error = exchange.explain(answer)

    assert json.dumps(error.as_record())
    assert exchange.is_final(answer) in (True, False)
    assert exchange.is_transient(answer) in (True, False)
    assert isinstance(_mailbox(JANE["id"], error), OffboardingError | None)


@LIMITS
@given(shaped("id", "userPrincipalName", *[name for name in JANE if name not in ("id", "userPrincipalName")]))
@example({**JANE, "assignedPlans": [None]})
@example({**JANE, "assignedPlans": "exchange"})
@example({**JANE, "proxyAddresses": 3})
@example({**JANE, "mail": ["x"]})
@example({**JANE, "displayName": 3})
@example({**JANE, "lastPasswordChangeDateTime": "0001-01-01T00:00:00+01:00"})
def test_users_of_graph(data):
    try:
        user = User.from_json(data)
    except ValueError:
        return
    assert isinstance(user.id, str)
    assert user.display_name is None or isinstance(user.display_name, str)


@LIMITS
@given(anything)
def test_lists_of_graph(body):
    for found in (listed(Answer(200, {}, body, None)), single(Answer(200, {}, body, None))):
        assert isinstance(found, OffboardingError) or all(isinstance(one, dict) for one in found)


@LIMITS
@given(
    body=anything
    | st.fixed_dictionaries({"value": st.lists(shaped("ExternalDirectoryObjectId", *SWITCHES.values()), max_size=2)})
)
@example(body={"value": [{**mailbox(JANE), "PopEnabled": "False"}]})
def test_mailboxes_of_exchange(body):
    found = _mailbox(JANE["id"], rows_of(Answer(200, {}, body, None)))

    assert isinstance(found, Mailbox | OffboardingError)
    if isinstance(found, Mailbox):
        assert all(value in (True, False, None) for value in found.switches.values())


EXCHANGE_ROOT = "https://outlook.office365.com/adminapi/beta/tenant"


def rows_of(*answers):
    """Return what comes of these pages of a cmdlet: its rows, or an error."""
    reading = _Reading(Call("POST", "/InvokeCommand", {"CmdletInput": {}}))
    for answer in answers:
        if reading.next:
            reading.take(answer, lambda: EXCHANGE_ROOT)
            assert not (reading.next and reading.error)
            assert reading.next is None or reading.next.body == {"CmdletInput": {}}
    return reading.error or reading.found


ROOT = "https://graph.microsoft.com/v1.0"
links = anything | st.sampled_from([f"{ROOT}/users?x", f"{ROOT.upper()}/x", ROOT, "https://graph.microsoft.com/v1.01/"])


@LIMITS
@given(st.lists(anything | st.fixed_dictionaries({"value": anything}, optional={"@odata.nextLink": links}), max_size=5))
@example([{"value": [], "@odata.nextLink": f"{ROOT}/users?x"}, {"value": [{}], "@odata.nextLink": f"{ROOT}/users?x"}])
def test_pages_of_graph(bodies):
    reading = _List(Call("GET", "/users", headers={"ConsistencyLevel": "eventual"}))
    for body in bodies:
        if reading.next:
            reading.take(Answer(200, {}, body, None), ROOT)
            assert not (reading.next and reading.error)

    assert all(isinstance(one, dict) for one in reading.found)
    if reading.next:
        assert reading.next.path.startswith("/")
        assert reading.next.headers == {"ConsistencyLevel": "eventual"}


exchange_links = anything | st.sampled_from(
    [
        f"{EXCHANGE_ROOT}/InvokeCommand?$skiptoken=1",
        f"{EXCHANGE_ROOT.upper()}/x",
        EXCHANGE_ROOT,
        f"{EXCHANGE_ROOT}.evil.com/InvokeCommand",
        f"{EXCHANGE_ROOT}/../../evil",
        f"{EXCHANGE_ROOT}/%2e%2e/evil",
    ]
)


@LIMITS
@given(
    st.lists(
        anything
        | st.fixed_dictionaries(
            {"value": st.lists(anything, max_size=2)}, optional={"@odata.nextLink": exchange_links}
        ),
        min_size=1,
        max_size=4,
    )
)
def test_rows_of_exchange(bodies):
    rows = rows_of(*[Answer(200, {}, body, None) for body in bodies])

    assert isinstance(_own_row(JANE["id"], rows), dict | OffboardingError)
    assert isinstance(rows, OffboardingError) or all(isinstance(row, dict) for row in rows)


@LIMITS
@given(anything | st.lists(shaped("DomainName", "MatchSubDomains"), max_size=3).map(lambda rows: {"value": rows}))
@example({"value": [{"DomainName": {"Domain": "contoso.com"}}]})
def test_domains_of_exchange(body):
    exchange = Exchange.__new__(Exchange)
    exchange.send = lambda _calls: [Answer(200, {}, body, None)]

    domains = exchange.accepted_domains

    assert isinstance(domains, OffboardingError) or all(isinstance(one, str) for one in domains)
    assert domains


def row(**facts):
    """Return a row as the parsers see it."""
    return {name.lower(): value for name, value in facts.items() if "@" not in name}


# By topic and question, an object in which something is found.
TELLING = {
    ("forwarding", 0): row(**residual.mailbox_of(JANE, ForwardingSmtpAddress="x@y.de")),
    ("forwarding", 1): residual.rule(forwardTo=("x@y.de",)),
    ("directory_roles", 0): {"name": "Reader"},
    ("applications", 0): residual.application(secrets=("2099-01-01T00:00:00Z",)),
    ("consents", 0): residual.consent(),
    ("consents", 1): residual.app_role(),
    ("devices", 0): residual.device(),
    ("delegates", 0): row(**residual.access("x")),
    ("delegates", 1): row(**residual.trustee("x")),
    ("delegates", 2): row(**residual.mailbox_of(JANE, GrantSendOnBehalfTo=["x"])),
    ("phones", 0): row(**residual.phone()),
    ("sign_in_methods", 0): residual.method("fido2"),
    ("memberships", 0): residual.group(),
}


def is_blank(value):
    inner = value if isinstance(value, list) else [value]
    return all(one in (None, "", [], {}) or (isinstance(one, str) and not one.strip()) for one in inner)


def is_on(value):
    return str(value.get("IsPresent") if isinstance(value, dict) else value).lower() == "true"


# Properties and what they must be for an object to be of no account.
HARMLESS = {
    "forwardingsmtpaddress": is_blank,
    "grantsendonbehalfto": is_blank,
    "isEnabled": lambda value: value is False,
    "actions": lambda value: value is None or isinstance(value, dict),
    "passwordCredentials": lambda value: value == [],
    "accountEnabled": lambda value: value is False,
    "isinherited": is_on,
    "deny": is_on,
    "deviceaccessstate": lambda value: isinstance(value, str) and value.strip().lower() == "blocked",
}
SCENE = Scene(NOW, Organization(frozenset({"contoso.com"})))


@LIMITS
@given(place=st.sampled_from(sorted(TELLING)), data=st.data(), value=anything)
def test_whatever_shape_an_object_takes_it_is_not_taken_for_none(place, data, value):
    topic, number = place
    item = TELLING[place]
    name = data.draw(st.sampled_from([*sorted(item), "isinherited"]))
    leaver = Leaver(RequestedUser("jane.doe@contoso.com"))

    reported = _tell(leaver, [(TOPICS[topic][number], [{**item, name: value}])], SCENE)

    assert json.dumps(reported)
    assert (reported["error"] or {}).get("code") in (None, "limited_information")
    assert reported["state"] in ("found", "not_looked_at") or HARMLESS[name](value)


# As above, for who closes what is found.
RULE = row(**residual.exchange_rule(RedirectTo=["x@y.de"]))
MAILBOX = row(**residual.mailbox_of(JANE, ForwardingSmtpAddress="x@y.de", ForwardingAddress="x"))
WIPE = {"guid": "b0000000-0000-4000-8000-00000000000b", "accountonlydevicewiperequesttime": None}
STEPS = {
    "inbox_rule": (SwitchForwarding(None, Forwarding()), RULE),
    "mailbox_forwarding": (SwitchForwarding(None, Forwarding()), MAILBOX),
    "phone": (SwitchDevices(None), {**row(**residual.phone()), "kept_out": False}),
    "phone_wipe": (SwitchDevices(None, wipe=True), WIPE),
}
QUESTIONS = {one.kind: one for topic in ("forwarding", "phone_wipes") for one in TO_CLOSE[topic]}
QUESTIONS["phone"] = TOPICS["phones"][0]


@LIMITS
@given(kind=st.sampled_from(sorted(STEPS)), data=st.data(), value=anything)
def test_no_shape_of_an_object_causes_an_internal_error_when_it_is_closed(kind, data, value):
    step, item = STEPS[kind]
    changed = {**item, data.draw(st.sampled_from(sorted(item))): value}
    raws = [changed]
    if kind == "mailbox_forwarding":
        raws = [{"property": name, "row": changed} for name in FORWARDING_PROPERTIES]
    leaver = Leaver(RequestedUser("jane.doe@contoso.com"), user=User.from_json(JANE))

    found = step._found(None, leaver, _findings(leaver, [(SCENE, QUESTIONS[kind], raws)]))

    assert {error.code for error in found.unread.values()} <= {"limited_information"}
    for thing in found.things:
        assert json.dumps([thing.key, thing.name, thing.facts, step.closed(thing)])


@LIMITS
@given(anything)
def test_users_that_name_nobody(raw):
    assert names_nobody(raw) in (True, False)


CALLS = [Call("PATCH", f"/users/{number}", {}, writes=True) for number in range(3)]
answers = st.lists(anything | shaped("id", "status", "headers", "body"), max_size=5)


@LIMITS
@given(body=anything | st.fixed_dictionaries({"responses": answers | anything}), status=statuses)
@example(body={"responses": [{"id": "1", "status": 204, "headers": "x"}]}, status=200)
@example(body={"responses": [{"id": 1, "status": True}]}, status=200)
def test_answers_to_a_batch(graph, exchange, body, status):
    for service in (graph, exchange):
        outcomes = service._answers(CALLS, Response(status, {}, json.dumps(body).encode()))

        assert len(outcomes) == 3
        assert all(isinstance(one, Answer | OffboardingError) for one in outcomes)


@LIMITS
@given(st.binary(max_size=40))
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b"\xff\xfe\x00")
@example(b"9" * 5000)
def test_bodies_are_json_or_nothing(body):
    json.dumps(Response(200, {}, body).json)


@LIMITS
@given(
    st.text(max_size=30) | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,6} \d\d:\d\d:\d\d [+-]\d{1,30}")
)
@example("Fri, 20 Nov 2026 16:00:00 +99999999999999999999")
def test_dates_and_waits_of_headers(text):
    assert http_date(text) is None or http_date(text).tzinfo
    wait = retry_after({"retry-after": text}, None)
    assert wait is None or wait > 0


@LIMITS
@given(anything | shaped("tid", "oid", "roles", "scp"))
@example({"roles": 5})
@example({"roles": [{"a": 1}], "scp": ["x"]})
@example({"tid": 5, "oid": ["x"]})
def test_claims_of_tokens(claims):
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()

    token = Token.read(f"header.{payload}.signature")

    assert token.tenant_id is None or isinstance(token.tenant_id, str)
    assert token.object_id is None or isinstance(token.object_id, str)


@LIMITS
@given(st.text(max_size=30))
@example("a.\u00e4.b")
@example("..")
def test_tokens_that_are_none(text):
    assert Token.read(text).value == text


@LIMITS
@given(shaped("error", "error_description", "error_codes", "correlation_id"))
@example({"error_codes": 7})
@example({"error_codes": ["\u00b2"]})
@example({"error_codes": [None]})
def test_refusals_of_entra(answer):
    assert isinstance(entra_error(answer, "Microsoft Graph"), CredentialError)


@LIMITS
@given(anything | st.lists(shaped("user", "left_at") | anything, max_size=3))
@example([{"user": "jane@contoso.com", "left_at": "0001-01-01T00:00:00+01:00"}])
@example([{1: 2, "user": "x"}])
def test_users_as_an_operator_may_give_them(raw):
    try:
        asked = parse_users(raw)
    except OptionError:
        return
    assert all(one.name for one in asked)
