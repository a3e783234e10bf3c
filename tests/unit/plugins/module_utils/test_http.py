# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections that fail, and answers that cannot be read."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc

import pytest
import requests

from ansible_collections.m365.offboarding.plugins.module_utils._errors import NetworkError, OffboardingError
from fakes.calls import ANN, BOB, JANE, ask, block, statuses
from fakes.turns import enable, read, web_page
from fakes.wire import GRAPH, Reply


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

    assert error.message == "Microsoft Graph has not answered for 7010 s."
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

    assert "other than JSON" in error.message
