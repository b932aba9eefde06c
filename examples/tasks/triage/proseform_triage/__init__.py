"""The triage task: a support ticket is judged by a policy. A folder of data and two pure modules; see README.md beside this package."""
