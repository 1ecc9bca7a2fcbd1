from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from saeatlas.cli.main import main
from saeatlas.cli.render import bars, contexts, numbers, screen, tables
from saeatlas.cli.render.contexts import Shaded

TOKENS = [
    Shaded("early ", is_unseen=True),
    Shaded("a\x1b[2J", value=0.5),
    Shaded(" refund", value=2.0, is_focus=True),
    Shaded(" please\n"),
]
Draw = Callable[..., str]
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def test_piped_table_is_tab_separated_and_exact(capsys: pytest.CaptureFixture[str]) -> None:
    tables.write_table(
        [tables.Column("n"), tables.Column("x"), tables.Column("t")], [(1234567, 0.1 + 0.2, "a\tb"), (0, None, "")]
    )
    assert capsys.readouterr().out == "n\tx\tt\n1234567\t0.30000000000000004\ta\\tb\n0\t\t\n"


def test_terminal_table_aligns_numbers_right(on_terminal: Draw) -> None:
    columns = [tables.Column("name", is_text=True), tables.Column("n")]
    lines = ANSI.sub("", on_terminal(tables.write_table, columns, [("a", 1), ("bb", 1234)])).splitlines()
    assert [line.rstrip() for line in lines] == ["name      n", "a         1", "bb    1,234"]


def test_terminal_table_cannot_be_given_escapes(on_terminal: Draw) -> None:
    drawn = on_terminal(tables.write_table, [tables.Column("t", is_text=True)], [("\x1b]0;title\x07[red]x[/red]",)])
    assert "\\x1b]0;title\\x07[red]x[/red]" in ANSI.sub("", drawn)


def test_terminal_table_without_colour_has_no_colour(on_terminal: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    drawn = on_terminal(bars.write_histogram, [0.0, 1.0, 2.0], [3, 4])
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", drawn)


def test_facts_are_pairs_when_piped(capsys: pytest.CaptureFixture[str]) -> None:
    tables.write_facts({"rows": 5, "mean": None})
    assert capsys.readouterr().out == "rows\t5\nmean\t\n"


def test_context_without_colour_brackets_the_active_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    contexts.write_context(TOKENS, 2.0)
    assert capsys.readouterr().out == "  {{early }}[a\\x1b[2J][[ refund]] please\\n\n"


def test_context_on_a_terminal_is_shaded_and_holds_only_styles(on_terminal: Draw) -> None:
    drawn = on_terminal(contexts.write_context, TOKENS, 2.0)
    assert "48;2;" in drawn
    assert ANSI.sub("", drawn).strip() == "early a\\x1b[2J refund please\\n"


def test_context_on_a_terminal_with_no_color_uses_brackets(on_terminal: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "[[ refund]]" in on_terminal(contexts.write_context, TOKENS, 2.0)


def test_stronger_is_darker() -> None:
    styles = [contexts._style(Shaded("x", value), 1.0) for value in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)]
    assert list(dict.fromkeys(styles)) == list(contexts._SHADES)


@pytest.mark.parametrize(
    ("share", "drawn"), [(0, ""), (1e-9, "▏"), (0.5, "████"), (1, "████████"), (0.56, "████▌"), (2, "████████")]
)
def test_bar_length_is_the_share(share: float, drawn: str) -> None:
    assert bars.bar(share, 8, blocks=True) == drawn


def test_bar_without_blocks_is_ascii() -> None:
    assert bars.bar(0.5, 8, blocks=False) == "####"


def test_histogram_shows_every_bin(on_terminal: Draw) -> None:
    lines = ANSI.sub("", on_terminal(bars.write_histogram, [0.0, 0.5, 1.0], [1000, 0])).splitlines()
    assert [(line[:8].strip(), line.split()[-1]) for line in lines] == [("0 to 0.5", "1,000"), ("0.5 to 1", "0")]


def test_histogram_is_a_table_when_piped(capsys: pytest.CaptureFixture[str]) -> None:
    bars.write_histogram([0.0, 0.5], [7])
    assert capsys.readouterr().out == "lower\tupper\tcount\n0.0\t0.5\t7\n"


def test_json_keeps_text_but_escapes_what_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"text": "é\x1b\x9b\u202e\ud800"}
    screen.write_json(value)
    out = capsys.readouterr().out
    assert "é" in out
    assert not {"\x1b", "\x9b", "\u202e"} & set(out)
    assert json.loads(out) == value


def test_json_has_null_for_the_undefined_and_text_for_the_infinite(capsys: pytest.CaptureFixture[str]) -> None:
    screen.write_json([float("nan"), float("inf"), -float("inf"), 0.5])
    assert json.loads(capsys.readouterr().out) == [None, "inf", "-inf", 0.5]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.1234, "0.12 s"), (4.25, "4.2 s"), (75.4, "75 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert numbers.seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(999_700, "1 MB"), (999.6e9, "1 TB"), (0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2.5e13, "25 TB")],
)
def test_sizes_read_well(size: float, text: str) -> None:
    assert numbers.bytes_text(size) == text


@pytest.mark.parametrize(("share", "text"), [(0, "0%"), (0.000123456, "0.0123%"), (0.5, "50%"), (1, "100%")])
def test_shares_read_well(share: float, text: str) -> None:
    assert numbers.percent(share) == text


def test_joined_bins_hold_the_sum(capsys: pytest.CaptureFixture[str]) -> None:
    bars.write_histogram([0.0, 1.0, 2.0, 3.0], [1, 2, 3], join=2)
    assert capsys.readouterr().out == "lower\tupper\tcount\n0.0\t2.0\t3\n2.0\t3.0\t3\n"


def test_parts_of_the_values_come_strongest_first(atlas: Path, on_terminal: Draw) -> None:
    drawn = on_terminal(main, ["feature", "examples", "7", "--pick", "quantiles", "--n", "1", "--strata", "2"])
    assert drawn.index("Part 0 of the active values, 0 the strongest") < drawn.index("Part 1 of the active values")
