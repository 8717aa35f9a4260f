"""Shapes that the portal's API answers with and its pages show: frozen, closed, JSON values."""
