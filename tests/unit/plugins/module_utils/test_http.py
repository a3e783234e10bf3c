# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults between here and Microsoft: what is sent again, when, and what is told in the end."""

from __future__ import annotations

import datetime
import email.utils
import gzip
import io
import json
import tracemalloc

import pytest
import requests

from ansible_collections.m365.offboarding.plugins.module_utils._credentials import Credential, TokenSource
from ansible_collections.m365.offboarding.plugins.module_utils._errors import (
    NetworkError,
    OffboardingError,
    ServiceError,
)
from ansible_collections.m365.offboarding.plugins.module_utils._graph import Graph
from ansible_collections.m365.offboarding.plugins.module_utils._http import PatientTokenHttp, Transport
from ansible_collections.m365.offboarding.plugins.module_utils._retry import Clock, RetryBudget, http_date, retry_after
from ansible_collections.m365.offboarding.plugins.module_utils._service import Answer
from ansible_collections.m365.offboarding.tests.unit.plugins.fakes.clock import NOW
from ansible_collections.m365.offboarding.tests.unit.plugins.fakes.entra import (
    AUTHORITY,
    CLIENT_ID,
    CLIENT_SECRET,
    TENANT_ID,
    refusal,
)
from ansible_collections.m365.offboarding.tests.unit.plugins.fakes.people import crowd, person
from ansible_collections.m365.offboarding.tests.unit.plugins.fakes.turns import (
    concurrency,
    enable,
    fault,
    forbidden,
    graph_error,
    read,
    reset,
    throttled,
    web_page,
)
from ansible_collections.m365.offboarding.tests.unit.plugins.fakes.wire import GRAPH, Reply

JANE = person("jane.doe")
ANN, BOB, CID = crowd(3)


@pytest.fixture
def make_graph(clock, wire):
    """Return a function that makes a Graph that is asked with a client secret."""

    def make(retry_timeout: float = 300, timeout: float = 30) -> Graph:
        transport = Transport(timeout=timeout)
        tokens = TokenSource(
            Credential("secret", {"client_secret": CLIENT_SECRET}),
            tenant_id=TENANT_ID,
            client_id=CLIENT_ID,
            authority_url=f"https://{AUTHORITY}",
            http=PatientTokenHttp(transport, retry_timeout),
            on_secret=lambda _secret: None,
            monotonic=clock.monotonic,
        )
        return Graph(f"https://{GRAPH}", transport, tokens, retry_timeout)

    return make


@pytest.fixture
def graph(make_graph):
    return make_graph()


def ask(graph, *people):
    return graph.send([graph.get_user(one["id"]) for one in people])


def block(graph, *people):
    return graph.send([graph.enable_account(one["id"], False) for one in people])


def statuses(outcomes):
    return [one.status if isinstance(one, (Answer, ServiceError)) else one.code for one in outcomes]


def http_dates(seconds: float) -> str:
    return email.utils.format_datetime(NOW + datetime.timedelta(seconds=seconds), usegmt=True)


# --- Retry-After ---

FAR_AWAY = [("21600", 21600), (http_dates(21600), 21600), ("1e9", 1e9)]
TOLD = [
    pytest.param("10", 10, id="whole"),
    pytest.param("2.128", 2.128, id="decimal"),
    pytest.param(" 7 ", 7, id="with blanks"),
    pytest.param("0", 0.5, id="zero: half a second"),
    pytest.param(http_dates(12), 12, id="HTTP date"),
    pytest.param(http_dates(-3600), 1, id="HTTP date in the past: a minimum"),
    pytest.param(http_dates(0), 1, id="HTTP date that is now: a minimum"),
    pytest.param(None, 1, id="nothing told: own back-off"),
    pytest.param("soon", 1, id="garbage: own back-off"),
    pytest.param("-5", 1, id="negative: own back-off"),
    pytest.param("-0.5", 1, id="a little negative: own back-off"),
    pytest.param("nan", 1, id="not a number: own back-off"),
    pytest.param("inf", 1, id="infinite: own back-off"),
    pytest.param("", 1, id="empty: own back-off"),
    pytest.param("5, 10", 1, id="two values: own back-off"),
]


@pytest.mark.parametrize(("reported", "waits"), TOLD)
@pytest.mark.parametrize("call", [(ask, read(JANE)), (block, enable(JANE, False))], ids=["read", "write"])
def test_a_throttled_call_is_sent_again_after_exactly_the_told_wait(graph, wire, clock, reported, waits, call):
    send, turn = call
    wire.expect_each(turn.but(throttled(reported)), turn)

    assert statuses(send(graph, JANE)) == [turn.reply.status]
    assert clock.naps == [pytest.approx(waits)]


