# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work on several items at once, in threads."""

from __future__ import annotations

import threading
import typing as t

Item = t.TypeVar("Item")
Result = t.TypeVar("Result")


def map_concurrent(work: t.Callable[[Item], Result], items: t.Sequence[Item], in_flight: int) -> list[Result]:
    """Call `work` with each item, a few at once, and return the results in the order of the items.

    Not an executor: that would wait for its threads when the run is interrupted, and one may have to wait for minutes.
    """
    if len(items) == 1:
        return [work(items[0])]
    results: dict[int, Result] = {}
    faults: list[BaseException] = []
    todo = iter(enumerate(items))
    lock = threading.Lock()

    def worker() -> None:
        while not faults:
            with lock:
                index, item = next(todo, (None, None))
            if index is None:
                return
            try:
                results[index] = work(t.cast("Item", item))
            except BaseException as exc:
                faults.append(exc)

    threads = [threading.Thread(target=worker, daemon=True) for _i in range(min(in_flight, len(items)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return [results[index] for index in range(len(items))]
