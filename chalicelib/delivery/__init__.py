"""How facts leave for other agencies: append-only outbox, lanes in order, signed posts."""
