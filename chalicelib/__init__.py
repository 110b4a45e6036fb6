"""Everything that ships: the event backbone of a national e-government."""
