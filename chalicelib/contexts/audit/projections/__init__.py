"""One file per question an auditor asks of all history."""
