# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a lock-out tool meets on its worst day, a case a row: the whole role, time simulated, every claim checked."""

from __future__ import annotations

import datetime
import json
import re
import socket
import typing as t
from collections.abc import Iterator
from email.utils import formatdate

import pytest
import requests
import urllib3

from simulator.exchange_errors import SHAPES, TRANSIENT, error_body
from simulator.faults import Fault
from simulator.wire import Answer

from .schedules import check_outcome
from .world import STEPS, Killed, Outcome, World, world

JANE, JOHN, MARIA = "jane.doe@contoso.com", "john.roe@contoso.com", "maria.rossi@contoso.com"
EVERYBODY = [JANE, JOHN, MARIA]


@pytest.fixture
def w() -> Iterator[World]:
    with world() as made:
        yield made


def contained(outcome: Outcome) -> list[str]:
    return [one["user"] for one in outcome.results if one["contained"]]


def offboard(w: World, users: t.Sequence[t.Any] = tuple(EVERYBODY)) -> Outcome:
    """Run the role, and hold what it says against what the tenant saw."""
    outcome = w.offboard(users)
    check_outcome(w, outcome, [w.tenant.directory.user(name) for name in users])
    return outcome


def run_again(w: World, users: t.Sequence[t.Any] = tuple(EVERYBODY)) -> None:
    """The fault is over: a plain second run ends with all doors shut, a third changes nothing."""
    w.tenant.faults.clear()
    w.network.broken.clear()
    w.tenant.directory.replica_lag = 0
    w.clock.advance(60)
    assert contained(offboard(w, users)) == list(users)
    writes = len(w.tenant.journal.writes())
    w.offboard(users)
    assert len(w.tenant.journal.writes()) == writes


def sent(w: World, **wanted: t.Any) -> list[t.Any]:
    return [e for e in w.tenant.journal if all(getattr(e, name) == value for name, value in wanted.items())]


# --- throttling ---


@pytest.mark.parametrize(
    ("reported", "waited"),
    [("7", 7.0), ("2.5", 2.5), (None, 0.75), ("soon", 0.75), ("-5", 0.75), ("Sun, 06 Nov 1994 08:49:37 GMT", 1.0)],
)
@pytest.mark.parametrize("batch", ["outer", True, False])
def test_429_is_waited_out_as_retry_after_says_and_only_the_throttled_are_sent_again(
    w: World, reported: str | None, waited: float, batch: t.Any
) -> None:
    users = [JANE] if batch is False else EVERYBODY
    headers = {} if reported is None else {"Retry-After": reported}
    # The first write: of the batch, inside the batch, or the only one.
    rule = Fault(listener="graph", batch=batch, status=429, headers=headers, nth=3 if batch == "outer" else 1)
    if batch != "outer":
        rule.method = "PATCH"
    w.tenant.faults.add(rule)
    assert contained(offboard(w, users)) == users
    assert rule.struck == 1
    assert any(wait == pytest.approx(waited, abs=0.05) for wait in w.clock.waits), w.clock.waits
    if batch is True:
        resets = [e for e in w.tenant.journal.writes() if e.password_sha256]
        assert len(resets) == len(users) + 1, "more than the throttled one was sent again"
    run_again(w, users)


def test_retry_after_as_a_date_is_held_against_microsofts_clock(w: World) -> None:
    w.tenant.directory.clock_offset += 3600  # the controller is an hour behind
    date = w.tenant.directory.now().timestamp() + 20
    w.tenant.faults.add(
        Fault(method="PATCH", nth=1, status=429, headers={"Retry-After": formatdate(date, usegmt=True)})
    )
    assert contained(offboard(w)) == EVERYBODY
    assert max(w.clock.waits) == pytest.approx(20, abs=2)


def test_a_wait_of_six_hours_is_a_failure_that_names_it(w: World) -> None:
    w.tenant.faults.add(Fault(listener="graph", writes=True, status=429, headers={"Retry-After": "21600"}))
    outcome = offboard(w)
    assert contained(outcome) == []
    error = outcome.by_name[JANE]["steps"]["password"]["error"]
    assert "21600 s" in f"{error['message']} {error['hint']}"
    assert w.clock.elapsed < 1000 + 120
    assert {e.status for e in w.tenant.journal.writes() if e.listener == "exchange"} == {200}, "Exchange is not Graph"
    run_again(w)


def test_the_run_finishes_at_the_speed_of_microsofts_bucket(w: World) -> None:
    people = w.tenant.directory.add_crowd(100)
    w.tenant.faults.limit_writes(60, per=30.0)  # 3,000 per 2.5 minutes, scaled down
    names = [user.upn for user in people]
    began = w.clock.elapsed
    outcome = w.offboard(names)
    assert len(contained(outcome)) == 100
    # 300 writes to Graph: five buckets, of which the first is free; Exchange has a bucket of its own.
    assert w.clock.elapsed - began < 1.35 * (4 * 30 + 30)
    assert not w.tenant.journal.violations(0.1)


