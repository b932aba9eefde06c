"""The whole story on a real cluster: trained by jobs, registered, promoted, asked, moved under traffic.

And what breaks.
"""
