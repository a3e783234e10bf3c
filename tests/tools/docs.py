# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the guides and the plugins' pages as one site in .work/docs, without using the network.

A warning is an error: an unknown reference, a page without a link to it, markup that is not closed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

from . import tree

_COLLECTION = "m365.offboarding"
_PLACE = tree.WORK / "docs"
_PAGES = _PLACE / "rst"
_SITE = _PLACE / "html"
# Targets of our links in Ansible's documentation. Its whole inventory would have to be downloaded.
_ANSIBLE = "https://docs.ansible.com/projects/ansible/latest/"
_ANSIBLE_LABELS = {
    "action_plugins": "plugins/action.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}
# Changes to the configuration that "antsibull-docs sphinx-init" writes, appended to it.
_CONFIGURATION = f"""

from pygments.lexers.shell import BashLexer
from sphinx.highlighting import lexers

project = title = html_title = html_short_title = {_COLLECTION!r}
copyright = "The m365.offboarding contributors, GPL-3.0-or-later"
extensions = ["sphinx.ext.intersphinx", "sphinx_antsibull_ext"]
intersphinx_mapping = {{"ansible": ({_ANSIBLE!r}, "ansible.inv")}}
exclude_patterns = ["environment_variables.rst"]
pygments_dark_style = "github-dark"
antsibull_ext_color_scheme = "default-autodark"
html_static_path = ["static"]
html_css_files = ["site.css"]
# The language name that Microsoft's pages use for commands of the Azure CLI.
lexers["azurecli"] = BashLexer()
"""
# Captions are for the navigation; the page has a heading with the same words. Light or dark follows the browser, because
# the tables of antsibull-docs ignore the theme's own switch.
_STYLE = """
.toctree-wrapper > p.caption, .theme-toggle { display: none }
.sidebar-brand-text { font-size: 1.25rem }
h1 { font-size: 2rem }
h2 { font-size: 1.5rem }
h3 { font-size: 1.2rem }
h2 { margin-top: 2rem }
table.docutils th { text-align: left }
table.docutils td { vertical-align: top }
"""


def main() -> int:
    """Build the site, and print where it is."""
    shutil.rmtree(_PLACE, ignore_errors=True)
    _PLACE.mkdir(parents=True)
    _run("sphinx-init", "--dest-dir", str(_PLACE), "--sphinx-theme", "furo")
    # antsibull-docs requires that nobody else can write there.
    _PAGES.chmod(0o700)
    _run("collection", "--dest-dir", str(_PAGES), "--cleanup", "everything", "--fail-on-error")
    # Guides use the repository's paths to pictures, so that they also show there.
    shutil.copytree(tree.ROOT / "docs" / "images", _PLACE / "images")
    _suit_the_theme()
    _configure()
    # antsibull-docs copies only the pages.
    images = tree.ROOT / "docs" / "docsite" / "rst" / "images"
    if images.is_dir():
        shutil.copytree(images, _PAGES / "docsite" / "images", dirs_exist_ok=True)
    if _sphinx():
        return 1
    print(f"The documentation is in {_SITE / 'index.html'}")
    return 0


def _run(command: str, *arguments: str) -> None:
    # The collection's page is the first one of the site, not one below collections/m365.
    own = ("--use-current", "--squash-hierarchy")
    environment = {
        **os.environ,
        **tree.home("docs"),
        "ANSIBLE_COLLECTIONS_PATH": str(tree.link()),
        # Only ours counts, not what happens to be installed with Python.
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
    }
    done = subprocess.run(
        ["antsibull-docs", command, *own, *arguments, _COLLECTION],
        env=environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\nantsibull-docs {command} failed with {done.returncode}.")


def _configure() -> None:
    with (_PLACE / "conf.py").open("a", encoding="utf-8") as file:
        file.write(_CONFIGURATION)
    static = _PLACE / "static"
    static.mkdir()
    (static / "site.css").write_text(_STYLE, encoding="utf-8")
    (_PAGES / "ansible.inv").write_bytes(_inventory())


def _inventory() -> bytes:
    """Sphinx's list of the labels of another site: https://www.sphinx-doc.org/en/master/usage/extensions/intersphinx.html"""
    head = "# Sphinx inventory version 2\n# Project: Ansible\n# Version:\n# The rest is compressed using zlib.\n"
    lines = (f"{label} std:label -1 {page} {label.replace('_', ' ')}\n" for label, page in _ANSIBLE_LABELS.items())
    return head.encode() + zlib.compress("".join(lines).encode())


def _suit_the_theme() -> None:
    """Adapt the pages to the theme, which has its own table of contents and a narrow column for page names."""
    for page in _PAGES.rglob("*.rst"):
        text = page.read_text(encoding="utf-8")
        text = re.sub(r"^\.\. contents::.*\n(?: +.*\n)*", "", text, flags=re.MULTILINE)
        page.write_text(text, encoding="utf-8")

    index = _PAGES / "index.rst"
    text = index.read_text(encoding="utf-8").replace("M365.Offboarding\n", f"{_COLLECTION}\n", 1)
    # Show an entry "foo_module" as "foo", and give each list of pages in the navigation the title of its section.
    text = re.sub(r"^    (\w+)_(module|filter|role|lookup|callback)$", r"    \1 <\1_\2>", text, flags=re.MULTILINE)
    sections = re.split(r"^(.+)\n([-~])\2+\n", text, flags=re.MULTILINE)
    named = [sections[0]]
    for title, line, body in zip(sections[1::3], sections[2::3], sections[3::3], strict=True):
        captioned = body.replace("    :maxdepth: 1\n", f"    :maxdepth: 1\n    :caption: {title}\n")
        named.append(f"{title}\n{line * len(title)}\n{captioned}")
    index.write_text("".join(named), encoding="utf-8")


def _sphinx() -> int:
    strict = ("--fail-on-warning", "--keep-going", "--nitpicky")
    command = ["sphinx-build", "--quiet", *strict, "--conf-dir", str(_PLACE), "--doctree-dir", str(_PLACE / "trees")]
    done = subprocess.run(
        [*command, str(_PAGES), str(_SITE)], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    # Messages name the copy; people edit the original.
    copied = str(_PAGES / "docsite")
    print(done.stdout.replace(copied, str(Path("docs/docsite/rst"))), end="")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
