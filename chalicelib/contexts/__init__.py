"""What government does: one package for each of its subjects."""
