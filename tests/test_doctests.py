"""The examples in docstrings do what they show."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import auxiva_cli

MODULES = [
    module.name
    for module in pkgutil.walk_packages(auxiva_cli.__path__, "auxiva_cli.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", ["auxiva_cli", *MODULES])
def test_the_examples_of_a_module_hold(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
