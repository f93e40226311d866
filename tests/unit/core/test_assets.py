import subprocess
import sys
from pathlib import Path

from snnlab.core import assets

ROOT = Path(__file__).resolve().parents[3]


def test_a_checkout_runs_its_own_app():
    assert assets.app_folder() == ROOT
    assert assets.asset_folder() == ROOT / "assets"


def test_an_installed_package_runs_the_copy_it_carries(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "snnlab"
    (package / "_app").mkdir(parents=True)
    (package.parent / "app.py").write_text("somebody else's")
    monkeypatch.setattr(assets, "_PACKAGE", package)

    assert assets.app_folder() == package / "_app"
    assert assets.asset_folder() == package / "_app" / "assets"


def test_finding_files_loads_neither_torch_nor_streamlit():
    code = "import sys, snnlab.core.assets; sys.exit(any(name in sys.modules for name in ('torch', 'streamlit')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
