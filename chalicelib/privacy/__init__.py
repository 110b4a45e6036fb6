"""How personal data is sealed and forgotten: a type for it, and one destroyable key a person."""
