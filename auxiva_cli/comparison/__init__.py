"""The algorithms side by side on one recording: cost and separation against iteration and time."""

from auxiva_cli.comparison.judge import Judge
from auxiva_cli.comparison.runs import Point, Run, race, speed_ups

__all__ = ["Judge", "Point", "Run", "race", "speed_ups"]
