"""Other tools' calibration files: what they say, as lenses and poses, and back."""
