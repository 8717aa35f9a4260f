"""Migrations of the portal's database, one file a step, run whenever it is opened."""