@pytest.mark.parametrize(("reported", "waits"), TOLD)
def test_of_a_batch_only_the_throttled_are_sent_again(graph, wire, clock, reported, waits):
    wire.expect(read(ANN), read(BOB).but(throttled(reported)), read(CID))
    wire.expect(read(BOB))

    assert statuses(ask(graph, ANN, BOB, CID)) == [200, 200, 200]
    assert clock.naps == [pytest.approx(waits)]


def test_of_a_batch_all_throttled_wait_for_the_longest(graph, wire, clock):
    wire.expect(read(ANN).but(throttled("3")), read(BOB).but(throttled("8")), read(CID))
    wire.expect(read(ANN), read(BOB))

    assert statuses(ask(graph, ANN, BOB, CID)) == [200, 200, 200]
    assert clock.naps == [8]


def test_a_batch_that_is_throttled_as_a_whole_is_sent_again_as_a_whole(graph, wire, clock):
    wire.expect(read(ANN), read(BOB), whole=throttled("5"))
    wire.expect(read(ANN), read(BOB))

    assert statuses(ask(graph, ANN, BOB)) == [200, 200]
    assert clock.naps == [5]


@pytest.mark.parametrize(("reported", "seconds"), FAR_AWAY)
def test_a_wait_of_hours_is_a_failure_that_names_it(graph, wire, clock, reported, seconds):
    wire.expect(read(JANE).but(throttled(reported)))

    (error,) = ask(graph, JANE)

    assert error.code == "TooManyRequests"
    assert f"{seconds:g} s" in error.hint
    assert "retry_timeout (300 s)" in error.hint
    assert clock.naps == []


def test_a_wait_that_would_exceed_what_is_left_of_retry_timeout_is_not_begun(make_graph, wire, clock):
    wire.expect_each(*[read(JANE).but(throttled("40"))] * 3)

    (error,) = ask(make_graph(retry_timeout=100), JANE)

    assert clock.naps == [40, 40]
    assert "after 80 s of waiting" in error.hint


def test_back_off_doubles_up_to_half_a_minute_and_ends_within_retry_timeout(graph, wire, clock):
    wire.expect_each(*[read(JANE).but(throttled())] * 14)

    assert statuses(ask(graph, JANE)) == [429]
    assert clock.naps == [1, 2, 4, 8, 16] + [30] * 8
    assert clock.passed <= 300


def test_jitter_spreads_over_the_upper_half():
    drawn = [Clock().jitter() for _draw in range(1_000)]

    assert 0.5 <= min(drawn) < 0.55
    assert 0.95 < max(drawn) <= 1


def test_jitter_makes_back_off_shorter_never_longer(clock):
    assert RetryBudget(300, clock).next_wait(None) == 1
    clock.jitter = lambda: 0.5
    assert RetryBudget(300, clock).next_wait(None) == 0.5
    assert RetryBudget(300, clock).next_wait(10) == 10


# --- the gate ---


def test_a_throttled_write_closes_the_host_for_writes_and_not_for_reads(graph, wire, clock):
    wire.expect(enable(ANN, False).but(throttled("21600")))
    block(graph, ANN)
    wire.expect(read(BOB))

    assert statuses(ask(graph, BOB)) == [200]
    (error,) = block(graph, CID)

    assert "21600 s" in error.message
    assert clock.naps == []
    assert len(wire.sent) == 2


def test_a_throttled_read_closes_the_host_for_reads_and_not_for_writes(graph, wire, clock):
    wire.expect(read(ANN).but(throttled("21600")))
    ask(graph, ANN)
    wire.expect(enable(BOB, False))

    assert statuses(block(graph, BOB)) == [204]
    (error,) = ask(graph, CID)
    assert (error.status, len(wire.sent)) == (429, 2)


def test_nothing_is_sent_into_a_closed_window(make_graph, wire, clock):
    graph = make_graph(retry_timeout=30)
    wire.expect(enable(ANN, False).but(throttled("25")))
    wire.expect_each(enable(ANN, False).but(throttled("20")))
    block(graph, ANN)  # the second wait exceeds what is left; the window is closed all the same
    closed_at = clock.monotonic()
    wire.expect(enable(BOB, False))

    assert statuses(block(graph, BOB)) == [204]
    assert wire.sent[-1].at == closed_at + 20


def test_a_window_that_opens_exactly_with_the_end_of_patience_is_waited_for(make_graph, wire, clock):
    graph = make_graph(retry_timeout=20)
    wire.expect(read(ANN).but(throttled("25")))
    ask(graph, ANN)
    clock.pass_by(5)
    wire.expect(read(BOB))

    assert statuses(ask(graph, BOB)) == [200]
    assert clock.naps == [20]


