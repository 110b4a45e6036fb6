"""What readers ask about agencies."""
