"""Every package says what it exports: `__all__` and what its `__init__` imports are the same."""

import importlib
import inspect
import types
import typing

import pytest

PACKAGES = [
    "dni_deploy.frames",
    "dni_deploy.runs",
    "dni_deploy.ship",
    "dni_deploy.ship.triton",
    "dni_deploy.ship.web",
    "dni_exporters",
    "dni_runtime",
]


@pytest.mark.parametrize("name", PACKAGES)
def test_all_equals_what_is_imported(name):
    package = importlib.import_module(name)
    for member in package.__all__:
        getattr(package, member)  # some are imported when they are asked for
    public = {
        member
        for member, value in vars(package).items()
        if not member.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert public == set(package.__all__)


@pytest.mark.parametrize("name", PACKAGES)
def test_all_is_sorted(name):
    # As ruff's RUF022 sorts: CONSTANTS, then Classes, then functions.
    exported = importlib.import_module(name).__all__
    kind = [0 if member.isupper() else 1 if member[0].isupper() else 2 for member in exported]
    assert [*zip(kind, exported, strict=True)] == sorted(zip(kind, exported, strict=True))


@pytest.mark.parametrize("name", ["dni_deploy", "dni_deploy.bench", *PACKAGES])
def test_signatures_name_what_they_take(name):
    """What help() shows: `Alpha`, not what it is made of."""
    package = importlib.import_module(name)
    functions = [
        value for value in (getattr(package, member) for member in package.__all__) if inspect.isfunction(value)
    ]
    if name == "dni_runtime":
        functions += [method for _, method in inspect.getmembers(package.Model, inspect.isfunction)]
    for function in functions:
        for parameter in inspect.signature(function).parameters.values():
            assert len(inspect.formatannotation(parameter.annotation)) < 80, (function, parameter)
            assert "typing." not in str(parameter) and "numpy." not in str(parameter), (function, parameter)


@pytest.mark.parametrize("name", ["dni_deploy", "dni_deploy.bench", *PACKAGES])
def test_type_hints_can_be_resolved(name):
    """By whatever makes a form, a service or a check of a signature; PyTorch need not be imported for it."""
    package = importlib.import_module(name)
    for member in package.__all__:
        value = getattr(package, member)
        methods = inspect.getmembers(value, inspect.isfunction) if inspect.isclass(value) else []
        for each in (value, *(method for _, method in methods)):
            if inspect.isclass(each) or inspect.isfunction(each):
                typing.get_type_hints(each)  # raises NameError otherwise


@pytest.mark.parametrize("name", ["dni_deploy", *PACKAGES])
def test_dir_shows_all(name):
    package = importlib.import_module(name)
    assert set(package.__all__) <= set(dir(package))


@pytest.mark.parametrize("name", PACKAGES)
def test_every_package_and_member_is_documented(name):
    package = importlib.import_module(name)
    assert package.__doc__
    for member in package.__all__:
        value = getattr(package, member)
        if isinstance(value, type) or callable(value):
            assert value.__doc__, member