def test_nothing_is_sent_into_a_closed_window(w: World) -> None:
    people = w.tenant.directory.add_crowd(120)
    w.tenant.faults.add(
        Fault(listener="graph", batch=True, writes=True, nth=30, status=429, headers={"Retry-After": "9"})
    )
    assert len(contained(w.offboard([user.upn for user in people]))) == 120
    assert w.tenant.faults.rules[0].struck == 1
    assert not w.tenant.journal.violations()


# --- faults of the service ---


@pytest.mark.parametrize("applied", [False, True], ids=["lost", "done"])
@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("where", [{"method": "PATCH"}, {"path": "revoke"}, {"cmdlet": "Set-CASMailbox"}])
def test_5xx_to_a_write_is_looked_at_before_it_is_repeated(
    w: World, where: dict[str, t.Any], status: int, applied: bool
) -> None:
    rule = w.tenant.faults.add(Fault(**where, nth=1, status=status, apply_first=applied))
    assert contained(offboard(w)) == EVERYBODY
    assert rule.struck == 1
    struck = next(e for e in w.tenant.journal if e.fault)
    same = [
        e for e in w.tenant.journal.writes() if (e.user, e.cmdlet, e.path) == (struck.user, struck.cmdlet, struck.path)
    ]
    after = [
        e for e in same if e.sequence > struck.sequence and bool(e.password_sha256) == bool(struck.password_sha256)
    ]
    assert len(after) == (0 if applied else 1)
    assert {e.password_sha256 for e in after} <= {struck.password_sha256}, "another password after an unknown outcome"
    run_again(w)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_5xx_to_a_read_is_read_again(w: World, status: int) -> None:
    rule = w.tenant.faults.add(Fault(writes=False, batch=True, nth=(1, 4), status=status))
    assert contained(offboard(w)) == EVERYBODY
    assert rule.struck == 4


@pytest.mark.parametrize("close", ["before", "after"])
@pytest.mark.parametrize("listener", ["graph", "exchange"])
def test_a_connection_that_breaks_before_or_after_the_write(w: World, close: str, listener: str) -> None:
    rule = w.tenant.faults.add(
        Fault(listener=listener, batch="outer", nth=3 if listener == "graph" else 2, close=close)
    )
    assert contained(offboard(w)) == EVERYBODY
    assert rule.struck == 1
    run_again(w)


@pytest.mark.parametrize(
    "what",
    [
        {"status": 200, "body": "<html>please sign in to the proxy</html>"},
        {"status": 502, "body": "<html>bad gateway</html>"},
        {"truncate": 30},
        {"drip": 1.0},
        {"nul_gzip": True},
    ],
    ids=["proxy-page", "bad-gateway-page", "truncated", "dripping", "nul-gzip"],
)
def test_bytes_that_are_not_an_answer_end_in_one_sentence_and_in_time(w: World, what: dict[str, t.Any]) -> None:
    w.tenant.faults.add(Fault(listener="exchange", **what))
    began = w.clock.elapsed
    outcome = offboard(w)
    assert w.clock.elapsed - began < 3 * 6 * (w.retry_timeout + w.timeout)
    for one in outcome.results:
        assert one["steps"]["signin"]["status"] == "verified", "Exchange's fault kept Graph's doors open"
        assert one["unconfirmed"]
        message = one["steps"]["protocols"]["error"]["message"]
        assert "<html" not in message
        assert len(message) < 400
        assert "\n" not in message
    run_again(w)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (requests.exceptions.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"), "does not trust"),
        (
            requests.exceptions.ConnectionError(
                urllib3.exceptions.MaxRetryError(
                    t.cast("t.Any", None),
                    "/v1.0",
                    urllib3.exceptions.NameResolutionError("graph", t.cast("t.Any", None), socket.gaierror(-2, "?")),
                )
            ),
            "cannot be resolved",
        ),
        (requests.exceptions.ProxyError("tunnel failed"), "proxy"),
        (requests.exceptions.ConnectTimeout("timed out"), "did not accept"),
        (requests.exceptions.ReadTimeout("timed out"), "did not answer"),
    ],
    ids=["tls", "dns", "proxy", "connect", "read"],
)
def test_a_network_that_is_not_there_is_reported_in_one_sentence(w: World, broken: Exception, says: str) -> None:
    w.network.broken = {"graph": broken}
    began = w.clock.elapsed
    outcome = w.offboard(EVERYBODY)
    reported = outcome.opening["users"][0]["error"]
    assert says in reported["message"]
    assert w.clock.elapsed - began <= w.retry_timeout + 6 * w.timeout
    if "certificate" in reported["message"]:
        assert w.network.requests <= 4, "an untrusted certificate does not get better by trying"
    run_again(w)


