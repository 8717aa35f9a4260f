"""Calibration: pure geometry, and the technician's command line over it."""
