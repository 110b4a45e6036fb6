"""Reading and forgetting as law: who may be forgotten when, and that every read is told."""
