"""What the documentation says is run: consoles, Python, and the generated reference."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from labctl.cli.root import run_command_line

ROOT = Path(__file__).parents[2]
GUIDES = ("README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))))
BLOCK = re.compile(
    r"(<!-- (?:test command|needs an extra) -->\n)?^```(console|python)\n(.*?)^```", re.M | re.S
)


def _blocks(guide: str) -> list[tuple[str, str]]:
    text = (ROOT / guide).read_text(encoding="utf-8")
    return [(kind, body) for special, kind, body in BLOCK.findall(text) if not special]


@pytest.mark.parametrize("guide", [guide for guide in GUIDES if _blocks(guide)])
def test_what_a_guide_tells_to_type_works_in_the_order_it_is_told(guide, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # What a guide starts as a process of its own finds labctl where this one does.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(part for part in sys.path if part))
    names: dict[str, object] = {}

    for kind, body in _blocks(guide):
        if kind == "python":
            exec(compile(body, guide, "exec"), names)
            continue
        for line in body.replace("\\\n", " ").splitlines():
            if line.startswith("$ labctl "):
                assert run_command_line(shlex.split(line)[2:]) == 0, line


@pytest.mark.parametrize("page", ["command-line.md", "procedures.md", "instrument-commands.md"])
def test_the_generated_reference_is_what_the_program_says(page):
    path = ROOT / "docs" / "generate_reference.py"
    spec = importlib.util.spec_from_file_location("generate_reference", path)
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)

    stored = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")

    assert stored == generator.PAGES[page]()


@pytest.mark.parametrize("guide", GUIDES)
def test_every_link_of_a_guide_leads_to_a_file(guide):
    text = (ROOT / guide).read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", text) + re.findall(r'src="([^"]+)"', text)

    assert [t for t in targets if not (ROOT / guide).parent.joinpath(t).exists()] == []
