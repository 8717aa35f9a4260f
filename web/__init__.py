"""What web applications of Walkout stand on: signing in, rules, a gate before everything, pages.

Owns nothing of a shop or a trainer, and imports nothing of theirs. Which roles there are, and what
each may do, an application says itself (``web.access.Vocabulary``).
"""
