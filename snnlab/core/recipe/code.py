"""Which file of the user's brings a method."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import model_validator

from snnlab.core import registry
from snnlab.core.errors import RecipeError
from snnlab.core.recipe.part import Part


class CodeChoice(Part):
    """The user's file that brings a method, so that no cache mixes two versions of it.

    Args:
        method: The method (or activation) it is said of.
        file: Its name, without the folder.
        sha256: Hash of its content.
    """

    method: str
    file: str
    sha256: str

    @model_validator(mode="after")
    def _names_a_file(self) -> Self:
        # Lines for copying quote it as the file to load: it must not lead elsewhere.
        if not self.file or Path(self.file).name != self.file or not self.file.isprintable():
            raise ValueError(f"file is {self.file[:80]!r}; give the name of a Python file without its folder")
        if not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ValueError(f"sha256 is {self.sha256[:80]!r}; give 64 hexadecimal digits")
        return self

    @classmethod
    def of(cls, name: str, kind: registry.Kind) -> Self | None:
        """The file that brings a method here; None for snnlab's own.

        Raises:
            RecipeError: There is no such method.
        """
        source = registry.source_of(name, kind)
        if source is None:
            return None
        if not registry.is_loaded(name, source, kind):
            what = "activation" if kind == "activation" else "method"
            raise RecipeError(f"The {what} {name!r} is of {source.file}, which is not loaded; add --load FILE.")
        return cls(method=name, file=source.file, sha256=source.sha256)

    def is_loaded(self, kind: registry.Kind) -> bool:
        """Whether exactly this file brings the method here."""
        return registry.is_loaded(self.method, registry.Source(self.file, self.sha256), kind)

    def is_elsewhere(self, kind: registry.Kind, parameters: Mapping[str, Any]) -> bool:
        """Whether this very file is not loaded here, so that what the recipe says of the method is shown as it is."""
        if self.is_loaded(kind):
            return False
        registry.remember(self.method, parameters, registry.Source(self.file, self.sha256), kind)
        return True

    def check(self, kind: registry.Kind) -> None:
        """Refuse to run a method whose file is not loaded as the recipe names it.

        Raises:
            RecipeError: It is not loaded, another version of it is, or snnlab has its own of that name.
        """
        if self.is_loaded(kind):
            return
        what = "activation" if kind == "activation" else "method"
        now = registry.source_of(self.method, kind)
        if now is None:
            raise RecipeError(
                f"This recipe was made with the {what} {self.method!r} of {self.file}, and snnlab now has its own "
                f"of that name; rename the file's {what} and make the recipe anew."
            )
        if registry.is_loaded(self.method, now, kind) and now.sha256 != self.sha256:
            raise RecipeError(
                f"This recipe was made with {self.file} of SHA-256 {self.sha256[:12]}, and the loaded one "
                f"has {now.sha256[:12]}; load that version, or start snnlab again and make the recipe anew."
            )
        raise RecipeError(
            f"The {what} {self.method!r} is of {self.file} (SHA-256 {self.sha256[:12]}), which is not "
            "loaded; add --load FILE."
        )
