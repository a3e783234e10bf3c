# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Microsoft's order on the wire, with several leavers and several batches; and the passwords that were sent."""

from __future__ import annotations

from simulator import Tenant

from .support import OFFBOARD, STEPS, Player, writes

BATCHES = [{"jane", "john", "maria"}, {"ahmed", "wei", "olga"}, {"pierre"}]


def test_each_batch_is_shut_in_order_before_the_next_begins(tenant: Tenant, play: Player) -> None:
    known = len(tenant.graph.writes.received)
    leavers = [tenant.directory.user(key).upn for batch in BATCHES for key in sorted(batch, reverse=True)]

    played = play(
        OFFBOARD,
        # The order of the steps is Microsoft's, whatever the order in which they are named.
        leavers=", ".join(leavers),
        offboard_employee_steps=["protocols", "signin", "sessions", "password"],
        offboard_employee_batch_size=3,
    )

    assert played.returncode == 0, played.output
    sent = writes(tenant)
    expected = [(step, batch) for batch in BATCHES for step in STEPS]
    for step, batch in expected:
        now, sent = sent[: len(batch)], sent[len(batch) :]
        assert {key for key, _ignored in now} == batch
        assert {done for _ignored, done in now} == {step}
    assert sent == []
    for key in set.union(*BATCHES):
        assert [step for written, step in writes(tenant) if written == key] == STEPS
    assert [leaver["user"] for leaver in played.leavers()] == leavers
    assert all(leaver["contained"] for leaver in played.leavers())
    _judge_passwords(tenant.graph.writes.received[known:], leavers)


def _judge_passwords(passwords: list[str], upns: list[str]) -> None:
    assert len(set(passwords)) == len(passwords) == len(upns)
    for password in passwords:
        assert len(password) >= 32
        for kind in (str.islower, str.isupper, str.isdigit, lambda letter: not letter.isalnum()):
            assert any(map(kind, password))
        for upn in upns:
            assert upn.partition("@")[0] not in password.lower()