# --- errors in a 200, and exceptions that pass ---

FINAL_KIND = "Microsoft.Exchange.Configuration.Tasks.SomethingException"


@pytest.mark.parametrize("statuses", [True, False], ids=["with status", "without status"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cmdlet", ["Get-CASMailbox", "Set-CASMailbox"])
def test_an_error_in_a_200_is_neither_a_reading_nor_a_write(w: World, cmdlet: str, shape: str, statuses: bool) -> None:
    w.tenant.directory.exchange_batch_status = statuses
    rule = w.tenant.faults.add(
        Fault(cmdlet=cmdlet, status=200, body=error_body(FINAL_KIND, "It cannot be done.", shape))
    )
    outcome = offboard(w)
    assert rule.struck
    for one in outcome.results:
        assert not one["contained"]
        assert one["steps"]["protocols"]["status"] == "failed"
        assert one["steps"]["protocols"]["written_at"] is None
        assert "It cannot be done." in one["steps"]["protocols"]["error"]["message"]
    run_again(w)


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "3"}], ids=["without Retry-After", "with Retry-After"])
@pytest.mark.parametrize("status", [200, 400, 500, 503])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_reading_is_repeated_after_an_exception_that_passes(
    w: World, shape: str, status: int, headers: dict[str, str]
) -> None:
    body = error_body(TRANSIENT[4], "Not now.", shape)
    rule = w.tenant.faults.add(Fault(cmdlet="Get-CASMailbox", nth=(1, 4), status=status, headers=headers, body=body))
    assert contained(offboard(w)) == EVERYBODY
    assert rule.struck == 4
    run_again(w)


@pytest.mark.parametrize("applied", [False, True], ids=["lost", "done"])
@pytest.mark.parametrize("status", [200, 400, 500, 503])
@pytest.mark.parametrize("kind", TRANSIENT)
def test_a_write_is_looked_at_and_sent_again_after_an_exception_that_passes(
    w: World, kind: str, status: int, applied: bool
) -> None:
    body = error_body(kind, "Not now.", SHAPES[len(kind) % len(SHAPES)])
    rule = w.tenant.faults.add(Fault(cmdlet="Set-CASMailbox", nth=1, status=status, body=body, apply_first=applied))
    assert contained(offboard(w)) == EVERYBODY
    assert rule.struck == 1
    assert len(sent(w, cmdlet="Set-CASMailbox")) == len(EVERYBODY) + (not applied)
    run_again(w)


@pytest.mark.parametrize("text", ["Throttled.", "The server is busy.", "Unavailable.", "Please try again."])
def test_a_200_that_says_in_words_that_it_passes_is_repeated(w: World, text: str) -> None:
    rule = w.tenant.faults.add(Fault(listener="exchange", batch=True, nth=(1, 2), status=200, body={"error": text}))
    assert contained(offboard(w)) == EVERYBODY
    assert rule.struck == 2


# --- delay ---


@pytest.mark.parametrize("delay", [3.5, 20.0])
def test_a_batch_of_ten_slow_cmdlets_finishes_with_default_options(w: World, delay: float) -> None:
    people = [user.upn for user in w.tenant.directory.add_crowd(10)]
    w.tenant.directory.exchange_call_delay = delay
    assert contained(offboard(w, people)) == people
    assert len(sent(w, cmdlet="Set-CASMailbox")) == len(people), "a write was sent twice"


def test_after_a_batch_of_writes_that_took_too_long_only_those_not_shown_are_sent_again(w: World) -> None:
    people = [user.upn for user in w.tenant.directory.add_crowd(10)]
    w.tenant.faults.add(Fault(cmdlet="Set-CASMailbox", nth=3, status=503, delay=400.0))
    assert contained(offboard(w, people)) == people
    assert len(sent(w, cmdlet="Set-CASMailbox")) == len(people) + 1


# --- a switch that this tenant does not have ---


@pytest.mark.parametrize("missing", [("EwsEnabled",), ("EwsEnabled", "MacOutlookEnabled", "PopEnabled")])
def test_a_switch_that_cannot_be_set_keeps_no_other_one_on(w: World, missing: tuple[str, ...]) -> None:
    w.tenant.directory.missing_parameters = missing
    outcome = offboard(w)
    for one in outcome.results:
        assert one["status"] == "failed"
        assert len(one["open"]) == len(missing)
        assert "ews" in one["open"]
        error = one["steps"]["protocols"]["error"]
        assert "A parameter cannot be found" in error["message"]
        assert "role" in error["hint"]
        settings = w.tenant.directory.user(one["id"]).mailbox
        assert settings is not None
        assert settings["MAPIEnabled"] is False
    w.tenant.directory.missing_parameters = ()
    run_again(w)


