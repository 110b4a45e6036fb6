"""Pure: the facts, and the two deciders."""
