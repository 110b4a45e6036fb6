"""The Chalice application: what API Gateway and the workers call."""

from chalice.app import Chalice

from chalicelib.registry import BLUEPRINTS
from chalicelib.workers import workers

app = Chalice(app_name="lien-thong")
app.api.binary_types = []
for blueprint in BLUEPRINTS:
    app.register_blueprint(blueprint)
app.register_blueprint(workers)
