"""One shop at work: what a configuration names, wired into workers, or played from a recording."""