def test_one_throttled_chunk_closes_the_window_for_all_chunks_that_follow(graph, wire, clock):
    everybody = crowd(90)
    limited = everybody[3]
    wire.expect(
        *[enable(one, False) for one in everybody if one is not limited], enable(limited, False).but(throttled("9"))
    )
    wire.expect(enable(limited, False))

    assert set(statuses(block(graph, *everybody))) == {204}
    closed = next(sent.at for sent in wire.sent if limited["id"] in sent.path)
    assert not [sent for sent in wire.sent if closed < sent.at < closed + 9]


@pytest.mark.parametrize("reported", [None, "0"], ids=["nothing told", "half a second"])
def test_a_short_window_is_a_closed_one_too(make_graph, wire, clock, reported):
    graph = make_graph(retry_timeout=0.4)
    wire.expect(read(ANN).but(throttled(reported)))
    ask(graph, ANN)

    (error,) = ask(graph, BOB)

    assert "is throttling" in error.message
    assert len(wire.sent) == 1


def test_not_available_with_a_told_wait_closes_the_window_too(make_graph, wire):
    graph = make_graph(retry_timeout=5)
    wire.expect(read(ANN).but(Reply(503, headers={"Retry-After": "100"})))
    ask(graph, ANN)

    (error,) = ask(graph, BOB)

    assert "100 s" in error.message
    assert len(wire.sent) == 1


def test_not_available_without_a_told_wait_closes_nothing(make_graph, wire, clock):
    graph = make_graph(retry_timeout=0.4)
    wire.expect(read(ANN).but(Reply(503)))
    ask(graph, ANN)
    wire.expect(read(BOB))

    assert statuses(ask(graph, BOB)) == [200]
    assert clock.naps == []


def test_who_has_waited_long_enough_while_others_were_asked_waits_no_more(graph, wire, clock, monkeypatch):
    everybody = crowd(40)
    first, second = everybody[:20], everybody[20:]
    wire.expect(read(first[0]).but(throttled("5")), *map(read, first[1:]))
    wire.expect(*map(read, second))
    wire.expect(read(first[0]))
    naps = []

    def oversleep(seconds):
        assert seconds >= 0
        naps.append(seconds)
        clock.pass_by(seconds + 1)

    monkeypatch.setattr(clock, "sleep", oversleep)
    graph.in_flight = 1

    assert set(statuses(ask(graph, *everybody))) == {200}
    assert naps == [5, 0]


# --- faults of the service ---


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_fault_that_hides_nothing_is_worth_more_tries(graph, wire, clock, status):
    wire.expect_each(*[read(JANE).but(Reply(status))] * 6, read(JANE))

    assert statuses(ask(graph, JANE)) == [200]


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_read_is_repeated_after_a_passing_fault(graph, wire, clock, status):
    wire.expect_each(read(JANE).but(fault(status)), read(JANE).but(Reply(status)), read(JANE))

    assert statuses(ask(graph, JANE)) == [200]
    assert clock.naps == [1, 2]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_write_after_a_fault_is_given_back_as_unknown_and_not_repeated(graph, wire, clock, status):
    wire.expect(enable(JANE, False).but(fault(status)))

    (error,) = block(graph, JANE)

    assert (error.outcome_unknown, clock.naps) == (True, [])


def test_a_request_timeout_of_the_service_leaves_a_writes_outcome_unknown(graph, wire):
    wire.expect(enable(JANE, False).but(Reply(408)))

    (error,) = block(graph, JANE)

    assert error.outcome_unknown


def test_500_is_tried_a_few_times_only_since_it_may_hide_a_missing_permission(graph, wire, clock):
    wire.expect_each(*[read(JANE).but(fault(500))] * 5)

    assert statuses(ask(graph, JANE)) == [500]
    assert clock.naps == [1, 2, 4, 8]


@pytest.mark.parametrize("status", [409, 400])
@pytest.mark.parametrize("call", [(ask, read(JANE)), (block, enable(JANE, False))], ids=["read", "write"])
def test_a_concurrency_conflict_did_nothing_and_is_tried_again(graph, wire, clock, status, call):
    send, turn = call
    wire.expect_each(turn.but(concurrency(status)), turn)

    assert statuses(send(graph, JANE)) == [turn.reply.status]
    assert clock.naps == [1]


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 415, 499])
def test_a_considered_refusal_is_final(graph, wire, clock, status):
    wire.expect(read(JANE).but(graph_error(status, "Request_BadRequest", "No.")))

    assert statuses(ask(graph, JANE)) == [status]
    assert clock.naps == []


