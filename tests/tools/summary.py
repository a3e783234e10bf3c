# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print the test counts of all nox sessions since the reports were last removed, and each failure."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET

from . import tree

# Characters shown of the beginning and the end of a failure, which may hold the output of a whole play.
_SHOWN = 2000


def main() -> int:
    total = {"passed": 0, "failed": 0, "skipped": 0}
    for report in sorted((tree.WORK / "reports").glob("*.xml")):
        counts = dict.fromkeys(total, 0)
        root = ET.parse(report).getroot()
        for suite in root.iter("testsuite"):
            failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped = int(suite.get("skipped", 0))
            counts["failed"] += failed
            counts["skipped"] += skipped
            counts["passed"] += int(suite.get("tests", 0)) - failed - skipped
        for test in root.iter("testcase"):
            for failure in (*test.findall("failure"), *test.findall("error")):
                print(f"\n{report.stem}: {test.get('classname')}::{test.get('name')}\n{_both_ends(failure)}\n")
        print(f"{report.stem:16}", _words(counts))
        total = {outcome: total[outcome] + number for outcome, number in counts.items()}
    print(_words(total))
    return 1 if total["failed"] or not total["passed"] else 0


def _both_ends(failure: ET.Element) -> str:
    text = f"{failure.get('message') or ''}\n{failure.text or ''}".strip()
    return text if len(text) <= 2 * _SHOWN else f"{text[:_SHOWN]}\n[...]\n{text[-_SHOWN:]}"


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {outcome}" for outcome, number in counts.items())


if __name__ == "__main__":
    sys.exit(main())
