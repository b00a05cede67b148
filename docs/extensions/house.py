"""The site looks like the report: colours and fonts are read from the report's style sheet, their one source."""

import re
from importlib.resources import files

FURO = {  # furo's names of what the report calls otherwise
    "color-brand-primary": "accent",
    "color-brand-content": "accent",
    "color-brand-visited": "accent",
    "color-background-primary": "paper",
    "color-background-secondary": "wash",
    "color-background-hover": "wash",
    "color-background-border": "rule",
    "color-foreground-primary": "ink",
    "color-foreground-secondary": "muted",
    "color-foreground-muted": "muted",
    "color-foreground-border": "rule",
    "color-code-background": "wash",
    "color-code-foreground": "ink",
    "color-inline-code-background": "wash",
    "color-sidebar-background": "wash",
    "color-sidebar-link-text--top-level": "ink",
    "color-sidebar-search-background": "paper",
    "color-api-name": "accent",
    "color-api-pre-name": "muted",
    "color-table-border": "rule",
    "font-stack": "serif",
    "font-stack--headings": "serif",
    "font-stack--monospace": "mono",
}


def theme(scheme: str) -> dict[str, str]:
    """Furo's variables for "light" or "dark"."""
    css = (files("shoal.report") / "templates" / "report.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    light, dark = (dict(re.findall(r"--([\w-]+):\s*([^;]+);", block)) for block in blocks)
    named = light | (dark if scheme == "dark" else {})
    return {furo: " ".join(named[ours].split()) for furo, ours in FURO.items()} | {
        "shoal-sans": " ".join(named["sans"].split()),
        "shoal-accent": named["accent"],
        "shoal-rule": named["rule"],
    }
