# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence that was changed, is gone, was slipped in or is not what the next one was compared with does not stay hidden."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ansible_collections.m365.offboarding.plugins.plugin_utils import _files
from ansible_collections.m365.offboarding.plugins.plugin_utils._chain import links, problems, verify
from ansible_collections.m365.offboarding.plugins.plugin_utils._files import sha256, sum_line, write
from tools import sample_evidence

NIGHTS = ("monday", "tuesday", "wednesday")


@pytest.fixture
def folder(tmp_path):
    """Return a folder with three nights, each compared with the one before, as JSON and HTML."""
    since = []
    for number, night in enumerate(NIGHTS):
        evidence = sample_evidence.evidence(number + 1, chain=links(since))
        path, _digest = write(json.dumps(evidence), str(tmp_path / f"{night}.json"))
        write("<html>", str(tmp_path / f"{night}.html"))
        since = [path]
    return tmp_path


def reported(folder, **more):
    return problems(verify(str(folder), **more))


def rewrite(path: Path, text: str) -> None:
    """Change a file and its checksum, as somebody does who knows how it is made."""
    path.write_text(text)
    Path(f"{path}.sha256").write_text(sum_line(sha256(text.encode()), str(path)))


def test_what_is_as_it_was_written_passes(folder):
    result = verify(str(folder))

    assert problems(result) == []
    assert result["checked"] == 6
    assert result["newest"] == {"wednesday.json": sha256((folder / "wednesday.json").read_bytes())}


def test_each_evidence_names_the_one_before_with_its_checksum(folder):
    chain = json.loads((folder / "tuesday.json").read_text())["chain"]

    assert chain == [{"file": "monday.json", "sha256": sha256((folder / "monday.json").read_bytes())}]


@pytest.mark.parametrize("name", ["monday.json", "wednesday.json", "tuesday.html"])
def test_a_changed_file_is_named(folder, name):
    (folder / name).write_text((folder / name).read_text().replace("h", "H", 1))

    assert any(sentence.startswith(f"{name} has changed since it was written") for sentence in reported(folder))


def test_a_changed_file_with_a_changed_checksum_breaks_the_chain(folder):
    rewrite(folder / "monday.json", "{}")

    assert reported(folder) == [
        "monday.json is not the file that tuesday.json was compared with: it was changed since."
    ]


def test_a_changed_end_of_the_chain_does_not_have_the_checksum_that_was_kept_elsewhere(folder):
    kept = sha256((folder / "wednesday.json").read_bytes())
    assert reported(folder, expected=[kept.upper()]) == []

    rewrite(folder / "wednesday.json", "{}")

    assert reported(folder) == []
    assert reported(folder, expected=[kept]) == [f"No file has the checksum {kept}."]


def test_a_missing_file_is_named(folder):
    (folder / "tuesday.json").unlink()

    assert reported(folder) == [
        "tuesday.json is missing, but its checksum file exists.",
        "tuesday.json is missing, but wednesday.json was compared with it.",
    ]


def test_a_file_that_is_missing_with_its_checksum_is_named_by_the_next(folder):
    (folder / "monday.json").unlink()
    (folder / "monday.json.sha256").unlink()

    assert reported(folder) == ["monday.json is missing, but tuesday.json was compared with it."]


def test_a_missing_report_that_no_chain_holds_is_named_by_its_checksum(folder):
    (folder / "monday.html").unlink()

    assert reported(folder) == ["monday.html is missing, but its checksum file exists."]


def test_a_file_without_a_checksum_is_named(folder):
    (folder / "thursday.csv").write_text("a,b")

    assert reported(folder) == ["thursday.csv has no checksum beside it."]


@pytest.mark.parametrize("text", ["", "nonsense", f"{'0' * 64}  other.json\n", f"{'0' * 64} monday.json\n"])
def test_a_checksum_that_is_not_that_of_its_file_is_named(folder, text):
    (folder / "monday.json.sha256").write_text(text)

    assert reported(folder) == ["monday.json.sha256 is not the checksum of monday.json."]


