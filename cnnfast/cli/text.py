"""Figures as text."""

from __future__ import annotations


def percent(share: float) -> str:
    """Write 0.9893 as 98.93 %."""
    return f"{100 * share:.2f} %"


def clock(seconds: float) -> str:
    """Write seconds as minutes and seconds, 1:05, or with hours, 2:01:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
