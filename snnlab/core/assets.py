"""Where the app and the bundled files lie: at the root of a checkout, or inside the installed package."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def app_folder() -> Path:
    """Return the folder that holds ``app.py``: the checkout's root, or ``snnlab/_app`` of an installed wheel."""
    # The wheel's copy is asked first: beside an installed package lie other people's files.
    installed = _PACKAGE / "_app"
    return installed if installed.is_dir() else _PACKAGE.parent


def asset_folder() -> Path:
    """Return the folder of the bundled checkpoints and runs, ``assets`` beside ``app.py``."""
    return app_folder() / "assets"
