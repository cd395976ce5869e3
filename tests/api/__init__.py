"""Tests of the HTTP API by its own description, the OpenAPI document."""
