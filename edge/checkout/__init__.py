"""Interaction events become baskets and receipts, kept in a ledger that nothing is taken out of."""
