"""What a stranger wrote becomes one line that a terminal only shows."""

import unicodedata

import pytest

from dni_runtime.files.printable import printable


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "a b",
        "größe",
        "模型.onnx",
        "नमूना",
        "نموذج",
        "\u0435\u0301",
        "🎨",
        "a\\x1b",
        "[red]",
        ":smile:",
        "a\u00a0b",
        "\uff0d",
    ],
)
def test_letters_of_all_scripts_stay(text: str):
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("a\r\x07\tb", r"a\r\x07\tb"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x1b]8;;http://x\x1b\\link", "\\x1b]8;;http://x\\x1b\\link"),
        ("\x9b31m\x85\x7f", r"\x9b31m\x85\x7f"),
        ("gnp\u202exs.", r"gnp\u202exs."),
        ("\u2066\u200f\u200b\ufeff", r"\u2066\u200f\u200b\ufeff"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("\U000e0041", r"\U000e0041"),
        ("\udcff\udc1b\ud800", r"\xff\udc1b\ud800"),
        (b"\xff.onnx".decode(errors="surrogateescape"), r"\xff.onnx"),
        ("\0", r"\x00"),
    ],
)
def test_what_moves_colours_or_hides_is_escaped(text: str, shown: str):
    assert printable(text) == shown
    assert printable(shown) == shown


def test_no_character_of_unicode_gets_through_that_a_terminal_may_obey():
    text = printable("".join(map(chr, range(0x110000))))
    assert {unicodedata.category(c) for c in set(text)} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} == set()
    text.encode()  # no surrogates either
    assert len(text.splitlines()) == 1


def test_anything_that_has_a_text():
    assert printable(ValueError("a\nb")) == r"a\nb"
