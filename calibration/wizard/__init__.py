"""The wizard's work: what a technician has done so far, what is missing, and what comes of it."""
