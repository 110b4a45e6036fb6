"""How everything is numbered: one gap-free list of all commits, in pages (see `sequencer`)."""
