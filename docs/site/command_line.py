"""The reference of the command line, made from click's own commands: what `--help` says, with a heading for each."""

import inspect
import re
from collections.abc import Iterator

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

MARK = "<!-- every command -->"
_VERBATIM = "\b\n"  # how click marks a paragraph whose lines are to stay as they are


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the commands in place of the mark."""
    return markdown.replace(MARK, "\n".join(commands())) if MARK in markdown else markdown


def commands() -> Iterator[str]:
    """Lines of Markdown for `dni` and every command in it."""
    from dni_deploy.cli import main

    yield from _command(click.Context(main, info_name="dni", **main.context_settings))


def _command(context: click.Context) -> Iterator[str]:
    from dni_deploy.cli.errors import COMMON, heading_of

    command = context.command
    yield f"## {context.command_path}"
    yield ""
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith(_VERBATIM):
            yield from ["```text", paragraph.removeprefix(_VERBATIM), "```"]
        else:
            yield _escaped(paragraph)
        yield ""
    usage = " ".join(command.collect_usage_pieces(context))
    yield from ["```text", f"{context.command_path} {usage}", "```", ""]
    heading = COMMON
    for parameter in command.params:
        names, meaning = parameter.get_help_record(context) or ("", "")
        if not meaning:  # arguments have none, they stand in the usage
            continue
        if (new := heading_of(parameter)) != heading:
            heading = new
            yield from [f"**{heading}**", ""]
        yield from [f"`{names}`", f":   {_escaped(meaning)}", ""]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.commands[name]
            yield from _command(click.Context(inner, info_name=name, parent=context, **inner.context_settings))


def _escaped(text: str) -> str:
    """Plain text for Markdown; what is in backquotes there is in backquotes here."""
    return re.sub(r"`[^`]*`|[&<*_\[\]\\]", lambda part: part[0] if len(part[0]) > 1 else f"&#{ord(part[0])};", text)
