"""A comparison as text, Markdown, JSON, JUnit and HTML. The same results give the same bytes."""
