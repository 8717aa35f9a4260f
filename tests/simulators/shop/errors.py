"""What goes wrong when a shop is rendered, as one tree.

::

    SimulatorError
    +-- ModelsMissingError         no models to draw, or not enough of them
    +-- LayoutError                goods or fixtures that do not fit
    +-- RenderingUnavailableError  no OpenGL to draw with
"""

from __future__ import annotations


class SimulatorError(Exception):
    """A shop cannot be rendered; the message says why and what to do."""


class ModelsMissingError(SimulatorError):
    """The 3D models are not installed, or a folder holds none that can be drawn."""


class LayoutError(SimulatorError):
    """What was asked for does not fit into the shop."""


class RenderingUnavailableError(SimulatorError):
    """There is no OpenGL implementation that draws without a screen."""
