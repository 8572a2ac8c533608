"""In a real browser, where one is installed: the script runs, nothing is blocked, nothing of the data runs."""

import re
import shutil
import subprocess

import pytest

from kullback import show
from show.builders import shop, wide
from show.hostile import NAMES, everywhere

BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
QUIET = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
QUIET += " --disable-component-update --disable-sync --enable-logging=stderr --v=0 --virtual-time-budget=3000"


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
@pytest.mark.parametrize("made", [shop, wide, everywhere])
def test_the_page_in_a_browser(made, tmp_path):
    page = tmp_path / "report.html"
    page.write_text(show.page(made(), command=" ".join(NAMES)), encoding="utf-8")
    command = [BROWSER, *QUIET.split(), f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
    assert "CONSOLE" not in done.stderr
    assert done.stdout.count("<script") == 2
    assert "<img" not in done.stdout
    headings = re.search(r"<thead>.*?</thead>", done.stdout, flags=re.DOTALL)[0]
    assert headings.count("<button") == 6
    assert 'class="tools" hidden' not in done.stdout