# --- mailboxes that are not there, or do not say whose they are ---


def test_a_licensed_user_without_a_mailbox_is_unconfirmed_until_there_is_one(w: World) -> None:
    john = w.tenant.directory.user(JOHN)
    john.mailbox_back = w.clock.monotonic() + 3600
    outcome = offboard(w)
    assert contained(outcome) == [JANE, MARIA]
    reported = outcome.by_name[JOHN]
    assert (reported["status"], len(reported["unconfirmed"]), reported["open"]) == ("unconfirmed", 12, [])
    assert "enabled Exchange plan" in reported["steps"]["protocols"]["note"]
    w.clock.advance(3600)
    assert contained(offboard(w)) == EVERYBODY
    assert w.is_contained(john)
    run_again(w)


def test_a_mailbox_that_appears_within_verify_timeout_is_shut_in_the_same_run(w: World) -> None:
    w.tenant.directory.user(JOHN).mailbox_back = w.clock.monotonic() + 10
    assert contained(offboard(w)) == EVERYBODY


@pytest.mark.parametrize("status", [200, 400, 404, 500])
def test_another_object_that_is_not_found_says_nothing_of_the_mailbox(w: World, status: int) -> None:
    w.tenant.directory.mailbox_not_found_status = status
    nomail = w.tenant.directory.user("nomail").upn
    assert contained(offboard(w, [nomail])) == [nomail]
    w.tenant.directory.mailbox_not_found_names = "OwaMailboxPolicy-Default"
    reported = offboard(w, [nomail]).results[0]
    assert not reported["contained"]
    assert len(reported["unconfirmed"]) == 12


def test_rows_that_do_not_say_whose_they_are_prove_nothing(w: World) -> None:
    w.tenant.directory.mailbox_tells_owner = False
    outcome = offboard(w)
    assert contained(outcome) == []
    assert all(len(one["unconfirmed"]) == 12 for one in outcome.results)
    w.tenant.directory.mailbox_tells_owner = True
    run_again(w)


def test_a_mailbox_that_comes_on_the_second_page_is_read(w: World) -> None:
    w.tenant.directory.exchange_empty_first_page = True
    assert contained(offboard(w)) == EVERYBODY
    run_again(w)


# --- refusals without words ---


def test_a_tenant_that_lives_on_another_host_is_named_with_the_way_out(w: World) -> None:
    w.tenant.directory.exchange_redirect = "eur05.outlook.office365.com"
    outcome = offboard(w)
    for one in outcome.results:
        error = one["steps"]["protocols"]["error"]
        assert "eur05.outlook.office365.com" in error["message"]
        assert "exchange_url" in error["hint"]
    assert {e.listener for e in w.tenant.journal} == {"entra", "graph", "exchange"}
    w.tenant.directory.exchange_redirect = ""
    run_again(w)


def test_a_403_of_nul_bytes_names_its_class(w: World) -> None:
    w.tenant.app("offboarding").exchange_roles = frozenset()
    w.tenant.app("offboarding").roles = frozenset({"Privileged Authentication Administrator"})
    for one in offboard(w).results:
        assert "CmdletAccessDeniedException" in one["steps"]["protocols"]["error"]["message"]


# --- batches ---


@pytest.mark.parametrize(
    "what", [{"status": 424}, {"drop": True}, {"duplicate": True}], ids=["424", "missing", "twice"]
)
@pytest.mark.parametrize("listener", ["graph", "exchange"])
def test_a_batch_that_answers_for_some_only_loses_nobody(w: World, what: dict[str, t.Any], listener: str) -> None:
    rule = w.tenant.faults.add(Fault(listener=listener, batch=True, nth=(2, 5), **what))
    assert contained(offboard(w)) == EVERYBODY
    assert rule.struck == 4
    run_again(w)


def test_424_for_a_whole_batch(w: World) -> None:
    rule = w.tenant.faults.add(Fault(listener="graph", batch=True, writes=True, nth=(1, 3), status=424))
    assert contained(offboard(w)) == EVERYBODY
    assert rule.struck == 3


def test_a_concurrency_conflict_is_tried_again(w: World) -> None:
    body = {"error": {"code": "Directory_ConcurrencyViolation", "message": "Please wait briefly and retry."}}
    rules = [Fault(method="PATCH", nth=1, status=409, body=body), Fault(path="revoke", nth=1, status=400, body=body)]
    w.tenant.faults.add(*rules)
    assert contained(offboard(w)) == EVERYBODY
    assert [rule.struck for rule in rules] == [1, 1]


