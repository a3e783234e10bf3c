# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is sent again, when, and what is reported in the end."""

from __future__ import annotations

import datetime

import pytest
import requests

from ansible_collections.m365.offboarding.plugins.module_utils._credentials import Credential, TokenSource
from ansible_collections.m365.offboarding.plugins.module_utils._graph import Graph
from ansible_collections.m365.offboarding.plugins.module_utils._http import PatientTokenHttp, Transport
from fakes.calls import ANN, BOB, CID, JANE, ask, block, http_dates, statuses
from fakes.clock import NOW
from fakes.entra import refusal
from fakes.people import crowd
from fakes.turns import concurrency, enable, fault, forbidden, graph_error, read, reset, throttled, web_page
from fakes.wire import GRAPH, Reply

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


@pytest.mark.parametrize("reported", [None, "0"], ids=["nothing reported", "half a second"])
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
