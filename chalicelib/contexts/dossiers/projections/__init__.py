"""Pure: one file for each reader's question."""
