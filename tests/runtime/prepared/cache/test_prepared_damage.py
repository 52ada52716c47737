"""Entries of the cache that are not whole: they are made again, and answers are right."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prepared_entries import FILES, assert_made_again, entries, other_array, rewrite


def assert_whole_again(cache: Path, path: Path, prepared: list[Path], damage: Callable[[Path], None]) -> None:
    assert_made_again(cache, path, prepared, damage)
    (entry,) = entries(cache)
    assert sorted(file.name for file in entry.iterdir()) == sorted(FILES)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("how", ["missing", "empty", "truncated", "garbage", "one bit", "folder"])
def test_damaged_files(file: str, how: str, cache: Path, path: Path, prepared: list[Path]):
    def damage(entry: Path) -> None:
        content = bytearray((entry / file).read_bytes())
        (entry / file).unlink()
        match how:
            case "empty":
                (entry / file).touch()
            case "truncated":
                (entry / file).write_bytes(content[: len(content) // 2])
            case "garbage":
                (entry / file).write_bytes(np.random.default_rng(0).bytes(len(content)))
            case "one bit":
                content[-1] ^= 1
                (entry / file).write_bytes(content)
            case "folder":
                (entry / file).mkdir()

    assert_whole_again(cache, path, prepared, damage)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "null",
        "5",
        '"text"',
        '{"plan": {}, "sha256": {}}',
        '{"plan": "{}", "sha256": []}',
        '{"version": 3, "entries": [1, 2]}',
        "[" * 100_000,
    ],
)
def test_json_of_somebody_else(text: str, cache: Path, path: Path, prepared: list[Path]):
    assert_whole_again(cache, path, prepared, lambda entry: (entry / "plan.json").write_text(text) and None)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("endpoints", np.float64), ("endpoints", np.float16), ("fixed", np.int32)],
)
def test_arrays_of_another_type(name: str, dtype: type, cache: Path, path: Path, prepared: list[Path]):
    assert_whole_again(cache, path, prepared, other_array(name, lambda values: values.astype(dtype)))


@pytest.mark.parametrize(
    "changes",
    [{"slices": 5}, {"slices": [{"name": "x"}]}, {"slices": ["x"]}, {"total": "many"}, {"scalings": [{}]}],
    ids=str,
)
def test_plans_of_another_version(changes: dict[str, Any], cache: Path, path: Path, prepared: list[Path]):
    assert_whole_again(cache, path, prepared, lambda entry: rewrite(entry, lambda plan: plan.update(changes)))


def test_an_entry_that_is_a_file(cache: Path, path: Path, prepared: list[Path]):
    def damage(entry: Path) -> None:
        shutil.rmtree(entry)
        entry.touch()

    assert_whole_again(cache, path, prepared, damage)