def test_an_error_tells_microsofts_code_text_and_request_id(graph, wire):
    for spelling in ("innerError", "innererror"):
        wire.expect(read(JANE).but(graph_error(400, "Request_BadRequest", "Not so.\nSecond line.", spelling=spelling)))

        (error,) = ask(graph, JANE)

        assert (error.code, error.request_id) == ("Request_BadRequest", "req-0001")
        assert "Not so." in error.message
        assert "Second line" not in error.message


@pytest.mark.parametrize("before", ["", "x" * 380], ids=["short", "so long that the text is cut in the middle of it"])
@pytest.mark.parametrize("people", [[JANE], [JANE, BOB]], ids=["alone", "in a batch"])
def test_an_answer_that_repeats_a_password_does_not_get_it_told(graph, wire, before, people):
    secret = 'P"4\\ss~wörd-of-thirty-two-letters'
    answer = graph_error(400, "Request_BadRequest", f"{before}'{secret}' is no good, says {secret}.")
    wire.expect(*(reset(one, secret).but(answer) for one in people))

    outcomes = graph.send([graph.reset_password(one["id"], secret) for one in people])

    for error in outcomes:
        assert "Request_BadRequest" in str(error)
        assert "ss~w" not in f"{error} {error.as_record()}"


def test_a_request_id_may_come_as_header_only(graph, wire):
    wire.expect(read(JANE).but(Reply(400, headers={"request-id": "from-the-header"})))

    (error,) = ask(graph, JANE)

    assert error.request_id == "from-the-header"


# --- batches ---


def test_424_for_a_whole_batch_did_nothing_and_is_sent_again(graph, wire, clock):
    failed = Reply(424, {"error": {"code": "FailedDependency", "message": "..."}})
    wire.expect(*[enable(one, False).but(failed) for one in (ANN, BOB)])
    wire.expect(enable(ANN, False), enable(BOB, False))

    assert statuses(block(graph, ANN, BOB)) == [204, 204]


def test_a_missing_answer_is_asked_for_again_when_it_was_a_read(graph, wire, clock):
    wire.expect(read(ANN), read(BOB).but(Reply(copies=0)))
    wire.expect(read(BOB))

    assert statuses(ask(graph, ANN, BOB)) == [200, 200]


@pytest.mark.parametrize("copies", [0, 2])
def test_a_missing_or_duplicate_answer_to_a_write_is_an_unknown_outcome(graph, wire, copies):
    wire.expect(enable(ANN, False), enable(BOB, False).but(Reply(204, copies=copies)))

    fine, lost = block(graph, ANN, BOB)

    assert fine.ok
    assert lost.outcome_unknown


@pytest.mark.parametrize(
    "whole",
    [
        web_page(),
        Reply(200, body=b'{"responses": [{"id": "0", "sta'),
        Reply(200, []),
        Reply(200, {}),
        Reply(200, {"responses": None}),
        Reply(200, {"responses": {"0": 204}}),
        Reply(200, {"responses": ["0", None, 7]}),
        Reply(200, {"responses": [{"id": "0"}, {"id": "1", "status": "204"}]}),
        Reply(200, body=b"null"),
        Reply(204),
    ],
    ids=["page", "cut", "list", "object", "null", "mapping", "no mappings", "no status", "JSON null", "empty"],
)
def test_a_batch_that_cannot_be_read_leaves_the_outcome_of_writes_unknown(graph, wire, whole):
    wire.expect(enable(ANN, False), enable(BOB, False), whole=whole)

    outcomes = block(graph, ANN, BOB)

    assert [one.outcome_unknown for one in outcomes] == [True, True]


def test_a_batch_is_cut_at_twenty_and_every_call_gets_its_own_answer(graph, wire):
    everybody = crowd(65)
    wire.expect(*map(read, everybody))

    answers = ask(graph, *everybody)

    assert [one.body["id"] for one in answers] == [one["id"] for one in everybody]
    assert len(wire.to(GRAPH)) == 4


def test_ids_of_answers_are_matched_although_they_come_in_any_order(graph, wire):
    everybody = crowd(20)
    wire.expect(*[read(one) if number % 2 else read(one).but(forbidden()) for number, one in enumerate(everybody)])

    assert statuses(ask(graph, *everybody)) == [403, 200] * 10


# --- 401 ---


def expired() -> Reply:
    return graph_error(401, "InvalidAuthenticationToken", "Access token has expired or is not yet valid.")


def test_401_once_costs_one_new_token_and_one_repetition(graph, wire, entra):
    wire.expect_each(enable(JANE, False).but(expired()), enable(JANE, False))

    assert statuses(block(graph, JANE)) == [204]
    assert len(entra.asked_for("token")) == 2
    assert wire.sent[0].token != wire.sent[1].token


