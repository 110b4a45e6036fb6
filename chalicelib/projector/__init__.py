"""How answers stay current: views are folds, each row written with the position that made it."""
