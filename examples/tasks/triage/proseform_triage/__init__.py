"""The triage task: a support ticket is judged by a policy. Data and two pure modules; see README.md."""
