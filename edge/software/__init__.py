"""The device's own software, kept up to date like its bundles.

The parts: ``launcher`` what starts the device and takes back software that does not start, in a
file of its own that imports nothing of Walkout; ``slots`` where releases lie and which runs;
``wheels`` what fits this device; ``workshop`` how a slot is made and tried; ``steps`` the work of
each state.

What is believed, fetched, planned, quarantined and reported is ``edge.updates``'s business:
software is one more category to it, called ``software``.
"""