# --- tokens ---


def test_one_401_costs_one_new_token(w: World) -> None:
    w.tenant.faults.add(Fault(listener="graph", batch="outer", nth=3, status=401))
    assert contained(offboard(w)) == EVERYBODY
    tokens = sent(w, listener="entra", method="POST")
    # Six module runs, eight audiences (two of the runs look at mailboxes, one writes them), and the new one.
    assert len(tokens) == 6 + 3 + 1


@pytest.mark.parametrize(
    "challenge",
    [{}, {"WWW-Authenticate": 'Bearer error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="'}],
    ids=["refused", "claims-challenge"],
)
def test_401_for_ever_is_a_few_new_tokens_and_then_a_clear_failure(w: World, challenge: dict[str, str]) -> None:
    w.tenant.faults.add(Fault(listener="graph", status=401, headers=challenge))
    began = w.clock.elapsed
    outcome = w.offboard(EVERYBODY)
    assert all("401" in one["error"]["message"] for one in outcome.results)
    # One of them is Exchange's, which is asked for meanwhile.
    assert len(sent(w, listener="entra", method="POST")) <= 6
    assert w.clock.elapsed - began < 10
    run_again(w)


@pytest.mark.parametrize("batch", ["outer", True, False])
@pytest.mark.parametrize("listener", ["graph", "exchange"])
def test_401_of_two_fresh_tokens_in_a_minute_is_waited_out(w: World, listener: str, batch: t.Any) -> None:
    users = [JANE] if batch is False else EVERYBODY
    rule = w.tenant.faults.add(Fault(listener=listener, batch=batch, status=401, nth=(1, 3)))
    assert contained(offboard(w, users)) == users
    assert rule.struck == 3
    run_again(w, users)


def test_a_token_that_ends_in_the_middle_of_a_run_is_renewed_before(w: World) -> None:
    w.tenant.directory.token_lifetime = 600
    w.tenant.faults.add(Fault(listener="graph", writes=True, nth=1, status=429, headers={"Retry-After": "290"}))
    w.tenant.faults.add(Fault(listener="graph", writes=True, nth=2, status=429, headers={"Retry-After": "9"}))
    assert contained(offboard(w)) == EVERYBODY


@pytest.mark.parametrize(
    "what",
    [
        {"status": 503, "nth": (1, 2)},
        {"status": 429, "nth": 1, "headers": {"Retry-After": "30"}},
        {"close": "before", "nth": 1},
    ],
    ids=["503-twice", "429", "reset"],
)
def test_a_fault_of_the_token_endpoint_is_waited_out_below_msals_memory(w: World, what: dict[str, t.Any]) -> None:
    rule = w.tenant.faults.add(Fault(listener="entra", method="POST", **what))
    assert contained(offboard(w)) == EVERYBODY
    assert rule.struck == len(range(*((1, 3) if isinstance(what["nth"], tuple) else (1, 2))))
    asked = sent(w, listener="entra", method="POST")
    assert len(asked) == 9 + rule.struck, "a second try that never reached the network"


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ({"status": 503}, "503"),
        (
            {"status": 400, "body": {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid."}},
            "AADSTS",
        ),
        ({"status": 200, "body": "<html>proxy</html>"}, "other than JSON"),
        ({"delay": 40.0, "close": "before"}, "login"),
    ],
    ids=["503", "400", "html", "silence"],
)
def test_a_token_endpoint_that_stays_broken_is_a_bounded_clear_failure(
    w: World, what: dict[str, t.Any], says: str
) -> None:
    w.tenant.faults.add(Fault(listener="entra", method="POST", **what))
    began = w.clock.elapsed
    outcome = w.offboard(EVERYBODY)
    assert outcome.opening["users"] == [] or all(one["error"] for one in outcome.results)
    assert w.clock.elapsed - began <= 2 * (w.retry_timeout + 40)
    reported = outcome.opening.get("msg") or outcome.results[0]["error"]["message"]
    assert says in reported or "127.0.0.1" in reported
    assert "<html" not in reported
    run_again(w)


# --- answers that are not what was asked for ---


@pytest.mark.parametrize("batch", [True, False])
def test_an_answer_about_somebody_else_is_an_error_and_nobody_is_written(w: World, batch: bool) -> None:
    users = [JANE, JOHN] if batch else [JANE]
    maria = w.tenant.directory.user(MARIA)
    other = {"value": [{**maria.properties, "id": maria.id}]}
    w.tenant.faults.add(Fault(path="jane.doe", method="GET", status=200, body=other))
    outcome = w.offboard(users)
    assert outcome.by_name[JANE]["status"] == "failed"
    assert outcome.by_name[JANE]["error"]["code"] == "another_user"
    jane = w.tenant.directory.user(JANE)
    assert {e.user for e in w.tenant.journal.writes()}.isdisjoint({maria.id, jane.id})
    run_again(w, users)


