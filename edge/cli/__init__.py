"""The commands of ``walkout-edge``, one file a command."""
