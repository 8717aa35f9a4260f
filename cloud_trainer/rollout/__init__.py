"""Rollouts: which devices may run a release, in growing steps, held back by what devices report."""
