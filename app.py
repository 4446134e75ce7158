"""The Chalice application: its routes, and every scheduled and task Lambda in one line each.

Task Lambdas are declared here and not on a blueprint, because a Lambda of a blueprint has that
module as its handler: this file would not be imported and no middleware would run.
Nothing else belongs in this file.
"""

from typing import Any

from chalice import Chalice, Rate

from chalicelib.entrypoints import api, pages, queue_api, routes, tasks

app = Chalice(app_name="berth")
app.api.binary_types = ["application/octet-stream", "application/zip"]
app.register_blueprint(routes.blueprint)
app.register_blueprint(api.blueprint)
app.register_blueprint(queue_api.blueprint)
app.register_blueprint(pages.blueprint)


@app.lambda_function(name="plan_pipeline")
def plan_pipeline(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Plan the pipeline that a delivery asked for."""
    return tasks.plan_pipeline(event)


@app.lambda_function(name="dispatch_attempt")
def dispatch_attempt(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Bring a claimed attempt onto its host."""
    return tasks.dispatch_attempt(event)


@app.lambda_function(name="finish_job")
def finish_job(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """End a job by the stored result of its attempt."""
    return tasks.finish_job(event)


@app.lambda_function(name="recover_attempt")
def recover_attempt(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Decide what follows an attempt that was lost."""
    return tasks.recover_attempt(event)


@app.schedule(Rate(1, unit=Rate.MINUTES), name="sweep")
def sweep(event: Any) -> dict[str, Any]:
    """Repair whatever a killed actor left."""
    return tasks.sweep(event)


@app.lambda_function(name="register_host")
def register_host(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Register a host by hand."""
    return tasks.register_host(event)
