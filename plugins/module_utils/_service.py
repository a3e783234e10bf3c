# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Microsoft service: batches calls, honors throttling, retries, and returns the outcome of each call."""

from __future__ import annotations

import abc
import dataclasses
import datetime
import json
import re
import threading
import typing as t
import urllib.parse
import uuid

from ._concurrent import map_concurrent
from ._credentials import Token, TokenSource
from ._errors import NetworkError, OffboardingError, ServiceError
from ._foreign import one_line
from ._http import Response, Transport
from ._masking import masked, pattern_of
from ._retry import RetryBudget, retry_after

# Seconds before a call refused with 401 is sent again with a new token, for each try.
_RENEWAL_DELAYS = (0.0, 1.0, 2.0, 4.0)
# Seconds to wait where the service's clock is unknown: its time, in whole seconds, advances by one at least.
_WAIT_WITHOUT_CLOCK = 2.0
_IDENTITY = ("tenant_id", "client_id", "application_name", "object_id")
_MAX_TOKEN_LIFETIME = datetime.timedelta(hours=28)


@dataclasses.dataclass(frozen=True)
class Call:
    """One request to a service, whether it travels alone or in a batch.

    :param path: below the service's root, with query, percent-encoded.
    :param writes: whether it changes anything; determines its throttling quota and whether it may be repeated.
    :param secret: the secret in its body, masked if the answer repeats it.
    """

    method: str
    path: str
    body: t.Mapping[str, t.Any] | None = dataclasses.field(default=None, repr=False)
    writes: bool = False
    headers: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    secret: str = dataclasses.field(default="", repr=False)


@dataclasses.dataclass(frozen=True)
class Answer:
    """A service's answer to one call. `at` is the service's own time."""

    status: int
    headers: t.Mapping[str, str]
    body: t.Any
    at: datetime.datetime | None

    @property
    def ok(self) -> bool:
        """Whether the call succeeded: the status says so, and the body does not say otherwise."""
        return 200 <= self.status < 300 and not carries_error(self.body)

    @property
    def request_id(self) -> str | None:
        return self.headers.get("request-id") or self.headers.get("client-request-id")


Outcome = t.Union[Answer, OffboardingError]  # noqa: UP007 (ansible-test takes the bar for an operation)


