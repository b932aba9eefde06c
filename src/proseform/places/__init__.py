"""The shipped places: where on a Kubernetes jobs and services run. Data alone."""
