# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls of a Microsoft Graph without a module, and what comes of them."""

from __future__ import annotations

import datetime
import email.utils

from ansible_collections.m365.offboarding.plugins.module_utils._errors import ServiceError
from ansible_collections.m365.offboarding.plugins.module_utils._service import Answer
from fakes.clock import NOW
from fakes.people import crowd, person

JANE = person("jane.doe")
ANN, BOB, CID = crowd(3)


def ask(graph, *people):
    return graph.send([graph.get_user(one["id"]) for one in people])


def block(graph, *people):
    return graph.send([graph.enable_account(one["id"], False) for one in people])


def statuses(outcomes):
    return [one.status if isinstance(one, (Answer, ServiceError)) else one.code for one in outcomes]


def http_dates(seconds: float) -> str:
    return email.utils.format_datetime(NOW + datetime.timedelta(seconds=seconds), usegmt=True)
