"""Update rules: one file each, all of the signature ``(W, V) -> W``."""
