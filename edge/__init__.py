"""The device: crops in, decisions out, with an inference runtime and never torch."""