def test_401_with_a_claims_challenge_costs_one_new_token(graph, wire, entra):
    challenge = Reply(401, headers={"WWW-Authenticate": 'Bearer error="insufficient_claims", claims="eyJ"'})
    wire.expect_each(read(JANE).but(challenge), read(JANE))

    assert statuses(ask(graph, JANE)) == [200]


@pytest.mark.parametrize("people", [[JANE], [ANN, BOB, CID]], ids=["alone", "in a batch"])
@pytest.mark.parametrize("times", [1, 2, 3, 4])
@pytest.mark.parametrize("call", ["read", "write"])
def test_401_of_fresh_tokens_is_answered_with_more_of_them_after_growing_waits(
    graph, wire, entra, clock, call, times, people
):
    send, turn = (ask, read) if call == "read" else (block, lambda one: enable(one, False))
    for _try in range(times):
        wire.expect(*[turn(one).but(expired()) for one in people])
    wire.expect(*[turn(one) for one in people])

    assert set(statuses(send(graph, *people))) == {turn(JANE).reply.status}
    assert len(entra.asked_for("token")) == 1 + times
    assert clock.naps == [1, 2, 4][: times - 1]


def test_401_again_for_some_of_a_batch_leaves_the_answers_of_the_others(graph, wire, entra):
    wire.expect(enable(ANN, False), enable(BOB, False).but(expired()), enable(CID, False).but(expired()))
    wire.expect(enable(BOB, False).but(expired()), enable(CID, False))
    wire.expect(enable(BOB, False))

    assert statuses(block(graph, ANN, BOB, CID)) == [204, 204, 204]
    assert len(entra.asked_for("token")) == 3


@pytest.mark.parametrize("people", [[JANE], [ANN, BOB]], ids=["alone", "in a batch"])
def test_401_always_is_a_clear_failure_within_seconds(graph, wire, entra, clock, people):
    for _try in range(5):
        wire.expect(*[read(one).but(expired()) for one in people])

    for error in ask(graph, *people):
        assert error.code == "InvalidAuthenticationToken"
        assert "The token was refused" in error.hint
    assert len(entra.asked_for("token")) == 5
    assert clock.naps == [1, 2, 4]


def test_401_always_costs_those_who_come_next_no_more_waiting(graph, wire, entra, clock):
    wire.expect_each(*[read(JANE).but(expired())] * 5)
    ask(graph, JANE)
    wire.expect(read(ANN).but(expired()))

    assert statuses(ask(graph, ANN)) == [401]
    assert len(entra.asked_for("token")) == 5
    assert clock.passed == 7


def test_401_for_many_threads_at_once_ends_as_soon(graph, wire, entra, clock):
    everybody = crowd(80)
    wire.expect(*[read(one).but(expired()) for one in everybody for _try in range(5)])
    outcomes = ask(graph, *everybody)
    wire._steps.clear()  # how many tries each thread gets depends on who comes first

    assert set(statuses(outcomes)) == {401}
    assert len(entra.asked_for("token")) <= 5
    assert clock.passed <= 4 * 7


def test_401_is_waited_for_within_retry_timeout_only(make_graph, wire, entra, clock):
    wire.expect_each(*[read(JANE).but(expired())] * 3)

    assert statuses(ask(make_graph(retry_timeout=2), JANE)) == [401]
    assert clock.passed <= 2


def test_401_and_then_silence_does_not_spoil_the_answers_of_the_others(graph, wire, entra):
    wire.expect(enable(ANN, False), enable(BOB, False).but(expired()))
    wire.expect(enable(BOB, False).but(Reply(raises=requests.exceptions.ReadTimeout("Read timed out."))))

    fine, lost = block(graph, ANN, BOB)

    assert fine.ok
    assert lost.outcome_unknown


def test_401_and_then_no_token_does_not_spoil_the_answers_of_the_others(graph, wire, entra):
    wire.expect(enable(ANN, False), enable(BOB, False).but(expired()))
    graph.token  # noqa: B018 (asks Entra ID, so that its next answer is to the renewal)
    entra.instead["token"] = [Reply(401, refusal(7000215, "Invalid client secret provided."))]

    fine, refused = block(graph, ANN, BOB)

    assert fine.ok
    assert refused.code == "AADSTS7000215"


def test_401_in_the_same_minute_is_another_trouble_once_the_token_was_taken(graph, wire, entra):
    for _time in range(3):
        wire.expect_each(read(JANE).but(expired()), read(JANE).but(expired()), read(JANE))
        assert statuses(ask(graph, JANE)) == [200]

    assert len(entra.asked_for("token")) == 7


