"""Speakers in a simulated shoebox room, with their references.

The protocol is that of R. Scheibler, "Independent vector analysis via log-quadratically
penalized quadratic minimization", IEEE TSP 2021, section V: a random room, a small array,
speakers beyond the critical distance, of equal power at the first microphone.  To it come
conversations, levels, walks, and noise of fans and crowds.
"""

from auxiva_cli.simulation.image_sources import measure_rt60, room_impulse_responses
from auxiva_cli.simulation.room import Room
from auxiva_cli.simulation.scene import Scene, simulate_room
from auxiva_cli.simulation.talk import Talk, TalkKind
from auxiva_cli.simulation.walk import Walk

__all__ = [
    "Room",
    "Scene",
    "Talk",
    "TalkKind",
    "Walk",
    "measure_rt60",
    "room_impulse_responses",
    "simulate_room",
]
