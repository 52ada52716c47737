"""Pages and pictures of the site that are kept elsewhere in the repository: results, security, changelog.

Links are written as they are right in the repository, where people read these files too; here they become those of
the site. What a link leads to and the site does not have, such as a script, is named instead.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
_PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md", "SECURITY.md": "security.md"}
_RESULTS = "benchmarks/results/"
_LINK = re.compile(r"\[(?P<text>[^\[\]]*)\]\((?P<target>[^()\s#:]+)(?P<anchor>#[^()\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what lies outside of docs/."""
    results = [path.relative_to(ROOT).as_posix() for path in (ROOT / _RESULTS).rglob("*") if path.is_file()]
    for path in [*_PAGES, *sorted(results)]:
        if (uri := site_uri(path)) is not None:
            files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to where their targets are on the site."""
    source = Path(str(page.file.abs_src_path)).relative_to(ROOT).as_posix()
    return with_site_links(markdown, source, page.file.src_uri)


def site_uri(path: str) -> str | None:
    """Where the file `path`, relative to the repository, is on the site; None where it is not on it."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if path.startswith(_RESULTS) and path.endswith((".jpg", ".md", ".png")):
        return f"results/{path.removeprefix(_RESULTS)}"
    return _PAGES.get(path)


def with_site_links(markdown: str, source: str, uri: str) -> str:
    """`markdown` of the repository's file `source`, with the links that it needs as the site's page `uri`."""

    def lead(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link["target"]))
        if not (ROOT / target).is_file():  # MkDocs says so
            return link[0]
        if (there := site_uri(target)) is None:
            return f"{link['text']} (`{target}`)"
        relative = posixpath.relpath(there, posixpath.dirname(uri) or ".")
        return f"[{link['text']}]({relative}{link['anchor'] or ''})"

    return _LINK.sub(lead, markdown)