def test_401_long_after_the_renewal_is_worth_another_token(graph, wire, entra, clock):
    wire.expect_each(read(JANE).but(expired()), read(JANE), read(JANE).but(expired()), read(JANE))

    ask(graph, JANE)
    clock.pass_by(61)

    assert statuses(ask(graph, JANE)) == [200]
    assert len(entra.asked_for("token")) == 3


def test_401_for_a_whole_batch_costs_one_new_token(graph, wire, entra):
    wire.expect(read(ANN), read(BOB), whole=expired())
    wire.expect(read(ANN), read(BOB))

    assert statuses(ask(graph, ANN, BOB)) == [200, 200]
    assert len(entra.asked_for("token")) == 2


def test_401_of_single_answers_inside_a_batch_costs_one_new_token_too(graph, wire, entra):
    wire.expect(read(ANN), read(BOB).but(expired()))
    wire.expect(read(BOB))

    assert statuses(ask(graph, ANN, BOB)) == [200, 200]
    assert len(entra.asked_for("token")) == 2


def test_a_token_is_replaced_before_it_ends(graph, wire, entra, clock):
    wire.expect_each(*[read(JANE)] * 3)

    ask(graph, JANE)
    clock.pass_by(3298)
    ask(graph, JANE)
    assert len(entra.asked_for("token")) == 1

    clock.pass_by(2)
    ask(graph, JANE)
    assert len(entra.asked_for("token")) == 2


# --- the line ---


def unreachable(text: str) -> Reply:
    return Reply(raises=requests.exceptions.ConnectionError(text))


NO_NAME = unreachable(
    "Max retries exceeded (Caused by NameResolutionError(\"Failed to resolve 'graph.microsoft.com'\"))"
)
REFUSED = unreachable("Max retries exceeded (Caused by NewConnectionError('Connection refused'))")
PROXY = Reply(raises=requests.exceptions.ProxyError("Unable to connect to proxy"))
NO_CONNECTION = Reply(raises=requests.exceptions.ConnectTimeout("timed out"))
RESET = unreachable("('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))")
SILENCE = Reply(raises=requests.exceptions.ReadTimeout("Read timed out."))
UNTRUSTED = Reply(raises=requests.exceptions.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"))


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [(NO_NAME, "cannot be resolved"), (REFUSED, "cannot be reached"), (PROXY, "proxy"), (NO_CONNECTION, "within 30 s")],
    ids=["DNS", "refused", "proxy", "connect timeout"],
)
@pytest.mark.parametrize("call", [(ask, read(JANE)), (block, enable(JANE, False))], ids=["read", "write"])
def test_a_host_that_never_answered_is_knocked_at_three_times(graph, wire, clock, reply, sentence, call):
    send, turn = call
    wire.expect_each(*[turn.but(reply)] * 3)

    (error,) = send(graph, JANE)

    assert sentence in error.message
    assert (error.outcome_unknown, clock.naps) == (False, [1, 2])


def test_a_host_that_answered_before_is_worth_more_patience(graph, wire, clock):
    wire.expect_each(read(JANE), *[read(JANE).but(REFUSED)] * 5, read(JANE))

    assert statuses([*ask(graph, JANE), *ask(graph, JANE)]) == [200, 200]


def test_a_service_that_stays_silent_is_asked_no_more(make_graph, wire, clock):
    graph = make_graph(retry_timeout=60)
    silence = Reply(raises=requests.exceptions.ReadTimeout("Read timed out."), takes=30)
    wire.expect_each(read(ANN).but(silence), read(ANN).but(silence))
    ask(graph, ANN)
    clock.pass_by(7_010 - clock.passed)

    (error,) = ask(graph, BOB)

    assert error.message == "Microsoft Graph has been silent for 7010 s."
    assert not error.reached
    assert len(wire.sent) == 2


def test_a_write_that_surely_never_left_is_sent_again(graph, wire, clock):
    wire.expect_each(enable(JANE, False).but(REFUSED), enable(JANE, False))

    assert statuses(block(graph, JANE)) == [204]


@pytest.mark.parametrize("reply", [RESET, SILENCE], ids=["reset", "silence"])
def test_a_write_that_may_have_arrived_is_given_back_as_unknown(graph, wire, clock, reply):
    wire.expect(enable(JANE, False).but(reply))

    (error,) = block(graph, JANE)

    assert (error.outcome_unknown, clock.naps) == (True, [])


@pytest.mark.parametrize("reply", [RESET, SILENCE], ids=["reset", "silence"])
def test_a_read_whose_connection_broke_is_repeated(graph, wire, clock, reply):
    wire.expect_each(read(JANE).but(reply), read(JANE))

    assert statuses(ask(graph, JANE)) == [200]


