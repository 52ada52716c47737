"""The headers that a site is served with: what gives the page threads, and what it may load and reach."""

from fnmatch import fnmatchcase

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
    "style-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'none'"
)
"""The Content-Security-Policy of index.html, which holds it, too, for hosts that send no headers.

No script but this site's runs, whatever a name in a model says, and a photograph has nowhere to go. blob: is the
photograph; ONNX Runtime's code has to be compiled, which 'wasm-unsafe-eval' allows, and eval does not.
"""

# Workers obey the headers that they came with alone. Pages of one's own in the same folder have policies of their own.
_RULES: tuple[tuple[str, dict[str, str]], ...] = (
    (
        "/*",
        {
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Embedder-Policy": "require-corp",
            "X-Content-Type-Options": "nosniff",
        },
    ),
    *((path, {"Content-Security-Policy": POLICY}) for path in ("/", "/index.html", "/dni/*")),
)


def headers_of(path: str) -> dict[str, str]:
    """What the file at `path`, `/` being the site, is sent with."""
    return {name: value for rule, found in _RULES if fnmatchcase(path, rule) for name, value in found.items()}


def headers_file() -> str:
    """The same as `_headers`, which Netlify, Cloudflare Pages and others read; elsewhere it does no harm."""
    return "".join(f"{rule}\n" + "".join(f"  {n}: {v}\n" for n, v in found.items()) for rule, found in _RULES)
