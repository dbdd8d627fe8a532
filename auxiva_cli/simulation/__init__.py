"""Speakers in a simulated shoebox room, with their references.

The protocol is that of R. Scheibler, "Independent vector analysis via log-quadratically
penalized quadratic minimization", IEEE TSP 2021, section V: a random room, a small array,
speakers beyond the critical distance, of equal power at the first microphone.
"""

from auxiva_cli.simulation.image_sources import measure_rt60, room_impulse_responses
from auxiva_cli.simulation.scene import Scene, simulate_room

__all__ = ["Scene", "measure_rt60", "room_impulse_responses", "simulate_room"]
