"""Reconciliation (đối soát): each provider's file of a day against our own books, line by line."""
