"""The names of outputs: a template with fixed placeholders that cannot leave its directory."""

from __future__ import annotations

import os
import re

from auxiva_cli.errors import ParameterError

__all__ = ["expand_template"]

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
LONGEST_NAME = 255  # bytes, on every common file system


def expand_template(template: str, *, stem: str, n: int, ext: str) -> str:
    """Return the name of one output.

    Parameters
    ----------
    template : str
        Such as ``"{stem}_src{n}.{ext}"``.  The placeholders are filled in as they are:
        there are no format specifications and no attributes.
    stem : str
        Name of the recording without its suffix.
    n : int
        Number of the output, from 1.
    ext : str
        Suffix of the container without its dot.

    Returns
    -------
    str
        One component of a path.

    Raises
    ------
    ParameterError
        If the template has other placeholders, or the name would not be a plain one.

    Examples
    --------
    >>> expand_template("{stem}_src{n}.{ext}", stem="meeting", n=2, ext="wav")
    'meeting_src2.wav'
    """
    values = {"stem": stem, "n": str(n), "ext": ext}

    def value_of(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise _bad_template(template, f"{match[0]!r} is no placeholder")
        return values[match[1]]

    name = PLACEHOLDER.sub(value_of, template)
    if "{" in PLACEHOLDER.sub("", template) or "}" in PLACEHOLDER.sub("", template):
        raise _bad_template(template, "it has a brace without its partner")
    if "/" in name or "\0" in name:
        raise _bad_template(template, "a name cannot hold '/' or NUL")
    if name in ("", ".", ".."):
        raise _bad_template(template, f"{name!r} is not the name of a file")
    if (length := len(os.fsencode(name))) > LONGEST_NAME:
        raise _bad_template(template, f"the name has {length} bytes, {LONGEST_NAME} are allowed")
    return name


def _bad_template(template: str, reason: str) -> ParameterError:
    """Return the error for a template that gives no good name."""
    return ParameterError(
        f"the name template {template!r} is not usable: {reason}",
        hint="Use {stem}, {n} and {ext}, as in '{stem}_src{n}.{ext}'.",
    )
