"""What people see of a running shop: a page, its live state, health and metrics."""
