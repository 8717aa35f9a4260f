"""Drift: a camera that notices that it was moved, and is put right again."""
