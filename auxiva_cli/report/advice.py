"""What to do about a warning, in a sentence."""

from __future__ import annotations

__all__ = ["ADVICE"]

ADVICE = {
    "header-unfinished": "The recorder was cut off: check that the end is there.",
    "size-field-wrong": "Check that the recording is complete; what is there was separated.",
    "block-align-wrong": "Nothing, if it sounds right; its program writes odd headers.",
    "trailing-bytes": "Nothing: what stands behind the sound was left out.",
    "input-truncated": "Copy the file again, if its end matters.",
    "length-uncertain": "Check that the recording is complete.",
    "array-lengths-differ": "Check that the files of the microphones began together.",
    "nonfinite-zeroed": "Export the recording again, if clicks are heard.",
    "channel-dead": "Check that microphone; the others are enough for fewer speakers.",
    "channel-dropout": "Check its cable or radio link; separation is worse around there.",
    "channels-dependent": "Record all microphones apart, not a mix of them.",
    "channels-uneven": "Check the gain of the weak microphone.",
    "clipped": "Record at a lower gain: what is clipped cannot be separated well.",
    "outlier": "Listen there: a knock can spoil what is learnt.  Learn from another stretch.",
    "dc-offset": "Nothing; a high-pass filter in the recorder avoids it.",
    "level-high": "Check that the samples were scaled to full scale 1.",
    "short": "Give a longer recording, or fewer speakers.",
    "crowd": "Have the rest as a file of its own; if a speaker is missing, ask for as many outputs "
    "as microphones.",
    "weak-output": "Listen to it: if nobody speaks there, ask for fewer speakers.",
    "cost-rose": "Take another algorithm, or a smaller step size.",
    "motion-rough": "Listen where they walk; separate stretches in which all stay on their own.",
    "motion-elsewhere": "Learn filters from this recording, if its speakers move.",
    "outputs-left": "Remove the files of the earlier run, if they are of no use.",
    "gain-applied": "Write floating-point samples, if the level must stay.",
    "gain-wanders": "Record with automatic gain off.",
    "gain-step": "Record with automatic gain off.",
    "polarity-inverted": "Mend the cable or the switch; the outputs at other channels are right.",
    "doubtful-result": "Listen: if two sound alike, learn from a stretch in which each speaks.",
    "more-speakers": "Listen: if two share a file, take more microphones, or apply filters learnt "
    "while fewer spoke.",
    "louder-elsewhere": "Take another reference microphone, or the loudest for each speaker.",
    "channel-unrelated": "Look for the cable, and choose the microphones of this room.",
    "channel-delayed": "Nothing: it was aligned.",
    "channels-alike": "If it is one microphone twice, choose the other channels.",
    "output-clipped": "Write floating-point samples.",
    "clock-drift": "If it was not undone: resync it, or record with one device.",
    "clock-slip": "Separate what is before and after on its own.",
    "hum": "Look for a ground loop, or take the hum away with a high-pass filter first.",
}
