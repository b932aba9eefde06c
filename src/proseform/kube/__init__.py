"""On a Kubernetes: training jobs and the services of a bundle, as values that pure functions build."""
