# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports are whole or not there, only their owner reads them, and none takes the place of another."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from pathlib import Path

import pytest

from ansible_collections.m365.offboarding.plugins.plugin_utils import _files
from ansible_collections.m365.offboarding.plugins.plugin_utils._files import sum_line, write


def test_only_the_owner_can_read_it_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        path, _digest = write("text", str(tmp_path / "new" / "a.json"))
    finally:
        os.umask(before)

    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(f"{path}.sha256").st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_an_existing_file_is_kept_and_ours_gets_the_time(tmp_path):
    (tmp_path / "a.b.json").write_text("older")

    paths = [write(text, str(tmp_path / "a.b.json"))[0] for text in ("one", "two", "three")]

    assert (tmp_path / "a.b.json").read_text() == "older"
    assert [Path(path).read_text() for path in paths] == ["one", "two", "three"]
    assert all(os.path.basename(path).startswith("a.b-2") and path.endswith(".json") for path in paths)
    assert len(list(tmp_path.iterdir())) == 1 + 2 * 3


def test_an_earlier_file_of_the_same_run_is_replaced(tmp_path):
    first, _digest = write("half", str(tmp_path / "a.csv"))

    assert write("whole", str(tmp_path / "a.csv"), instead_of=first)[0] == first
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a.csv": "whole",
        "a.csv.sha256": f"{hashlib.sha256(b'whole').hexdigest()}  a.csv\n",
    }


@pytest.mark.parametrize(
    "name", ["a.json", "with blank.json", "Zoë.json", "back\\slash.json", "line\nbreak.json", "-x.json"]
)
def test_sha256sum_accepts_the_checksum_until_the_file_is_changed(tmp_path, name):
    path, digest = write("text", str(tmp_path / name))
    command = ["sha256sum", "--check", "--strict", "--", f"{name}.sha256"]

    assert digest == hashlib.sha256(b"text").hexdigest()
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == 0
    Path(path).write_text("Text")
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == 1


def test_the_checksum_is_the_line_of_sha256sum(tmp_path):
    path, digest = write("text", str(tmp_path / "a\\b.json"))

    reported = subprocess.run(
        ["sha256sum", "--", os.path.basename(path)], cwd=tmp_path, check=True, capture_output=True
    )

    assert sum_line(digest, path).encode() == reported.stdout


def test_the_checksum_of_a_report_that_is_gone_is_kept(tmp_path):
    path, digest = write("gone", str(tmp_path / "a.json"))
    os.unlink(path)

    other, _digest = write("later", str(tmp_path / "a.json"))

    assert other != path
    assert (tmp_path / "a.json.sha256").read_text() == sum_line(digest, path)


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "a.json").symlink_to(tmp_path / "elsewhere")

    path, _digest = write("text", str(tmp_path / "a.json"))

    assert not (tmp_path / "elsewhere").exists()
    assert path != str(tmp_path / "a.json")


def test_a_home_folder_and_a_relative_path_are_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    assert write("text", "~/a.json")[0] == str(tmp_path / "a.json")
    assert write("text", "b.json")[0] == str(tmp_path / "b.json")


def test_a_file_where_a_folder_should_be_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(OSError, match=r"^The report .*/file/a\.json cannot be written: \w"):
        write("text", str(tmp_path / "file" / "a.json"))


def test_a_full_disk_leaves_neither_half_a_report_nor_a_draft(tmp_path, monkeypatch):
    def full(_handle):
        raise OSError(28, "No space left on device")

    earlier, digest = write("earlier", str(tmp_path / "a.json"))
    monkeypatch.setattr(_files.os, "fsync", full)

    with pytest.raises(OSError, match="No space left on device"):
        write("later", str(tmp_path / "a.json"), instead_of=earlier)

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a.json": "earlier",
        "a.json.sha256": sum_line(digest, earlier),
    }


def test_line_ends_are_written_as_they_are(tmp_path):
    path, _digest = write("a\r\nb\nÿ", str(tmp_path / "a.csv"))

    assert Path(path).read_bytes() == b"a\r\nb\n\xc3\xbf"
