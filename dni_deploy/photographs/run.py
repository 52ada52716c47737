"""`dni run`: images through a model, with a progress bar, a report and a contact sheet."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dni_runtime
from dni_deploy.frames import Job, enhance_frames, find_finished, make_here, make_on_ray, model_digest, plan_frames
from dni_deploy.terminal import Terminal, say, say_json
from dni_runtime import Alpha

from .enhance_files import EnhancedFile, enhance_files, plan_results
from .places import find_images
from .results_sheet import check_sheet, label, write_sheet


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
    find_images(inputs)  # what is not there is told before a model is loaded
    terminal = Terminal()
    if alpha_from is None and ray is None:
        with dni_runtime.load(model, provider, threads=threads, provider_options=provider_options) as loaded:
            terminal.tell(f"running on {loaded.provider} ({loaded.provider_note})")
            if sheet is not None:
                check_sheet(sheet, plan_results(loaded, inputs, output, alphas), force=force)
            with terminal.progress() as report:
                results = enhance_files(
                    loaded, inputs, output, alphas, tile=tile, overlap=overlap, overwrite=force, progress=report
                )
    else:
        job = Job(model, model_digest(model), provider, dict(provider_options or {}), threads, tile, overlap)
        results = _run_frames(job, inputs, output, alphas, alpha_from, ray, sheet, force, terminal)
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
                say("  ".join(filter(None, (str(result.output), label(result), done))))
    if sheet is not None and len(failed) < len(results):
        write_sheet(sheet, [result for result in results if result.error is None])
    return len(failed)


def _run_frames(
    job: Job,
    inputs: Sequence[Path],
    output: Path,
    alphas: Sequence[Alpha],
    alpha_from: Path | None,
    ray: str | None,
    sheet: Path | None,
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
        if sheet is not None:
            check_sheet(sheet, planned, force=force)
        with terminal.progress("comparing ") as report:
            finished = find_finished(planned, job, report)
        with terminal.progress() as report:
            return enhance_frames(planned, finished, make, overwrite=force, progress=report)


def _to_dict(result: EnhancedFile) -> dict[str, Any]:
    return {
        "input": str(result.input),
        "output": str(result.output),
        "alpha": result.alpha,
        "seconds": result.seconds,
        "error": result.error,
        "kept": result.kept,
    }
