"""The shapes of answers, one module for each resource; their names are those of the OpenAPI document."""
