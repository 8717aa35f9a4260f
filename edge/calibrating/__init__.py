"""Calibrating at the device: the wizard's work, done on the device's own cameras."""
