"""Renders recorded shops: real textured models, true cameras, people who take and put back.

``python -m tests.simulators.shop --seed 1 --shoppers 4 --out DIR`` writes a recorded shop with its
``truth.json``. Same arguments, same machine: same truth and same pixels.
"""
