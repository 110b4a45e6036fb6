"""The auditor's tool: fetches a history into a folder, and proves or explains it from there."""
