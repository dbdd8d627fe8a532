"""Separate the speakers of a multichannel recording with AuxIVA-IPA."""
