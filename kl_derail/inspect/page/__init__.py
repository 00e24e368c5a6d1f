"""What the HTML viewer is made of: packed data, colour scales, a template, a style sheet and scripts."""
