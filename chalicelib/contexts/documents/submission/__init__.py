"""How a document or a status enters the axis, whatever its form: JSON, edXML, webhook, upload."""
