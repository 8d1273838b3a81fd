"""``bci import``: a network that others have made becomes a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bci_server.cli.outcome import CommandError
from bci_server.cli.screen import results, write_json
from bci_server.cli.session_recordings import SessionArgument

__all__ = ["import_model"]


def import_model(
    session: SessionArgument,
    graph: Annotated[Path, typer.Argument(metavar="GRAPH.onnx", help="The network.")],
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST.toml", help="What its maker says of it.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Folder of the model; default: the one the session names."
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Overwrite a model that is there already.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON document.")] = False,
) -> None:
    """Make a model of an ONNX file, if it is what its manifest says and what the session needs."""
    from bci_server.config import load_session
    from decoders.foreign import bring_in, read_manifest
    from decoders.models.onnx import Onnx

    described = load_session(session)
    if not isinstance(described.decoder, Onnx):
        raise CommandError(
            f"{session} has a decoder of the kind {described.document['decoder']['kind']!r}; to "
            'bring a network in, it needs kind = "onnx"'
        )
    folder = output or described.model
    if folder.exists() and not replace:
        raise CommandError(f"{folder} is there already; add --replace to overwrite it")
    said = read_manifest(manifest)
    model = bring_in(graph.read_bytes(), said, described.pipeline, described.decoder)
    model.save(folder, replace=replace)
    summary = {"model": str(folder), "hash": model.hash, "labels": list(model.labels)}
    if as_json:
        write_json(summary)
    else:
        results().print(f"{folder}: onnx {model.hash}; says {', '.join(model.labels)}")
