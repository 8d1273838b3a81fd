"""``bci import``: a network that others have made becomes a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bci_server.cli.outcome import CommandError
from bci_server.cli.screen import JsonOption, results, write_json
from bci_server.cli.session_recordings import SessionArgument

__all__ = ["import_model"]


def import_model(
    session: SessionArgument,
    network: Annotated[
        Path, typer.Argument(metavar="NETWORK", help="An ONNX file, or a checkpoint of speech.")
    ],
    manifest: Annotated[
        Path,
        typer.Argument(
            metavar="MANIFEST", help="What its maker says of it: a TOML file, or args.yaml."
        ),
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
    as_json: JsonOption = False,
) -> None:
    """Make a model of a network that others have made, if it is what its manifest says.

    An ONNX file with a manifest, for a session whose decoder is of the kind onnx; or a checkpoint
    of the public Brain-to-Text baseline with its args.yaml, for one of the kind speech.
    """
    from bci_server.config import load_session
    from decoders.models.onnx import Onnx
    from decoders.models.speech import Speech

    described = load_session(session)
    kind = described.document["decoder"]["kind"]
    if not isinstance(described.decoder, Onnx | Speech):
        raise CommandError(
            f"{session} has a decoder of the kind {kind!r}; to bring a network in, it needs "
            'kind = "onnx" or kind = "speech"'
        )
    folder = output or described.model
    if folder.exists() and not replace:
        raise CommandError(f"{folder} is there already; add --replace to overwrite it")
    if isinstance(described.decoder, Speech):
        described.decoder.need_torch()
        from decoders.training.brain_to_text import bring_in_baseline

        model = bring_in_baseline(network, manifest, described.pipeline, described.decoder)
    else:
        from decoders.onnx.foreign import bring_in, read_manifest

        said = read_manifest(manifest)
        model = bring_in(network.read_bytes(), said, described.pipeline, described.decoder)
    model.save(folder, replace=replace)
    summary = {"model": str(folder), "hash": model.hash, "labels": list(model.labels)}
    if as_json:
        write_json(summary)
    else:
        results().print(f"{folder}: {kind} {model.hash}; says {', '.join(model.labels)}")
