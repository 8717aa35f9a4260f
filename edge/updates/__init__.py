"""Bundles that come to the device by themselves: noticed, fetched, tried, swapped, watched.

One category at a time goes through ``agent``'s states. ``trust`` says what is signed, ``fetch`` and
``sources`` move bytes, ``shelf`` keeps bundles on the disk, ``trial`` tries one in a child process,
``installation`` says what serves and remembers failed starts, ``journal`` remembers everything
else, ``report`` tells the fleet.
"""
