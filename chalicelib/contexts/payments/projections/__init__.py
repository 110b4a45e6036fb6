"""The questions readers ask about payments."""
