"""Electronic signatures on what agencies send: checked when it comes in, reported, never required.

Two kinds are looked at: the XML signature (xmldsig) of an edXML message, and the signatures (PAdES)
inside a PDF attachment (chữ ký số). A verdict informs those who read the document; it neither
refuses a document nor stands in for the sender's own login or webhook signature. Files from outside
are read by a child process without rights, under limits (`examine`, `child`), by libraries
(`xmldsig`, `pades`, `trust`).
"""