def test_a_renamed_file_still_belongs_to_the_chain(folder):
    content = (folder / "monday.json").read_text()
    (folder / "monday.json").unlink()
    (folder / "monday.json.sha256").unlink()
    rewrite(folder / "first.json", content)

    assert reported(folder) == []


def test_folders_below_are_looked_at_and_drafts_are_not(folder):
    below = folder / "2026" / "11"
    below.mkdir(parents=True)
    for name in ("monday.json", "monday.json.sha256"):
        (folder / name).rename(below / name)
    (folder / ".draft.json").write_text("half")

    assert reported(folder) == []
    (below / "monday.json").write_text("{}")
    assert reported(folder)[0].startswith("2026/11/monday.json has changed since it was written")


@pytest.mark.parametrize("name", [None, "notes.txt", ".hidden.json"])
def test_a_folder_without_evidence_proves_nothing(tmp_path, name):
    if name:
        (tmp_path / name).write_text("")

    assert reported(tmp_path) == ["There is no report in the folder: nothing was checked."]


def test_a_folder_whose_files_are_all_gone_names_them(folder):
    for path in folder.glob("*.json"):
        path.unlink()
    for path in folder.glob("*.html"):
        path.unlink()

    assert len(reported(folder)) == 6


def test_a_run_that_was_killed_is_reported_and_is_not_a_problem(folder):
    evidence = sample_evidence.evidence(1, complete=False)
    write(json.dumps(evidence), str(folder / "killed.json"))

    result = verify(str(folder))

    assert problems(result) == []
    assert result["incomplete"] == ["killed.json belongs to a run that was still in progress or was killed."]


def test_evidence_of_an_earlier_version_has_no_chain_and_passes(tmp_path):
    evidence = sample_evidence.evidence(1)
    del evidence["chain"]
    write(json.dumps(evidence), str(tmp_path / "old.json"))

    assert reported(tmp_path) == []


@pytest.mark.parametrize(
    "text", ["not JSON", "[]", '{"format": "other", "chain": [{"file": "x", "sha256": "y"}]}', "[" * 100_000]
)
def test_json_that_is_not_evidence_has_no_chain(tmp_path, text):
    write(text, str(tmp_path / "a.json"))

    assert reported(tmp_path) == []


@pytest.mark.parametrize("chain", [None, "x", [1], [{}], {"a": 1}])
def test_a_chain_that_cannot_be_read_does_not_pass_for_one(tmp_path, chain):
    write(json.dumps(sample_evidence.evidence(1, chain=chain)), str(tmp_path / "a.json"))

    assert reported(tmp_path) == (
        []
        if chain in (None, [1]) or not isinstance(chain, list)
        else ["None is missing, but a.json was compared with it."]
    )


def test_a_file_that_cannot_be_read_is_named(folder):
    (folder / "link.json").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.json")

    sentences = reported(folder)

    assert any(sentence.startswith("link.json cannot be read") for sentence in sentences)
    assert any(sentence.startswith("pipe.json cannot be read") for sentence in sentences)


def test_a_file_that_is_too_large_is_named(folder, monkeypatch):
    monkeypatch.setattr(_files.read_bytes, "__defaults__", (1, None))

    assert "monday.json cannot be read: it is larger than 1 bytes." in reported(folder)


@pytest.mark.parametrize("kept", ["", "x" * 64, "ab", "0" * 63])
def test_what_is_not_a_checksum_is_refused(folder, kept):
    with pytest.raises(ValueError, match="is not a SHA-256 checksum"):
        verify(str(folder), [kept])


def test_what_is_not_a_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="nowhere cannot be checked: it is not a folder"):
        verify(str(tmp_path / "nowhere"))


def test_earlier_evidence_that_cannot_be_read_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"The earlier evidence .*gone.json cannot be read: No such file"):
        links([str(tmp_path / "gone.json")])
