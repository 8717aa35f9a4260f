"""Shoppers on the floor: who is where, under which session, and whose reach an interaction was.

Overhead pictures become floor positions (``foreground`` without any network, or ``onnx_detectors``
and ``floor``), positions become tracks in shop metres (``tracks``), check-ins bind tracks to
sessions (``sessions``), and interaction events are charged to a session or to nobody
(``attribution``). What follows on the floor positions is pure: values in, values out, and the time
comes with them.
"""
