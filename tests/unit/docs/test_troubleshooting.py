# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page about messages holds every one that the source can print, with what it says to do, and no other."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest

from tools import messages as source
from tools import pages
from tools.messages import GAP, Message, messages, template

# An item of a list: the message as a literal, which may go on in the next line, and what is indented below it.
_ENTRY = re.compile(r"^- ``(?P<text>.+(?:\n  \S.*)*)``\n\n(?P<body>(?:  .*\n|\n(?=  ))+)", re.MULTILINE)
# What nobody can see: told as a fault of the collection, without its text.
UNSEEN = {"an Exchange cmdlet needs an object id", "without a name, Get-Recipient lists the whole tenant"}
SOURCE = [one for one in messages() if one.text not in UNSEEN]


@functools.cache
def entries() -> list[tuple[str, str]]:
    """Return the messages of the page, as `template` gives them, with the text below each."""
    return [(template(found["text"]), found["body"]) for found in _ENTRY.finditer(pages.text("troubleshooting"))]


def words(text: str) -> str:
    """Return a text without the marks of reStructuredText and without differences of blanks."""
    return " ".join(re.sub(r"[`*\\]", "", text).split())


@pytest.mark.parametrize("message", SOURCE, ids=lambda one: one.text[:60])
def test_the_page_has_every_message_and_says_what_it_says_to_do(message: Message):
    bodies = [body for text, body in entries() if text == message.text]

    assert bodies, f"troubleshooting.rst has no entry: ``{message.text}`` ({message.place})"
    # Where the advice lists what varies, the page may say it in other words.
    advice, _gap, _rest = message.hint.partition(GAP)
    assert words(advice) in words(bodies[0]), f"{message.text!r} also says {message.hint!r}"


def test_the_page_has_no_message_that_nothing_prints():
    source = {message.text for message in SOURCE}

    assert [text for text, _body in entries() if text not in source] == []


def test_no_message_comes_twice():
    texts = [text for text, _body in entries()]

    assert sorted(texts) == sorted(set(texts))


def test_every_item_that_begins_with_a_literal_is_an_entry():
    """A message that the pattern above overlooks would be one that nobody compares."""
    assert len(re.findall(r"^[-*] *``", pages.text("troubleshooting"), re.MULTILINE)) == len(entries())


def test_roles_are_among_the_sources(tmp_path, monkeypatch):
    tasks = tmp_path / "roles" / "new" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "main.yml").write_text("- ansible.builtin.assert:\n    that: false\n    fail_msg: A role says so.\n")
    monkeypatch.setattr(source, "ROOT", tmp_path)

    assert [message.text for message in source.messages()] == ["A role says so"]


def plugins(folder: Path, code: str) -> None:
    (folder / "plugins").mkdir()
    (folder / "plugins" / "new.py").write_text(code)


def test_a_message_that_somebody_adds_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "ROOT", tmp_path)
    plugins(tmp_path, 'def new(name):\n    raise OptionError(f"{name} is new.", hint="Write it down.")\n')

    assert [(one.text, one.hint) for one in messages()] == [(f"{GAP} is new", "Write it down")]


def test_a_message_that_cannot_be_read_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "ROOT", tmp_path)
    plugins(tmp_path, "def new(name):\n    raise OptionError(sentence_about(name))\n")

    with pytest.raises(LookupError, match=r"plugins/new.py:2: no message can be read from sentence_about\(name\)"):
        messages()
