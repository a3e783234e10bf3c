# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every message that the collection can print, read from its source; ``python -m tools.messages`` lists them.

A message is told as a template: what varies is a ``…``, and what is known before a run (a constant, the deed of a step) is
filled in. An argument that holds a message and cannot be read so is an error, unless `HANDED_ON` says why it is none: a new
way of telling something cannot slip by.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[2]
GAP = "…"


# What is assigned to each name in a function.
Local = dict[str, list[ast.expr]]


class Message(NamedTuple):
    """What is said, what to do about it (empty where the place that says it does not tell), and where."""

    text: str
    hint: str
    place: str


# Whatever makes an error or a warning: the positions of its message and its hint. A hint may be a keyword as well.
_ERROR = (0, None)
_MAKERS: dict[str, tuple[int, int | None]] = {
    "OffboardingError": _ERROR,
    "OptionError": _ERROR,
    "CredentialError": _ERROR,
    "NetworkError": _ERROR,
    "ServiceError": _ERROR,
    "ExchangeError": _ERROR,
    "ValueError": _ERROR,
    "OSError": _ERROR,
    "FileExistsError": (1, None),
    "AnsibleActionFail": _ERROR,
    "AnsibleFilterError": _ERROR,
    "AnsibleLookupError": _ERROR,
    "with_context": _ERROR,
    "warn": _ERROR,
    "_unreached": (1, 2),
    "as_error": (1, 2),
}
# Functions that return messages, or gather them with append or insert. Of a tuple the rest is no message.
_SAYING = (
    "_certificate_complaint",
    "_complaint",
    "_cut",
    "_forbidden",
    "_nobody",
    "_sentence",
    "_by_evidence",
    "_password_again",
    "_protocols_again",
    "_read_open",
    "_signin_again",
    "_tell",
    "_twice",
    "_unknown",
    "_order_for",
    "_useless",
    "ask",
    "_verify_links",
    "_verify_sum",
    "unmatched",
    "complaint",
    "conflict",
    "note",
    "_step_note",
    "_midnight_note",
    "whereabouts",
    "parse_users",
    "phone_unfit",
    "request",
    "summary",
    "unfit",
    "verify",
)
# Mappings and constants that hold hints by themselves.
_HINTS = ("_HINTS", "OUTCOME_UNKNOWN")
# Arguments that hold a message which was made elsewhere, and is found there.
HANDED_ON = {
    # an error's own, a caught one's, a caller's
    *("self.message", "str(exc)", "exc", "message", "text", "str(run['result'].get('msg'))"),
    # a name that is put before an error
    *("leavers[index].name", "leaver.name", "action", "name"),
    "_certificate_complaint(path, content, secret, exc)",
    # the objects of a step
    "wanted",
    # several of a loader's own in a row
    *("in_short(left_out)", "in_short(complaints)"),
}


def messages() -> list[Message]:
    """Return every message, each once, in the order of the source."""
    found: dict[tuple[str, str], Message] = {}
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        for one in _Source(path).messages():
            found.setdefault((one.text, one.hint), one)
    for path in sorted([*(ROOT / "roles").rglob("tasks/*.yml"), *(ROOT / "playbooks").glob("*.yml")]):
        for text in _of_tasks(path):
            found.setdefault((text, ""), Message(text, "", str(path.relative_to(ROOT))))
    return list(found.values())


def template(text: str) -> str:
    """Return a text as messages are compared: blanks are one, and the last full stop, which errors are given, is none."""
    return " ".join(text.split()).removesuffix(".")


