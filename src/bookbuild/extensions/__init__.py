"""Extensions of Sphinx, named in _config.yml: each does one thing to the pages."""
