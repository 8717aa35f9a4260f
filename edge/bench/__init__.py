"""How fast this device is at what a shop asks of it; ``walkout-edge bench`` and ``make bench``."""