def test_a_reading_of_somebody_else_is_never_a_proof(w: World) -> None:
    jane, maria = w.tenant.directory.user(JANE), w.tenant.directory.user(MARIA)
    w.offboard([MARIA])
    shut = {**maria.properties, "id": maria.id}
    w.tenant.faults.add(Fault(path=f"/users/{jane.id}", method="GET", status=200, body=shut))
    outcome = w.offboard([JANE])
    assert contained(outcome) == []
    statuses = {record["status"] for step, record in outcome.records_of.get(jane.id, []) if step != "protocols"}
    assert "verified" not in statuses
    run_again(w, [JANE])


def test_names_that_would_break_what_shows_them_are_cleaned(w: World) -> None:
    w.tenant.directory.user(JANE)["displayName"] = "Jane \ud83d\x1b[2J\x00\x85\u202eDoe \U0001f600"
    reported = w.offboard([JANE]).opening["users"][0]["display_name"]
    assert reported == "Jane \ufffd\ufffd[2J\ufffd\ufffd\ufffdDoe \U0001f600"


def test_an_error_that_repeats_the_payload_shows_no_password(w: World) -> None:
    offered: list[str] = []

    class Parrot(Fault):
        def strikes(self, call: t.Any) -> bool:
            return not offered and b'"password"' in call.body and call.target.endswith("/$batch")

        def answer(self, call: t.Any, serve: t.Any) -> Answer:
            text = call.body.decode()
            offered.extend(re.findall(r'"password": "([^"]+)"', text))
            return Answer(400, {"error": {"code": "BadRequest", "message": f"No: {text[:4000]}"}})

    w.tenant.faults.add(Parrot(status=400))
    reported = json.dumps(w.offboard(EVERYBODY).runs)
    assert len(offered) == len(EVERYBODY)
    assert not [one for one in offered if one[:12] in reported]


# --- time ---


def only_who_left_is_contained(w: World, now: datetime.datetime) -> None:
    """Of somebody who leaves in two minutes, somebody who left two minutes ago, and somebody without a date."""
    moments = datetime.timedelta(minutes=2)
    users = [
        {"user": JANE, "left_at": (now + moments).isoformat()},
        {"user": JOHN, "left_at": (now - moments).isoformat()},
        MARIA,
    ]
    outcome = w.offboard(users)
    assert [one["status"] for one in outcome.results] == ["not_due", "contained", "contained"]


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 +1200"])
@pytest.mark.parametrize("nth", [1, None])
def test_a_date_that_no_clock_shows_makes_nobody_due_and_keeps_nobody_in(w: World, date: str, nth: int | None) -> None:
    now = w.tenant.directory.now()
    w.tenant.faults.add(Fault(listener="graph", nth=nth, status=None, headers={"Date": date}))
    only_who_left_is_contained(w, now)


@pytest.mark.parametrize("lag", [1, 5, 20, 29, 31, 60])
def test_replicas_that_lag_never_make_a_false_verdict(w: World, lag: float) -> None:
    w.tenant.directory.replica_lag = lag
    outcome = offboard(w)
    for step, record in outcome.records:
        assert record["status"] in ("verified", "accepted"), (step, record)
    accepted = {record["status"] for _step, record in outcome.records} == {"accepted"}
    assert accepted is (lag > w.verify_timeout)
    run_again(w)


def test_a_replica_of_exchange_that_lags_for_six_minutes_never_makes_a_false_verdict(w: World) -> None:
    w.tenant.directory.exchange_replica_lag = 360
    outcome = offboard(w)
    assert contained(outcome) == []
    for one in outcome.results:
        assert one["steps"]["protocols"]["status"] == "accepted"
        assert one["status"] == "unconfirmed"
        assert len(one["unconfirmed"]) == 12
    w.clock.advance(360)
    run_again(w)


@pytest.mark.parametrize("skew", [-3600, 3600])
def test_a_controller_whose_clock_is_wrong_by_an_hour_judges_no_differently(w: World, skew: float) -> None:
    w.tenant.directory.clock_offset += skew
    now = w.tenant.directory.now()
    only_who_left_is_contained(w, now)


# --- one service down ---


