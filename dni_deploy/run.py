"""`dni run`: images through a model, with a progress bar, a report and a contact sheet."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dni_runtime
from dni_runtime import Alpha, OutputError, format_alpha

from .contact_sheet import contact_sheet
from .enhance_files import EnhancedFile, enhance_files, find_images, plan_results
from .frames import Job, enhance_frames, find_finished, make_here, make_on_ray, model_digest, plan_frames
from .image_files import IMAGE_SUFFIXES, read_image, write_image
from .terminal import Terminal, say, say_json


def run_model(
    model: Path,
    inputs: Sequence[Path],
    output: Path,
    alphas: Sequence[Alpha],
    *,
    alpha_from: Path | None = None,
    ray: str | None = None,
    tile: int | None = None,
    overlap: int | None = None,
    provider: str = "auto",
    provider_options: Mapping[str, str] | None = None,
    threads: int | None = None,
    sheet: Path | None = None,
    force: bool = False,
    as_json: bool = False,
) -> int:
    """Enhance `inputs`, tell the terminal about it, and return how many images failed.

    Raises a DniError where nothing could be started.
    """
    if sheet is not None:
        _check_sheet(sheet, inputs, output, force)
    terminal = Terminal()
    if alpha_from is None and ray is None:
        with dni_runtime.load(model, provider, threads=threads, provider_options=provider_options) as loaded:
            terminal.tell(f"running on {loaded.provider} ({loaded.provider_note})")
            with terminal.progress() as report:
                results = enhance_files(
                    loaded, inputs, output, alphas, tile=tile, overlap=overlap, overwrite=force, progress=report
                )
    else:
        job = Job(model, model_digest(model), provider, dict(provider_options or {}), threads, tile, overlap)
        results = _run_frames(job, inputs, output, alphas, alpha_from, ray, force, terminal)
    failed = [result for result in results if result.error is not None]
    for result in failed:
        named = str(result.error).startswith(str(result.input))
        say(f"failed: {result.error if named else f'{result.input}: {result.error}'}", err=True, color="red")
    if as_json:
        say_json([_to_dict(result) for result in results])
    else:
        for result in results:
            if result.error is None:
                done = "finished before" if result.kept else f"{result.seconds:.2f} s"
                say(f"{result.output}  {_label(result)}{done}")
    if sheet is not None and len(failed) < len(results):
        _write_sheet(sheet, results_sheet([result for result in results if result.error is None]))
    return len(failed)


def _run_frames(
    job: Job,
    inputs: Sequence[Path],
    output: Path,
    alphas: Sequence[Alpha],
    alpha_from: Path | None,
    ray: str | None,
    force: bool,
    terminal: Terminal,
) -> list[EnhancedFile]:
    """A run that can be taken up again: with a table of alphas, over a cluster, or both."""
    with contextlib.ExitStack() as stack:
        if ray is None:
            loaded = stack.enter_context(job.load())
            terminal.tell(f"running on {loaded.provider} ({loaded.provider_note})")
            make = make_here(loaded, job)
        else:
            # Only to check alphas: nothing is prepared, and the graphics card may be elsewhere.
            loaded = stack.enter_context(dni_runtime.load(job.model, "cpu", alpha_policy="pinned"))
            make = make_on_ray(ray, job, terminal.tell)
        if alpha_from is None:
            planned = plan_results(loaded, inputs, output, alphas)
        else:
            planned = plan_frames(loaded, inputs, output, alpha_from)
        with terminal.progress("comparing ") as report:
            finished = find_finished(planned, job, report)
        with terminal.progress() as report:
            return enhance_frames(planned, finished, make, overwrite=force, progress=report)


def _check_sheet(sheet: Path, inputs: Sequence[Path], output: Path, force: bool) -> None:
    """Raise OutputError, before anything runs, where the sheet could not be written or would destroy something."""
    if sheet.suffix.lower() not in IMAGE_SUFFIXES:
        raise OutputError(f"the sheet {sheet} has an unknown suffix; expected {', '.join(sorted(IMAGE_SUFFIXES))}")
    if sheet.resolve() in {output.resolve(), *(file.resolve() for file in find_images(inputs))}:
        raise OutputError(f"{sheet} is an input or the output and would be overwritten; choose another --sheet")
    if sheet.exists() and not force:
        raise OutputError(f"{sheet} exists already and is kept; replace it with --force")


def _write_sheet(sheet: Path, image: Any) -> None:
    try:
        sheet.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder of {sheet} cannot be made ({error})") from None
    write_image(sheet, image)


def results_sheet(results: Sequence[EnhancedFile]) -> Any:
    """One row per input: the input itself, then its results by alpha; uint8 (H, W, 3)."""
    rows: dict[Path, list[EnhancedFile]] = {}
    for result in results:
        rows.setdefault(result.input, []).append(result)
    images, labels = [], []
    for file, row in rows.items():
        images.append(read_image(file))
        labels.append(f"{file.name} (input)")
        for result in row:
            images.append(read_image(result.output))
            labels.append(_label(result).strip() or result.output.name)
    widest = max(len(row) for row in rows.values()) + 1
    # A single row of many strengths is wrapped; several inputs keep a row each.
    return contact_sheet(images, labels, columns=widest if len(rows) > 1 else None)


def _label(result: EnhancedFile) -> str:
    return "" if result.alpha is None else f"alpha {format_alpha(result.alpha)}  "


def _to_dict(result: EnhancedFile) -> dict[str, Any]:
    return {
        "input": str(result.input),
        "output": str(result.output),
        "alpha": result.alpha,
        "seconds": result.seconds,
        "error": result.error,
        "kept": result.kept,
    }
