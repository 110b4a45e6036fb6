"""The register of agencies as law: what may be asked, what happened."""