class _Source:
    """A Python file, whose messages are read."""

    def __init__(self, path: Path) -> None:
        self._place = str(path.relative_to(ROOT))
        self._tree = ast.parse(path.read_text(encoding="utf-8"))
        self._deeds = DEEDS

    def messages(self) -> Iterator[Message]:
        for function in [self._tree, *ast.walk(self._tree)]:
            if isinstance(function, ast.Module | ast.FunctionDef):
                yield from self._of(function)

    def _of(self, scope: ast.Module | ast.FunctionDef) -> Iterator[Message]:
        local = _assigned(scope)
        says = isinstance(scope, ast.FunctionDef) and scope.name in _SAYING
        for node in _own_nodes(scope):
            if isinstance(node, ast.Call):
                yield from self._made(node, local, says=says)
            elif isinstance(node, ast.Return) and says and node.value is not None:
                yield from self._said(node.value, local)
            elif isinstance(node, ast.Assign):
                yield from self._assigned_hint(node, local)
            elif isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "hint":
                        yield from self._said(value, local)

    def _made(self, call: ast.Call, local: Local, *, says: bool) -> Iterator[Message]:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name == "__init__" and "super()" in ast.unparse(call.func) and call.args:
            name = "OffboardingError"  # an error that knows its own message
        if name in ("append", "insert") and says:
            yield from self._said(call.args[-1], local)
        for keyword in call.keywords:
            # Why an object cannot be changed, as a note tells it; what to do about a 403.
            if keyword.arg in ("fixed", "forbidden"):
                yield from self._said(keyword.value, local)
        if name not in _MAKERS:
            return
        where, hint_where = _MAKERS[name]
        if len(call.args) <= where:
            return
        said = call.args[where]
        hints = [keyword.value for keyword in call.keywords if keyword.arg == "hint"]
        if hint_where is not None and len(call.args) > hint_where:
            hints = [call.args[hint_where]]
        texts = self._texts(said, local)
        if name == "with_context":
            texts = [f"{text}: {GAP}" for text in texts]
        if not texts and ast.unparse(said) not in HANDED_ON:
            raise LookupError(f"{self._place}:{call.lineno}: no message can be read from {ast.unparse(said)}")
        reported = self._texts(hints[0], local) if hints else []
        # A hint that is looked up is found where it stands. Of two choices by the same condition, those belong together that agree.
        together = isinstance(said, ast.IfExp) and isinstance(hints[0] if hints else None, ast.IfExp)
        pairs = zip(texts, reported, strict=True) if together else itertools.product(texts, reported or [""])
        for text, hint in pairs:
            yield from self._message(text, hint)

    def _said(self, value: ast.expr, local: Local) -> Iterator[Message]:
        if isinstance(value, ast.Dict):
            for key, one in zip(value.keys, value.values, strict=True):
                if isinstance(key, ast.Constant) and str(key.value).endswith("note"):
                    yield from self._said(one, local)
        elif isinstance(value, ast.Constant | ast.JoinedStr | ast.BinOp | ast.IfExp | ast.Name | ast.BoolOp):
            for text in self._texts(value, local):
                yield from self._message(text, "")

    def _assigned_hint(self, node: ast.Assign, local: Local) -> Iterator[Message]:
        for target in node.targets:
            place = ast.unparse(target.value if isinstance(target, ast.Subscript) else target)
            if place.rpartition(".")[2] not in (*_HINTS, "hint", "unknown_protected") or place == "hint":
                continue
            values = node.value.values if isinstance(node.value, ast.Dict) else [node.value]
            for value in values:
                for text in self._texts(value, local):
                    yield from self._message(text, "")

    def _message(self, text: str, hint: str) -> Iterator[Message]:
        if re.search(r"[^\W_]", text.replace(GAP, "")):  # more than gaps and points
            yield Message(template(text), template(hint), self._place)

    def _texts(self, node: ast.expr, local: Local, depth: int = 0) -> list[str]:
        """Return the templates that an expression may be, none when it is not known before a run."""
        if depth > 8:
            return []
        if isinstance(node, ast.Constant):
            return [str(node.value)] if isinstance(node.value, str) else []
        if isinstance(node, ast.JoinedStr):
            parts = [self._part(part, local, depth) for part in node.values]
            return ["".join(choice) for choice in itertools.product(*parts)]
        if isinstance(node, ast.IfExp):
            return self._texts(node.body, local, depth + 1) + self._texts(node.orelse, local, depth + 1)
        if isinstance(node, ast.BoolOp):
            return [text for value in node.values for text in self._texts(value, local, depth + 1)]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            sides = [self._texts(side, local, depth + 1) or [GAP] for side in (node.left, node.right)]
            return ["".join(choice) for choice in itertools.product(*sides)]
        if isinstance(node, ast.Name):
            return [text for value in _values(node, local) for text in self._texts(value, local, depth + 1)]
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("str", "'; '.join"):
            return self._texts(node.args[0], local, depth + 1)
        return []

    def _part(self, part: ast.expr, local: Local, depth: int) -> list[str]:
        """Return what a part of an f-string may be."""
        if isinstance(part, ast.Constant):
            return [str(part.value)]
        if not isinstance(part, ast.FormattedValue):
            return [GAP]
        value = part.value
        if isinstance(value, ast.Attribute) and value.attr == "action":
            return self._deeds
        values = _values(value, local) if isinstance(value, ast.Name) else []
        if values and all(isinstance(one, ast.Constant) for one in values):
            return [str(one.value) for one in values if isinstance(one, ast.Constant)][:1]
        if values and isinstance(values[0], ast.IfExp) and len(known := self._texts(values[0], local, depth + 1)) > 1:
            return known
        return [f"'{GAP}'" if part.conversion == ord("r") else GAP]


