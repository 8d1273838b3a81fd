"""``bci language``: words and how likely they follow each other, out of text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bci_server.cli.screen import JsonOption, activity, results, write_json

__all__ = ["language"]


def language(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="The new folder; must not exist.", show_default=False),
    ],
    corpora: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[CORPUS.txt]…", help="Texts in English.", show_default=False),
    ] = None,
    order: Annotated[int, typer.Option(help="The longest sequence of words it counts.")] = 3,
    arpa: Annotated[
        Path | None, typer.Option(help="Take this n-gram model instead of counting the texts.")
    ] = None,
    exclude: Annotated[
        list[Path] | None,
        typer.Option(help="Leave out the sentences of this text, and near copies of them."),
    ] = None,
    neural: Annotated[
        bool,
        typer.Option(
            "--neural", help="Train a network of the next word, too, to weigh sentences with."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Build a language for decoders of speech: a lexicon and an n-gram model.

    The lexicon is the CMU dictionary with the words of the texts that it lacks. What a model is to
    be tested on must be excluded.
    """
    from decoders.speech.building import build

    with activity(shown=not as_json) as tell:
        built = build(
            corpora or [],
            output,
            order=order,
            arpa_file=arpa,
            exclude=exclude or [],
            neural=neural,
            tell=tell,
        )
    said = {
        "folder": str(output),
        "hash": built.language.hash,
        "words": built.language.n_words,
        "ngrams": list(built.n_grams),
        "read": {"sentences": built.n_sentences, "words": built.n_words},
        "excluded": built.n_excluded,
        "unknown_words": built.n_unknown,
        "perplexity_of_the_network": built.perplexity,
    }
    if as_json:
        write_json(said)
        return
    results().print(
        f"{output} {built.language.hash}: {built.language.n_words:,} words, n-grams of order 1 to "
        f"{len(built.n_grams)}: {', '.join(f'{n:,}' for n in built.n_grams)}\n"
        f"  of {built.n_sentences:,} sentences with {built.n_words:,} words, of which "
        f"{built.n_unknown:,} are not in the lexicon; {built.n_excluded:,} sentences were held out",
        markup=False,
    )
    if built.perplexity is not None:
        results().print(
            "  a network of the next word, whose perplexity on sentences that it has not seen is "
            f"{built.perplexity:.1f}"
        )
