"""What the documents say is true: README's Python runs, named commands and files exist."""

import re
from pathlib import Path

import pytest

import snnlab

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
WITH_PYTHON = tuple(name for name in DOCUMENTS if "```python\n" in (ROOT / name).read_text(encoding="utf-8"))
FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_readme_shows_python():
    assert "README.md" in WITH_PYTHON


@pytest.mark.parametrize("name", WITH_PYTHON)
def test_the_python_of_a_document_runs(name, tmp_path, monkeypatch):
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = list(FENCE.finditer(text))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SNNLAB_STORE", str(tmp_path / "runs.sqlite"))

    namespace: dict[str, object] = {"__name__": "document"}
    for block in blocks:
        # Blank lines before the code give a failure the line number of the document.
        line = text.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block[1], str(ROOT / name), "exec"), namespace)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_make_target_named_exists(name):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))

    assert named <= targets


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_linked_file_exists(name):
    links = re.findall(r"\]\(([^)#:\s]+)\)", (ROOT / name).read_text(encoding="utf-8"))

    assert [link for link in links if not (ROOT / name).parent.joinpath(link).exists()] == []


def test_one_version_everywhere():
    version = snnlab.__version__

    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert re.search(rf"^## \[({re.escape(version)}|Unreleased)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