def _values(name: ast.Name, local: Local) -> list[ast.expr]:
    """Return what a name stands for: what was assigned to it last above, otherwise a constant of any plugin."""
    above = [value for value in local.get(name.id, []) if value.lineno < name.lineno]
    return above[-1:] or ([] if name.id in local else CONSTANTS.get(name.id, []))


def _own_nodes(scope: ast.Module | ast.FunctionDef) -> Iterator[ast.AST]:
    """Walk a scope without the functions in it, which are scopes of their own."""
    todo: list[ast.AST] = list(ast.iter_child_nodes(scope))
    while todo:
        node = todo.pop(0)
        yield node
        if not isinstance(node, ast.FunctionDef):
            todo = [*ast.iter_child_nodes(node), *todo]


def _assigned(scope: ast.Module | ast.FunctionDef) -> Local:
    """Return what is assigned to each name in a function."""
    found: Local = {}
    if isinstance(scope, ast.Module):
        return found
    for node in _own_nodes(scope):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(node.value)
                elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    for one, value in zip(target.elts, node.value.elts, strict=False):
                        if isinstance(one, ast.Name):
                            found.setdefault(one.id, []).append(value)
    return found


def _constants() -> Local:
    """Return the constants of all plugins, texts and numbers, by name."""
    found: Local = {}
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.Assign):
                continue
            pairs = [(target, node.value) for target in node.targets]
            pairs += [
                pair
                for target in node.targets
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
                for pair in zip(target.elts, node.value.elts, strict=True)
            ]
            for target, value in pairs:
                if isinstance(target, ast.Name) and target.id.strip("_").isupper() and isinstance(value, ast.Constant):
                    found.setdefault(target.id, []).append(value)
    return found


def _deeds() -> list[str]:
    """Return the deeds of all steps, as "Could not ..." goes on."""
    found = []
    for path in sorted((ROOT / "plugins" / "modules").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and any(
                ast.unparse(one) in ("action", "action_again", "self.action") for one in node.targets
            ):
                values = [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
                found += [str(value.value) for value in values if isinstance(value, ast.Constant)]
    return found


CONSTANTS = _constants()
DEEDS = _deeds()

# What a task says by itself, and not by a template alone; what a role puts into a result, as a text of Jinja's.
_JINJA = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_RESULT = re.compile(r"'msg': '([^']+)'")


def _of_tasks(path: Path) -> Iterator[str]:
    content = path.read_text(encoding="utf-8")
    for text in _failures(yaml.safe_load(content.replace("!unsafe ", ""))):
        said = _JINJA.sub(GAP, text)
        if re.search(r"[^\W_]", said):
            yield template(said)
    for text in _RESULT.findall(content):
        yield template(text)


def _failures(node: object) -> Iterator[str]:
    """Walk tasks for what ``assert`` and ``fail`` say."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "fail_msg" and isinstance(value, str):
                yield value
            elif key in ("fail", "ansible.builtin.fail") and isinstance(value, dict):
                yield str(value.get("msg", ""))
            else:
                yield from _failures(value)
    elif isinstance(node, list):
        for one in node:
            yield from _failures(one)


if __name__ == "__main__":
    for reported in messages():
        print(f"{reported.place}\n  {reported.text}" + (f"\n    > {reported.hint}" if reported.hint else ""))