def test_a_certificate_that_is_not_trusted_is_final(graph, wire, clock):
    wire.expect(read(JANE).but(UNTRUSTED))

    (error,) = ask(graph, JANE)

    assert "does not trust" in error.message
    assert "ca_path" in error.hint
    assert clock.naps == []


def test_a_ca_bundle_that_does_not_exist_is_named(graph, wire):
    wire.expect(read(JANE).but(Reply(raises=OSError("Could not find a suitable TLS CA certificate bundle"))))

    (error,) = ask(graph, JANE)

    assert "ca_path" in error.hint


@pytest.mark.parametrize(
    "reply",
    [
        web_page(),
        Reply(200, body=b'{"id": "5c1f'),
        Reply(200, []),
        Reply(200, body=b"null"),
        Reply(200, body=b"\xef\xbb\xbf<html>"),
        Reply(200),
        Reply(200, body=b"not gzip at all", headers={"Content-Encoding": "gzip"}),
        Reply(200, body=b"[" * 200_000),
    ],
    ids=["page", "cut", "list", "null", "page with BOM", "empty", "not gzip", "very deep"],
)
def test_an_answer_that_is_no_json_object_is_one_sentence_and_its_body_is_not_told(make_graph, wire, reply):
    wire.expect_each(*[read(JANE).but(reply)] * 2)

    (error,) = ask(make_graph(retry_timeout=1), JANE)

    assert isinstance(error, OffboardingError)
    assert len(str(error)) < 400
    assert "<" not in str(error)


@pytest.mark.parametrize("status", [502, 403])
def test_a_proxys_error_page_is_an_error_with_its_status(make_graph, wire, status):
    wire.expect_each(*[read(JANE).but(web_page(status))] * (2 if status == 502 else 1))

    (error,) = ask(make_graph(retry_timeout=1), JANE)

    assert (error.status, "html" in str(error)) == (status, False)


class Drip(io.RawIOBase):
    """A body that comes byte by byte, one a second."""

    def __init__(self, clock, length: int) -> None:
        self._clock, self._left = clock, length

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self._left:
            return b""
        self._left -= 1
        self._clock.pass_by(1)
        return b" "

    read1 = read


def test_a_body_that_drips_ends_with_the_timeout(make_graph, wire, clock):
    wire.expect_each(*[read(JANE).but(Reply(200, body=Drip(clock, 10_000))) for _try in range(2)])

    (error,) = ask(make_graph(timeout=12, retry_timeout=20), JANE)

    assert "did not finish its answer within 12 s" in error.message
    assert clock.passed == 13 + 1 + 13


def test_a_body_that_drips_after_a_write_leaves_the_outcome_unknown(graph, wire, clock):
    wire.expect(enable(JANE, False).but(Reply(200, body=Drip(clock, 10_000))))

    (error,) = block(graph, JANE)

    assert error.outcome_unknown


def test_an_endless_answer_is_not_read_for_ever_nor_asked_for_again(make_graph, wire):
    bomb = gzip.compress(bytes(70 * 1024 * 1024))
    wire.expect(read(JANE).but(Reply(200, body=bomb, headers={"Content-Encoding": "gzip"})))

    (error,) = ask(make_graph(retry_timeout=1), JANE)

    assert isinstance(error, NetworkError)
    assert error.message == f"The answer of {GRAPH} is larger than 64 MiB."


def test_a_gigabyte_in_a_megabyte_is_refused_with_little_memory(make_graph, wire):
    member = gzip.compress(bytes(128 * 1024 * 1024))
    wire.expect(read(JANE).but(Reply(200, body=member * 8, headers={"Content-Encoding": "gzip"})))
    tracemalloc.start()
    try:
        (error,) = ask(make_graph(), JANE)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert "larger than" in error.message
    assert peak < 100 * 1024 * 1024


GZIPPED = gzip.compress(json.dumps(JANE).encode())


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", GZIPPED),
        ("GZIP ", GZIPPED),
        ("x-gzip", GZIPPED),
        ("gzip", gzip.compress(b"  ") + GZIPPED),
        ("gzip", GZIPPED + bytes(20)),
        ("identity", json.dumps(JANE).encode()),
    ],
    ids=["gzip", "in capitals", "x-gzip", "two members", "padding", "identity"],
)
def test_an_answer_that_is_packed_is_read(graph, wire, coding, body):
    wire.expect(read(JANE).but(Reply(200, body=body, headers={"Content-Encoding": coding})))

    (answer,) = ask(graph, JANE)

    assert answer.body["id"] == JANE["id"]
    assert wire.to(GRAPH)[0].request.headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize(
    ("coding", "body"),
    [("gzip", GZIPPED[:-9]), ("gzip", b""), ("br", b"{}"), ("gzip, gzip", gzip.compress(GZIPPED))],
    ids=["cut off", "empty", "not asked for", "twice"],
)
def test_an_answer_that_cannot_be_unpacked_is_no_answer(make_graph, wire, coding, body):
    reply = Reply(200, body=body, headers={"Content-Encoding": coding})
    wire.expect_each(*[read(JANE).but(reply)] * 2)

    (error,) = ask(make_graph(retry_timeout=1), JANE)

    assert "no JSON" in error.message


