"""The rules of payments, receipts, refunds, settlements and providers."""
