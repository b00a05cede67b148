"""What the site needs beyond Sphinx and MyST: each extension is a file."""