# --- Microsoft's clock ---


def test_the_services_time_is_that_of_its_last_answer_plus_what_passed_since(graph, wire, clock):
    assert graph.now is None
    wire.expect(read(JANE))
    ask(graph, JANE)

    clock.pass_by(90)

    assert graph.now == NOW + datetime.timedelta(seconds=90)


def test_a_replica_whose_clock_is_behind_does_not_turn_the_time_back(graph, wire, clock):
    wire.expect_each(read(JANE), read(JANE).but(Reply(json=JANE, headers={"Date": http_dates(-30)})))
    ask(graph, JANE)

    ask(graph, JANE)

    assert graph.now == NOW


ABSURD = [
    "",
    "yesterday",
    "Fri, 99 Nov 2026 16:00:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Fri, 31 Dec 9999 23:59:59 -2359",
    "Mon, 01 Jan 0001 00:00:00 +1200",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Sat, 21 Nov 2026 16:00:00 GMT",
]


@pytest.mark.parametrize("date", ABSURD)
def test_a_date_that_no_clock_of_microsofts_shows_is_passed_over(graph, wire, date):
    reply = Reply(json=JANE, headers={"Date": date})
    wire.expect_each(read(JANE).but(reply), read(JANE), read(JANE).but(reply))

    for _time in range(3):
        ask(graph, JANE)
        assert graph.now == NOW  # Entra ID's, then that of Microsoft Graph


@pytest.mark.parametrize("date", [date for date in ABSURD if "2026" not in date])
def test_a_date_that_is_absurd_from_the_first_answer_on_is_passed_over_too(graph, wire, clock, monkeypatch, date):
    monkeypatch.setattr(clock, "http_date", lambda: date)
    wire.expect_each(read(JANE).but(throttled(http_dates(-5))), read(JANE))

    assert statuses(ask(graph, JANE)) == [200]
    assert graph.now is None


def test_a_date_far_from_the_moment_at_which_the_token_was_issued_is_passed_over(clock, wire, entra):
    token = entra.issue("https://graph.microsoft.com", iat=int(NOW.timestamp()))
    transport = Transport()
    tokens = TokenSource(
        Credential("tokens", {"access_token": token}),
        tenant_id=None,
        client_id=None,
        authority_url="",
        http=PatientTokenHttp(transport, 300),
        on_secret=lambda _secret: None,
        monotonic=clock.monotonic,
    )
    graph = Graph(f"https://{GRAPH}", transport, tokens, 300)
    wire.expect(read(JANE).but(Reply(json=JANE, headers={"Date": http_dates(3 * 86400)})))

    ask(graph, JANE)

    assert graph.now is None


@pytest.mark.parametrize("reported", ["Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -2359", "1e300"])
def test_a_wait_until_the_end_of_time_is_a_failure_or_our_own_back_off(graph, wire, clock, reported):
    wire.expect_each(
        *[read(JANE).but(throttled(reported))] * (2 if "-2359" in reported else 1),
        *[read(JANE)] * ("-2359" in reported),
    )
    outcome = ask(graph, JANE)

    assert clock.passed < 300
    assert statuses(outcome) == ([200] if "-2359" in reported else [429])


# --- parts ---


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Fri, 20 Nov 2026 16:00:00 GMT", NOW),
        ("Fri, 20 Nov 2026 17:00:00 +0100", NOW),
        ("Fri, 20 Nov 2026 16:00:00 -0000", NOW),
        ("Friday, 20-Nov-26 16:00:00 GMT", NOW),
        (None, None),
        ("", None),
        ("2026-11-20T16:00:00Z", None),
        ("Fri, 20 Nov 99999 16:00:00 GMT", None),
        ("Fri, 20 Nov 2026 16:00:00 +9999", None),
        ("Fri, 20 Nov 2026 16:00:00 +99999999999999999999", None),
    ],
)
def test_http_dates_are_read_or_passed_over(text, moment):
    assert http_date(text) == moment


def test_a_date_to_wait_for_is_held_against_microsofts_clock_not_ours():
    assert retry_after({"retry-after": http_dates(30)}, NOW) == 30
    assert retry_after({"retry-after": http_dates(30)}, NOW + datetime.timedelta(seconds=20)) == 10
