"""Lambda handlers and routes: parse, call a service, answer. Errors end here."""
