"""What a build adds: plotly.min.js beside the app, and in a wheel the app itself as ``snnlab/_app``."""

import os
import shutil
from pathlib import Path
from typing import Any

import plotly
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

APP_FILES = ("app.py", "pages", ".streamlit", "static", "assets")


class AppFiles(BuildHookInterface):
    """Hatchling calls ``initialize`` before it collects the files of a wheel or an editable install."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fill ``static`` and, in a wheel, add the app; an editable install runs the checkout's own."""
        copy_plotly(Path(self.root) / "static")
        if version != "editable":
            build_data["force_include"].update({name: f"snnlab/_app/{name}" for name in APP_FILES})


def copy_plotly(folder: Path) -> None:
    """Copy the installed plotly's ``plotly.min.js`` into ``folder``."""
    folder.mkdir(exist_ok=True)
    # Replaced in one step: a running app may be serving the old file.
    part = folder / "plotly.min.js.part"
    shutil.copyfile(Path(plotly.__file__).parent / "package_data" / "plotly.min.js", part)
    os.replace(part, folder / "plotly.min.js")


if __name__ == "__main__":
    copy_plotly(Path(__file__).parent / "static")
