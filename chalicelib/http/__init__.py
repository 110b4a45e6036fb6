"""How we speak HTTP: who asks, views that refuse politely, problem documents, lists."""