def test_exchange_is_down_while_graph_works(w: World) -> None:
    w.tenant.faults.add(Fault(listener="exchange", status=503))
    outcome = offboard(w)
    for one in outcome.results:
        assert [one["steps"][step]["status"] for step in ("password", "sessions", "signin")] == ["verified"] * 3
        assert one["open"] == []
        assert len(one["unconfirmed"]) == 12
        assert one["status"] == "failed"
    run_again(w)


def test_graphs_writes_are_down_while_exchange_works(w: World) -> None:
    w.tenant.faults.add(Fault(listener="graph", writes=True, status=503))
    outcome = offboard(w)
    for one in outcome.results:
        assert one["steps"]["protocols"]["status"] == "verified"
        assert one["open"] == ["password", "sessions", "signin"]
        assert one["status"] == "failed"
    run_again(w)


def test_graph_is_down_altogether(w: World) -> None:
    w.tenant.faults.add(Fault(listener="graph", status=503))
    outcome = w.offboard(EVERYBODY)
    assert all(one["status"] == "failed" and one["error"] for one in outcome.results)
    assert w.tenant.journal.writes() == [], "nobody may be written who could not be held against the protected"
    run_again(w)


def test_one_leavers_fault_is_nobody_elses(w: World) -> None:
    john = w.tenant.directory.user(JOHN)
    w.tenant.faults.add(Fault(user=john.id, writes=True, status=403))
    outcome = offboard(w)
    assert contained(outcome) == [JANE, MARIA]
    assert outcome.by_name[JOHN]["status"] == "failed"
    run_again(w)


def test_a_service_that_stays_silent_is_not_waited_for_by_every_leaver(w: World) -> None:
    people = [user.upn for user in w.tenant.directory.add_crowd(400)]
    w.tenant.faults.add(Fault(listener="exchange", delay=30.0, close="before"))
    began = w.clock.elapsed
    outcome = w.offboard(people)
    # Three module runs look at mailboxes, the closing one up to six times; one at a time, not four as in real life.
    assert w.clock.elapsed - began < 8 * (w.retry_timeout + 2 * w.timeout)
    assert {one["steps"]["signin"]["status"] for one in outcome.results} == {"verified"}
    assert all(one["unconfirmed"] for one in outcome.results)


def test_a_token_that_is_refused_is_asked_for_once_per_module_run(w: World) -> None:
    people = [user.upn for user in w.tenant.directory.add_crowd(60)]
    w.tenant.directory.has_exchange = False
    outcome = w.offboard(people)
    hints = {one["steps"]["protocols"]["error"]["hint"] for one in outcome.results}
    assert len(hints) == 1
    assert "Leave the protocols step out" in hints.pop()
    refused = [e for e in sent(w, listener="entra", method="POST") if e.status == 400]
    assert 3 <= len(refused) <= 8, "once in each run of a module that looks at mailboxes"


# --- what happens between two tasks ---

NOT_THERE = {"error": {"code": "Request_ResourceNotFound", "message": "Resource does not exist."}}


def before(w: World, task: str, happens: t.Callable[[], object]) -> None:
    """Let something happen once, before this task of the next run begins."""

    def hook(name: str) -> None:
        if name == task:
            w.before_task = lambda _task: None
            happens()

    w.before_task = hook


def statuses(one: t.Mapping[str, t.Any]) -> dict[str, str]:
    return {step: entry["status"] for step, entry in one["steps"].items()}


def reason_for(one: t.Mapping[str, t.Any], door: str) -> str:
    (reason,) = [entry["reason"] for entry in one["reasons"] if door in entry["doors"]]
    return str(reason)


@pytest.mark.parametrize("step", ["password", "sessions", "signin", "protocols"])
def test_one_404_on_a_steps_own_read_fails_that_step_and_no_other(w: World, step: str) -> None:
    jane = w.tenant.directory.user(JANE)
    fault = Fault(listener="graph", user=jane.id, writes=False, status=404, body=NOT_THERE, nth=1)
    before(w, step, lambda: w.tenant.faults.add(fault))
    outcome = offboard(w)
    assert fault.struck == 1
    one = outcome.by_name[JANE]
    assert one["status"] == "failed"
    assert statuses(one)[step] == "failed"
    assert one["steps"][step]["error"]["message"]
    assert "planned" not in statuses(one).values()
    # Exactly the doors that are really open, and each with a reason.
    assert step in one["open"] or step == "protocols"
    assert {door for entry in one["reasons"] for door in entry["doors"]} == {*one["open"], *one["unconfirmed"]}
    assert contained(outcome) == [JOHN, MARIA]
    run_again(w)


