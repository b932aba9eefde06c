"""Kubernetes: training jobs and a bundle's services, built by pure functions, and applied and followed."""
