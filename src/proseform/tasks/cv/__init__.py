"""The CV task: a CV is judged against a job description. Data and pure functions; see README.md in this folder."""
