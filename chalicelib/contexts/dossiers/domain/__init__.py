"""The rules of procedures, dossiers, consultations and components."""
