"""Labels of many series at once, as they stand in a template."""

from collections.abc import Mapping, Sequence

from observabilipy.encoding.sample_line import label_text

__all__ = ["are_plain", "label_texts"]


def are_plain(rows: Sequence[Mapping[str, str]], names: tuple[str, ...]) -> bool:
    """Whether all have these label names and no empty value: such rows are alike only if they are equal."""
    return all(tuple(row) == names and "" not in row.values() for row in rows)


def label_texts(rows: Sequence[Mapping[str, str]], names: tuple[str, ...] | None) -> list[str]:
    """``label_text`` of each, with percent signs doubled.

    With the label names that all have in common, and values that need no backslash, which is the rule, 0.4 us a row
    rather than 2.
    """
    if names is not None and not _needs_escape("".join([value for row in rows for value in row.values()])):
        pattern = ",".join([f'{name}="%s"' for name in names])
        return [pattern % tuple(row.values()) for row in rows]
    return [label_text(row).replace("%", "%%") for row in rows]


def _needs_escape(text: str) -> bool:
    return "\\" in text or '"' in text or "\n" in text or "%" in text
