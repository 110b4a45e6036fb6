"""Receipts: issued when a payment is paid, printed, replaced, cancelled, and checked by anybody."""
