"""The numerics: the instrument and the decoders, on arrays alone."""
