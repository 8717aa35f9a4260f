"""Cameras: pictures in, with their number, their moment, and an honest account of what was lost."""
