# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the documentation leads. What other sites hold is not checked: a test needs no network."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from tools import tree

from . import pages

_REPOSITORY = "https://github.com/m365-offboarding/m365.offboarding"
# The hosts that the documentation links to. A new one is a decision, not an accident.
_HOSTS = {
    "api.slack.com",
    "admin.exchange.microsoft.com",
    "admin.microsoft.com",
    "ansible.readthedocs.io",
    "docs.ansible.com",
    "docs.github.com",
    "entra.microsoft.com",
    "forum.ansible.com",
    "galaxy.ansible.com",
    "github.com",
    "keepachangelog.com",
    "learn.microsoft.com",
    "portal.azure.com",
    "pypi.org",
    "semver.org",
    "techcommunity.microsoft.com",
    "www.gnu.org",
}
_KNOWN = sorted(tree.listed())
_MARKDOWN = [path for path in _KNOWN if path.endswith(".md") and not path.startswith(".")]
_GUIDES = [path for path in _KNOWN if path.startswith("docs/docsite/rst/") and path.endswith(".rst")]
_DOCUMENTED = [
    path
    for path in _KNOWN
    if re.fullmatch(r"plugins/(modules|filter|doc_fragments)/.+\.py|roles/.+/argument_specs\.yml", path)
]
_URL = re.compile(r"https?://[^\s<>`'\"\])|]+")


def _complaint(url: str) -> str | None:
    """What is wrong with an address outside."""
    parts = urlsplit(url)
    if parts.scheme != "https":
        return "is not https"
    if parts.hostname not in _HOSTS:
        return "is of a host that is not among those we know"
    if re.match(r"/[a-z]{2}-[a-z]{2}/", parts.path):
        return "names a language, where the site would choose the reader's own"
    inside = re.match(rf"{re.escape(_REPOSITORY)}/(?:blob|tree)/main/([^#]+)", url)
    if inside and not (tree.ROOT / unquote(inside.group(1))).exists():
        return "is a file of ours that is not there"
    return None


def _complaint_inside(page: str, target: str) -> str | None:
    """What is wrong with a relative link."""
    path, _hash, anchor = target.partition("#")
    place = (tree.ROOT / page).parent / unquote(path) if path else tree.ROOT / page
    if not place.resolve().is_relative_to(tree.ROOT) or not place.exists():
        return "is not there"
    if (place.is_file() or place.name == ".git") and str(place.resolve().relative_to(tree.ROOT)) not in _KNOWN:
        return "is not known to git"
    if anchor and anchor not in pages.anchors(place):
        return "has no such heading"
    return None


@pytest.mark.parametrize("page", _MARKDOWN)
def test_links_in_markdown_lead_somewhere(page: str) -> None:
    problems = []
    for line, target in pages.links(page):
        outside = re.match(r"[a-z]+:", target)
        complaint = _complaint(target) if outside else _complaint_inside(page, target)
        if complaint:
            problems.append(f"{page}:{line}: {target} {complaint}")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("page", [*_GUIDES, *_DOCUMENTED])
def test_addresses_in_guides_and_plugins_have_a_shape(page: str) -> None:
    """Sphinx judges what guides say of one another. Code shows addresses of people who do not exist."""
    code = {
        number
        for block in (pages.blocks(page) if page.endswith(".rst") else ())
        for number in range(block.line, block.line + block.text.count("\n") + 1)
    }
    problems = [
        f"{page}:{number}: {url} {complaint}"
        for number, line in enumerate((tree.ROOT / page).read_text(encoding="utf-8").splitlines(), 1)
        if number not in code
        for url in (found.rstrip(".,;:") for found in _URL.findall(line))
        if not (urlsplit(url).hostname or "").endswith(("example.com", "example.org"))
        if (complaint := _complaint(url))
    ]
    assert not problems, "\n".join(problems)


def test_links_are_looked_at() -> None:
    """The README leads to guides, to Microsoft and to pictures."""
    found = [target for _line, target in pages.links("README.md")]
    assert any(target.startswith("docs/docsite/rst/") for target in found)
    assert any(target.startswith("https://learn.microsoft.com/") for target in found)
    assert any(target.startswith("docs/images/") for target in found)


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("https://learn.microsoft.com/graph/", None),
        ("http://learn.microsoft.com/graph/", "https"),
        ("https://learn.microsoft.com/en-us/graph/", "language"),
        ("https://learn.microsoft.example/graph/", "host"),
        (f"{_REPOSITORY}/blob/main/README.md", None),
        (f"{_REPOSITORY}/blob/main/README.rst", "not there"),
    ],
)
def test_a_bad_address_is_seen(url: str, complaint: str | None) -> None:
    reported = _complaint(url)
    assert reported is None if complaint is None else complaint in (reported or "")


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("README.md", None),
        ("README.md#develop", None),
        ("#develop", None),
        ("README.md#no-such-heading", "heading"),
        ("docs/nothing.md", "not there"),
        ("../outside.md", "not there"),
        (".git", "git"),
    ],
)
def test_a_bad_link_is_seen(target: str, complaint: str | None) -> None:
    reported = _complaint_inside("README.md", target)
    assert reported is None if complaint is None else complaint in (reported or "")


def test_environment_variables_are_all_declared() -> None:
    """The modules' documentation, the guide that declares them and the list that antsibull-docs wants name the same."""
    fragment = (tree.ROOT / "plugins/doc_fragments/m365.py").read_text(encoding="utf-8")
    guide = (tree.ROOT / "docs/docsite/rst/environment.rst").read_text(encoding="utf-8")
    configuration = yaml.safe_load((tree.ROOT / "docs/docsite/config.yml").read_text(encoding="utf-8"))
    documented = sorted(set(re.findall(r"E\((\w+)\)", fragment)))
    assert sorted(re.findall(r"^\.\. envvar:: (\w+)$", guide, re.MULTILINE)) == documented
    assert configuration["envvar_directives"] == documented
