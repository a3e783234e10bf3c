# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documentation shows: its code, its links and its headings.

What a block is good for is written before it, as a comment, ``.. not run: why`` or ``<!-- not run: why -->``; and
``fails: why`` before what has to end in a failure. A block with a ``:caption:``, or whose first line is a comment that
is nothing but a file's name, is that file.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tools import tree

# Whose code is run.
PAGES = ("README.md", "roles/*/README.md", "docs/docsite/rst/*.rst")
_SHELL = ("bash", "console", "sh", "shell")
_PROGRAMS = re.compile(r"(\w+=\S* )*(ansible[\w-]*|cd|export|make|nox|pip|podman|python3?) ")
# Below the reader's folder, never outside.
_NAME = re.compile(r"(?!.*\.\.)[\w.-][\w./-]*\.\w+")
_MARK = re.compile(r"(not run|fails): (.+)", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """Code on a page."""

    page: str
    line: int
    language: str
    text: str
    caption: str = ""
    not_run: str = ""
    fails: str = ""

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str:
        """The name of the file that it is, if it is one."""
        first = self.text.partition("\n")[0]
        name = self.caption or (first[2:] if first.startswith("# ") else "")
        return name if _NAME.fullmatch(name) and self.language not in _SHELL else ""

    @property
    def is_shell(self) -> bool:
        """Whether a person types it. Indented lines in Markdown have no language: there the first word decides."""
        return self.language in _SHELL or (not self.language and bool(_PROGRAMS.match(self.text)))

    @property
    def plays(self) -> bool:
        """Whether it is a whole playbook."""
        return any("hosts" in one or "import_playbook" in one for one in self._entries())

    @property
    def tasks(self) -> bool:
        """Whether it is a list of tasks."""
        entries = self._entries()
        return bool(entries) and not self.plays and all("name" in one for one in entries)

    def _entries(self) -> list[dict[str, Any]]:
        content = self.data() if self.language in ("yaml", "yaml+jinja") else None
        return [one for one in content if isinstance(one, dict)] if isinstance(content, list) else []

    def data(self) -> Any:
        """What the YAML holds."""
        return yaml.load(self.text, _Loader)  # noqa: S506 - a safe loader that also knows Ansible's tags


class _Loader(yaml.SafeLoader):
    """Ansible's tags are taken as plain values."""


for _tag in ("!unsafe", "!vault"):
    _Loader.add_constructor(_tag, lambda loader, node: loader.construct_scalar(node))


def pages() -> list[str]:
    """All pages whose code is run, from the repository's root."""
    known = tree.listed()
    found = [str(path.relative_to(tree.ROOT)) for pattern in PAGES for path in sorted(tree.ROOT.glob(pattern))]
    return [page for page in found if page in known]


@cache
def blocks(page: str) -> tuple[Block, ...]:
    """All code of a page of the repository."""
    return tuple(parsed(page, (tree.ROOT / page).read_text(encoding="utf-8")))


def parsed(page: str, text: str) -> Iterator[Block]:
    """All code of a text."""
    return _of_rst(page, text) if page.endswith(".rst") else _of_markdown(page, text)


def _marks(comment: str) -> dict[str, str]:
    reported = _MARK.fullmatch(" ".join(comment.split()))
    return {reported.group(1).replace(" ", "_"): reported.group(2)} if reported else {}


# --- Markdown ---


def tokens(text: str) -> list[Token]:
    """The text as CommonMark reads it, with tables."""
    return MarkdownIt("commonmark").enable("table").parse(text)


def _of_markdown(page: str, text: str) -> Iterator[Block]:
    marks: dict[str, str] = {}
    for token in tokens(text):
        line = token.map[0] + 1 if token.map else 0
        if token.type == "html_block":
            _assert_used(page, line, marks)
            comment = re.fullmatch(r"<!--(.*)-->", token.content.strip(), re.DOTALL)
            marks = _marks(comment.group(1)) if comment else {}
        elif token.type in ("fence", "code_block"):
            first = line + (token.type == "fence")
            yield Block(page, first, token.info.strip(), token.content.rstrip("\n"), **marks)
            marks = {}
        elif token.type == "inline":
            _assert_used(page, line, marks)


def _assert_used(page: str, line: int, marks: dict[str, str]) -> None:
    assert not marks, f"{page}:{line}: {marks} stands before no code"


# --- reStructuredText ---


def _of_rst(page: str, text: str) -> Iterator[Block]:
    lines = text.splitlines()
    marks: dict[str, str] = {}
    number = 0
    while number < len(lines):
        line = lines[number]
        indent = len(line) - len(line.lstrip())
        end = _end(lines, number, indent)
        code = re.fullmatch(r" *\.\. code-block:: *(\S*)", line)
        comment = re.match(r" *\.\. (not run|fails): ", line)
        if code:
            yield _code(page, lines, number, end, code.group(1), marks)
            marks = {}
        elif comment:
            _assert_used(page, number + 1, marks)
            marks = _marks(" ".join(lines[number:end]).strip().removeprefix(".. "))
        elif line.strip():
            _assert_used(page, number + 1, marks)
        number = end if code or comment else number + 1
    _assert_used(page, number, marks)


def _end(lines: list[str], first: int, indent: int) -> int:
    """The line behind what belongs to a directive or a comment: everything that is indented further."""
    last = first
    for number in range(first + 1, len(lines)):
        if lines[number].strip():
            if len(lines[number]) - len(lines[number].lstrip()) <= indent:
                break
            last = number
    return last + 1


def _code(page: str, lines: list[str], first: int, end: int, language: str, marks: dict[str, str]) -> Block:
    options: dict[str, str] = {}
    start = first + 1
    while start < end and (option := re.fullmatch(r" *:([\w-]+):(?: (.*))?", lines[start])):
        options[option.group(1)] = option.group(2) or ""
        start += 1
    while start < end and not lines[start].strip():
        start += 1
    content = textwrap.dedent("\n".join(lines[start:end])).rstrip("\n")
    return Block(page, start + 1, language, content, caption=options.get("caption", ""), **marks)


# --- links and headings ---


def links(page: str) -> Iterator[tuple[int, str]]:
    """Every target that a page of Markdown leads to, pictures among them, with its line."""
    for token in tokens((tree.ROOT / page).read_text(encoding="utf-8")):
        line = token.map[0] + 1 if token.map else 0
        if token.type == "html_block":
            yield from ((line, target) for target in re.findall(r'(?:src|srcset|href)="([^"]+)"', token.content))
        for child in token.children or ():
            if child.type == "html_inline":
                found = re.findall(r'(?:src|srcset|href)="([^"]+)"', child.content)
                yield from ((line, target) for target in found)
            target = child.attrGet("href") or child.attrGet("src")
            if target:
                yield line, str(target)


def anchors(path: Path) -> set[str]:
    """The names of a page's headings, as GitHub makes them, and those that it gives by itself."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".rst":
        titles = re.findall(r"^(\S.*)\n([=*~^-])\2{2,}$", text, re.MULTILINE)
        return {_slug(title) for title, _line in titles}
    found = tokens(text)
    headings = {_slug(found[place + 1].content) for place, token in enumerate(found) if token.type == "heading_open"}
    return headings | set(re.findall(r'<a id="([^"]+)"></a>', text))


def _slug(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()).replace(" ", "-")