class Service(abc.ABC):
    """One of Microsoft's services, called in JSON, in batches where there are several calls.

    It retries every read, and each write that was certainly not carried out (throttled, not connected, a concurrency
    conflict), within `retry_timeout` of waiting for each call. A write whose outcome is unknown is returned as such
    (`OffboardingError.outcome_unknown`): the caller must read before sending it again.

    Subclasses define where calls go, how they are wrapped, and what an error answer means.
    """

    name = ""
    # The option that replaces this service's address.
    address_option = ""
    batch_size = 20
    in_flight = 4
    # Whether the service works on the calls of a batch one after the other, so that a batch takes as long as all of them.
    one_by_one = False

    def __init__(self, base_url: str, transport: Transport, tokens: TokenSource, retry_timeout: float) -> None:
        self.base_url = base_url
        self._transport = transport
        self.clock = transport.clock
        self._tokens = tokens
        self._retry_timeout = retry_timeout
        # One for each instance, which is one run of a module.
        self._connection_id = str(uuid.uuid4())
        self._lock = threading.Lock()
        self._throttled_until = {False: 0.0, True: 0.0}
        self._seen: tuple[datetime.datetime, float] | None = None
        self._silent_since: float | None = None

    # --- what subclasses say ---

    @abc.abstractmethod
    def url(self, call: Call, token: Token) -> str:
        """The address of a single call."""

    @abc.abstractmethod
    def headers(self, call: Call | None, token: Token) -> dict[str, str]:
        """Headers of a single call, or of the batch (`None`)."""

    @abc.abstractmethod
    def batch_url(self, token: Token) -> str:
        """The address of a batch."""

    @abc.abstractmethod
    def envelope(self, call: Call, token: Token) -> dict[str, t.Any]:
        """The call as an element of a batch's `requests`, without its id."""

    @abc.abstractmethod
    def explain(self, answer: Answer) -> ServiceError:
        """The error for an answer that is not ok."""

    def digest(self, body: t.Any) -> t.Any:
        """The part of an answer's body to keep: thousands are held at once."""
        return body

    def is_final(self, answer: Answer) -> bool:
        """Whether an error answer is final whatever its status, and not a temporary fault."""
        return False

    def is_transient(self, answer: Answer) -> bool:
        """Whether an error answer reports a temporary fault, whatever its status. The outcome of a write is then unknown."""
        return False

    def refuses_batches(self, response: Response) -> bool:
        """Whether the answer to a batch says that the service does not support batches."""
        return False

    # --- what callers use ---

    @property
    def token(self) -> Token:
        return self._tokens.token(self.base_url, self.name)

    @property
    def identity(self) -> dict[str, str | None]:
        """The identity in the token: ids of tenant, application and its service principal (or user).

        And the application's name, if the token contains it.
        """
        token = self._tokens.known(self.base_url)
        return {name: getattr(token, name, None) for name in _IDENTITY}

    @property
    def permissions(self) -> frozenset[str] | None:
        """The permissions in the token, `None` if they are not known."""
        try:
            return self.token.permissions
        except OffboardingError:
            return None

    @property
    def now(self) -> datetime.datetime | None:
        """The service's time, never ahead of it: its last `Date`, plus the time that has passed here.

        Entra ID's time if the service has not returned a plausible one; `None` before any.
        """
        seen = self._seen or self._transport.shown
        if seen is None:
            return None
        return seen[0] + datetime.timedelta(seconds=self.clock.monotonic() - seen[1])

    def sleep_until(self, moment: datetime.datetime, at_most: float) -> None:
        """Wait until the service's clock has reached `moment`; if the clock is unknown, wait up to two seconds."""
        left = (moment - self.now).total_seconds() if self.now is not None else _WAIT_WITHOUT_CLOCK
        self.clock.sleep(min(at_most, max(0.0, left)))

    def send(self, calls: t.Sequence[Call]) -> list[Outcome]:
        """Send calls, all reads or all writes, and give each its outcome, in the same order."""
        outcomes: dict[int, Outcome] = {}
        budget = [RetryBudget(self._retry_timeout, self.clock) for _call in calls]
        pending = list(range(len(calls)))
        while pending:
            ready_at = {}
            for index, (outcome, arrived) in zip(pending, self._send_round([calls[i] for i in pending]), strict=True):
                wait = self._wait_before_retry(calls[index], outcome, budget[index])
                if wait is None:
                    outcomes[index] = self._final_outcome(calls[index], outcome, budget[index])
                else:
                    ready_at[index] = arrived + wait
            pending = list(ready_at)
            if pending:
                self.clock.sleep(max(0.0, max(ready_at.values()) - self.clock.monotonic()))
        return [outcomes[index] for index in range(len(calls))]

    def try_read(self, call: Call) -> Outcome | None:
        """Send an optional read once; return `None` without sending while the service throttles."""
        if self._throttled_until[False] > self.clock.monotonic():
            return None
        ((outcome, _arrived),) = self._send_chunk([call])
        if isinstance(outcome, Answer) and not outcome.ok:
            return self.explain(outcome)
        return outcome

    # --- how it is done ---

    def _send_round(self, calls: t.Sequence[Call]) -> t.Iterator[tuple[Outcome, float]]:
        """Send each call once, and yield its outcome and the time of arrival by the controller's clock."""
        chunks = [calls[i : i + self.batch_size] for i in range(0, len(calls), self.batch_size)]
        for outcomes in map_concurrent(self._send_chunk, chunks, self.in_flight):
            yield from outcomes

    def _send_chunk(self, calls: t.Sequence[Call]) -> list[tuple[Outcome, float]]:
        try:
            outcomes = self._send_renewing_token(calls)
        except OffboardingError as exc:
            if self.one_by_one and isinstance(exc, NetworkError) and exc.late:
                self.batch_size = min(self.batch_size, max(1, len(calls) // 2))
            outcomes = [exc] * len(calls)
        arrived = self.clock.monotonic()
        return [(outcome, arrived) for outcome in outcomes]

    def _send_renewing_token(self, calls: t.Sequence[Call]) -> list[Outcome]:
        """Send each call; resend those refused with 401 with new tokens, a few times after growing waits.

        A fresh token may be refused for a moment before it is accepted.
        """
        token = self.token
        outcomes = self._send_once(calls, token)
        waited = 0.0
        for pause in _RENEWAL_DELAYS:
            refused = [i for i, outcome in enumerate(outcomes) if isinstance(outcome, Answer) and outcome.status == 401]
            if not refused:
                self._tokens.accepted(self.base_url)
                break
            if waited + pause > self._retry_timeout:
                break
            try:
                renewed = self._tokens.renew(self.base_url, self.name, token)
                if renewed is None:
                    break
                token = renewed
                self.clock.sleep(pause)
                waited += pause
                answers = self._send_once([calls[i] for i in refused], token)
            except OffboardingError as exc:  # the answers of the others stand
                answers = [exc] * len(refused)
            for index, outcome in zip(refused, answers, strict=True):
                outcomes[index] = outcome
        return outcomes

    def _send_once(self, calls: t.Sequence[Call], token: Token) -> list[Outcome]:
        writes = calls[0].writes
        self._wait_while_throttled(writes)
        response = self._request(calls, token)
        if len(calls) > 1 and self.refuses_batches(response):
            self.batch_size = 1
            return [outcome for call in calls for outcome, _arrived in self._send_chunk([call])]
        outcomes = _masked(self._answers(calls, response), {call.secret for call in calls if call.secret})
        for outcome in outcomes:
            if isinstance(outcome, Answer) and (outcome.status in (429, 503) or self._is_transient_error(outcome)):
                delay = retry_after(outcome.headers, outcome.at)
                if delay is not None or outcome.status == 429:
                    self._note_throttling(writes, delay)
        return outcomes

    def _request(self, calls: t.Sequence[Call], token: Token) -> Response:
        call = calls[0] if len(calls) == 1 else None
        headers = {
            **self.headers(call, token),
            **(call.headers if call else {}),
            "Accept": "application/json",
            "Authorization": f"Bearer {token.value}",
            "client-request-id": str(uuid.uuid4()),
        }
        body: t.Any = call.body if call else self._batch(calls, token)
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        method, url = (call.method, self.url(call, token)) if call else ("POST", self.batch_url(token))
        response = self._send_if_alive(method, url, headers=headers, data=data, within=self._time_for(len(calls)))
        self._note_time(response.date, token.issued)
        return response

    def _time_for(self, calls: int) -> float | None:
        """Seconds to wait for the answer to so many calls, `None` for the transport's own timeout.

        Half of the retry budget at most: calls without an answer by then are sent again in smaller batches.
        """
        timeout = self._transport.timeout
        return max(timeout, min(timeout * calls, self._retry_timeout / 2)) if self.one_by_one else None

    def _send_if_alive(self, method: str, url: str, **content: t.Any) -> Response:
        """Send, unless the service has not answered for longer than `retry_timeout`."""
        now, since = self.clock.monotonic(), self._silent_since
        if since is not None and now - since > self._retry_timeout:
            raise NetworkError(f"{self.name} has not answered for {now - since:.0f} s.", reached=False, final=True)
        try:
            response = self._transport.send(method, url, **content)
        except NetworkError:
            self._silent_since = now if since is None else since
            raise
        self._silent_since = None
        return response

    def _batch(self, calls: t.Sequence[Call], token: Token) -> dict[str, t.Any]:
        return {"requests": [{"id": str(i), **self.envelope(call, token)} for i, call in enumerate(calls)]}

    def _answers(self, calls: t.Sequence[Call], response: Response) -> list[Outcome]:
        body = response.json
        if len(calls) == 1 or not 200 <= response.status < 300 or carries_error(body):
            if 200 <= response.status < 300 and not isinstance(body, dict) and (response.body or not calls[0].writes):
                return [self._unreadable()]
            return [Answer(response.status, response.headers, self.digest(body), response.date)] * len(calls)
        if not isinstance(mapping(body).get("responses"), list):
            return [self._unreadable()] * len(calls)
        found: dict[str, Outcome] = {}
        for item in body["responses"]:
            if isinstance(item, dict):
                key = str(item.get("id"))
                # Two answers for one call contradict each other.
                found[key] = self._lost() if key in found else self._inner(item, response)
        return [self._checked(call, found.get(str(index))) for index, call in enumerate(calls)]

    def _checked(self, call: Call, outcome: Outcome | None) -> Outcome:
        """The outcome of one call in a batch; a missing answer or a body that is not a JSON object is an error."""
        if outcome is None:
            return self._lost()
        if isinstance(outcome, Answer) and outcome.ok and not isinstance(outcome.body, dict):
            # A write may be answered without a body (204).
            return outcome if call.writes and outcome.body in (None, "") else self._unreadable()
        return outcome

    def _inner(self, item: t.Mapping[str, t.Any], response: Response) -> Outcome:
        body = item.get("body")
        status = item.get("status")
        if status is None and isinstance(body, dict):  # Exchange leaves it out: success is the absence of an error
            status = 200
        if not isinstance(status, int):
            return self._lost()
        lower = {str(name).lower(): one_line(str(value)) for name, value in mapping(item.get("headers")).items()}
        # Exchange's answers in a batch have no ids: Microsoft finds them by the batch's id.
        if not lower.get("request-id") and response.headers.get("request-id"):
            lower["request-id"] = response.headers["request-id"]
        return Answer(status, lower, self.digest(body), response.date)

    def _unreadable(self) -> NetworkError:
        return NetworkError(
            f"{self.name} answered with something other than JSON.",
            reached=True,
            hint="A proxy may have answered: check proxy and addresses.",
        )

    def _lost(self) -> NetworkError:
        return NetworkError(f"{self.name} did not answer this call of a batch.", reached=True)

    def _wait_before_retry(self, call: Call, outcome: Outcome, budget: RetryBudget) -> float | None:
        """Seconds until the call may be sent again, `None` when its outcome is final."""
        if isinstance(outcome, NetworkError):
            if outcome.final or (call.writes and outcome.reached):
                return None
            return budget.next_wait(None, outcome.spent)
        if isinstance(outcome, OffboardingError) or outcome.ok:
            return None
        if self._is_transient_error(outcome):
            return None if call.writes else budget.next_wait(retry_after(outcome.headers, outcome.at))
        if self.is_final(outcome):
            return None
        if outcome.status == 500 and budget.tries >= 4:
            return None  # Graph disguises some missing permissions as 500
        if retryable(outcome, call.writes):
            return budget.next_wait(retry_after(outcome.headers, outcome.at))
        return None

    def _final_outcome(self, call: Call, outcome: Outcome, budget: RetryBudget) -> Outcome:
        if isinstance(outcome, OffboardingError) or outcome.ok:
            return outcome
        error = self._redirected(outcome) or self.explain(outcome)
        error.retry_after = delay = retry_after(outcome.headers, outcome.at)
        if outcome.status == 429 and delay:
            error.hint = (
                f"{self.name} asked us to wait {delay:g} s; after {budget.waited:.0f} s of waiting, that exceeds "
                f"retry_timeout ({self._retry_timeout:g} s)."
            )
        elif budget.waited:
            error.hint = " ".join(filter(None, [error.hint, f"Gave up after {budget.waited:.0f} s of waiting."]))
        return error

    def _is_transient_error(self, answer: Answer) -> bool:
        """As `is_transient`, for error answers. 429 is excluded: it means that nothing was done."""
        return not answer.ok and answer.status != 429 and self.is_transient(answer)

    def _redirected(self, answer: Answer) -> ServiceError | None:
        """The error for a redirect. It is never followed: the token must not reach another host."""
        if not 300 <= answer.status < 400:
            return None
        host = _host(answer.headers.get("location", ""))
        return ServiceError(
            f"{self.name} answered {answer.status}: a redirect to {host or 'another address'}, which was not followed",
            status=answer.status,
            code=f"http_{answer.status}",
            hint=f"If that host belongs to Microsoft, set {self.address_option} to it. "
            "A proxy's sign-in page answers like this, too.",
            request_id=answer.request_id,
        )

    def _note_throttling(self, writes: bool, delay: float | None) -> None:
        """Send no more calls of this kind to this host until `delay` has passed."""
        until = self.clock.monotonic() + (self.clock.jitter() if delay is None else delay)
        with self._lock:
            self._throttled_until[writes] = max(self._throttled_until[writes], until)

    def _wait_while_throttled(self, writes: bool) -> None:
        while (wait := self._throttled_until[writes] - self.clock.monotonic()) > 0:
            if wait > self._retry_timeout:
                raise ServiceError(
                    f"{self.name} is throttling requests and asked us to wait {wait:.0f} s.",
                    status=429,
                    code="TooManyRequests",
                    hint=f"That exceeds retry_timeout ({self._retry_timeout:g} s): run again later.",
                )
            self.clock.sleep(wait)

    def _note_time(self, date: datetime.datetime | None, issued: datetime.datetime | None) -> None:
        """Update the service's clock from an answer.

        :param issued: when the token was issued, also by Microsoft's clock; none lives for longer than 28 hours
            (https://learn.microsoft.com/entra/identity/conditional-access/concept-continuous-access-evaluation).
        """
        if date is None:
            return
        if issued is not None and abs(date - issued) > _MAX_TOKEN_LIFETIME:
            self._transport.ignore_clock(date)
        else:
            with self._lock:
                # Date is cut to the second and replicas differ: keep the latest lower bound.
                if self._seen is None or date > (self.now or date):
                    self._seen = (date, self.clock.monotonic())


def carries_error(body: t.Any) -> bool:
    """Whether a body reports an error, whatever the status says.

    Exchange answers 200 with `error` or `@odata.error`, and with non-terminating cmdlet errors in
    `@adminapi.errors`, a list of strings that is empty on success. Seen by ScubaGear
    (https://github.com/cisagov/ScubaGear) and CIPP (https://github.com/KelvinTegelaar/CIPP-API).
    """
    lowered = {str(name).lower(): value for name, value in mapping(body).items()}
    return any(lowered.get(name) is not None for name in ("error", "@odata.error")) or bool(
        lowered.get("@adminapi.errors")
    )


def error_of(body: t.Any) -> dict[str, t.Any]:
    """The error object of a body, empty if it has none."""
    lowered = {str(name).lower(): value for name, value in mapping(body).items()}
    return mapping(lowered.get("error")) or mapping(lowered.get("@odata.error"))


def retryable(answer: Answer, writes: bool) -> bool:
    """Whether the same call may be sent again after an error answer.

    After 429, 424 in a batch, and a concurrency conflict, nothing was done. After 408 and 5xx a write may have been
    applied: only reads are repeated.
    """
    if answer.status in (424, 429):
        return True
    if mapping(mapping(answer.body).get("error")).get("code") == "Directory_ConcurrencyViolation":
        return True
    return not writes and (answer.status == 408 or answer.status >= 500)


def mapping(value: t.Any) -> dict[str, t.Any]:
    """`value` if it is a JSON object, otherwise an empty one: the shape of a foreign answer cannot be relied on."""
    return value if isinstance(value, dict) else {}


def _host(address: str) -> str:
    """The host of a foreign address, empty if it is not an address."""
    try:
        host = urllib.parse.urlsplit(address).hostname or ""
    except ValueError:
        return ""
    return host if re.fullmatch(r"[a-z0-9.:-]{1,253}", host) else ""


def _masked(outcomes: list[Outcome], secrets: t.Collection[str]) -> list[Outcome]:
    """The same outcomes, with echoed secrets masked, whether verbatim or escaped for JSON, HTML or a URL.

    :param secrets: the secrets of all calls of the request: a batch that is refused as a whole may echo all of them.
    """
    if not secrets or all(isinstance(outcome, OffboardingError) or outcome.ok for outcome in outcomes):
        return outcomes
    pattern = pattern_of(secrets)
    return [
        outcome
        if isinstance(outcome, OffboardingError) or outcome.ok
        else dataclasses.replace(outcome, body=masked(outcome.body, pattern))
        for outcome in outcomes
    ]
