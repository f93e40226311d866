"""Sites by stage."""

import re


def stage_of(name: str) -> str:
    """What a site's stage is called: its outermost module, or its name without the trailing number.

    Example:
        >>> stage_of("layer1.0.act2"), stage_of("act12")
        ('layer1', 'act')
    """
    return name.split(".")[0] if "." in name else re.sub(r"[\d_]+$", "", name) or name
