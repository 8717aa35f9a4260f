"""A shop's state kept elsewhere, and brought back on another device.

The parts: ``what`` which files belong to a shop, ``snapshot`` a database copied while it is
written, ``sealing`` bytes that only the holder of a key reads, ``saving`` a backup, ``restoring``
the way back.
"""