def test_graph_goes_down_in_the_middle_and_stays_down(w: World) -> None:
    before(w, "sessions", lambda: w.tenant.faults.add(Fault(listener="graph", status=503)))
    outcome = offboard(w)
    for one in outcome.results:
        assert one["status"] == "failed"
        assert (one["open"], len(one["unconfirmed"])) == ([], 15)
        assert statuses(one) == {"password": "verified", **dict.fromkeys(("sessions", "signin", "protocols"), "failed")}
        assert "503" in reason_for(one, "signin")
    run_again(w)


def test_a_user_who_is_deleted_in_the_middle_is_deleted_and_not_open(w: World) -> None:
    jane = w.tenant.directory.user(JANE)
    before(w, "signin", lambda: w.tenant.directory.delete(jane))
    outcome = w.offboard(EVERYBODY)
    one = outcome.by_name[JANE]
    assert (one["status"], one["contained"], one["open"], one["unconfirmed"]) == ("deleted", False, [], [])
    assert one["error"]["code"] == "deleted"
    assert contained(outcome) == [JOHN, MARIA]


def test_a_replica_that_does_not_know_somebody_is_asked_again_and_proves_nothing(w: World) -> None:
    jane = w.tenant.directory.user(JANE)
    passing = Fault(listener="graph", user=jane.id, writes=False, status=404, body=NOT_THERE, nth=(1, 2))
    before(w, "closing", lambda: w.tenant.faults.add(passing))
    assert contained(offboard(w)) == EVERYBODY

    john = w.tenant.directory.add_crowd(1)[0]
    lasting = Fault(listener="graph", user=john.id, writes=False, status=404, body=NOT_THERE)
    before(w, "closing", lambda: w.tenant.faults.add(lasting))
    began = w.clock.elapsed
    (one,) = offboard(w, [john.upn]).results
    assert w.clock.elapsed - began < 2 * w.verify_timeout
    assert (one["status"], one["open"]) == ("failed", [])
    assert "signin" in one["unconfirmed"]
    assert reason_for(one, "signin")


@pytest.mark.parametrize("retry_timeout", [30, 300])
def test_exchange_fails_after_the_protocols_and_one_retry_budget_is_spent_on_it(retry_timeout: float) -> None:
    with world(retry_timeout=retry_timeout) as w:
        began: list[float] = []

        def out() -> None:
            began.append(w.clock.elapsed)
            w.tenant.faults.add(Fault(listener="exchange", status=503))

        before(w, "closing", out)
        outcome = offboard(w)
        assert w.clock.elapsed - began[0] <= retry_timeout + w.verify_timeout + 10
        for one in outcome.results:
            assert (one["status"], one["open"], len(one["unconfirmed"])) == ("failed", [], 12)
            assert "503" in reason_for(one, "owa")
            assert statuses(one)["protocols"] == "accepted"
        run_again(w)


def test_the_password_is_changed_by_the_employee_between_reset_and_sign_out(w: World) -> None:
    jane = w.tenant.directory.user(JANE)
    before(w, "sessions", lambda: w.changes_own_password(jane))
    outcome = w.offboard(EVERYBODY)
    one = outcome.by_name[JANE]
    assert (one["status"], one["contained"], one["open"]) == ("open", False, ["password"])
    assert "changed again" in reason_for(one, "password")
    assert contained(outcome) == [JOHN, MARIA]


def test_a_write_that_is_never_shown_is_unconfirmed_with_the_reason(w: World) -> None:
    before(w, "signin", lambda: setattr(w.tenant.directory, "replica_lag", 600))
    outcome = offboard(w)
    for one in outcome.results:
        assert (one["status"], one["contained"], one["open"]) == ("unconfirmed", False, [])
        assert "within verify_timeout" in reason_for(one, "signin")
    run_again(w)


@pytest.mark.parametrize("task", ["password", "sessions", "signin", "protocols", "closing"])
def test_a_run_that_is_killed_leaves_what_was_found_and_done(w: World, task: str) -> None:
    def kill() -> None:
        raise Killed

    people = {name: w.tenant.directory.user(name) for name in EVERYBODY}
    found = {name: user["lastPasswordChangeDateTime"] for name, user in people.items()}
    before(w, task, kill)
    with pytest.raises(Killed):
        w.offboard(EVERYBODY)

    reported = json.loads(str(w.file))
    assert reported["complete"] is False
    for one in reported["hosts"]["localhost"]["leavers"]:
        steps = [step for step in one["steps"] if statuses(one)[step] == "pending"]
        done = list(one["steps"])[: STEPS.index(task) if task != "closing" else 4]
        assert [step for step in one["steps"] if step not in done] == steps
        assert not one["contained"]
        before_it = one["steps"]["password"]["before"]["last_password_change_date_time"]
        assert before_it == found[one["user"]]
        assert one["steps"]["signin"]["before"] == {"account_enabled": True}
    run_again(w)
