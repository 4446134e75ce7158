"""The transactional queue and the record of pipelines. See `protocol`."""
